"""Models in C: one header and one source, C99, without allocation, with float32 or int8 weights.

Every cell is written from its traced equations (`steps`, `expressions`), every kind of model has a module.
"""

from ostinato.interop.outgoing.c.arrays import Weights
from ostinato.interop.outgoing.c.forecasters import ForecasterParts, forecaster
from ostinato.interop.outgoing.c.language_models import LanguageModelParts, language_model
from ostinato.interop.outgoing.c.recurrent_layers import recurrent_layer
from ostinato.interop.outgoing.c.sequence_models import SequenceParts, sequence_model
from ostinato.interop.outgoing.c.source import Program, Sample
from ostinato.interop.outgoing.c.taggers import TaggerParts, tagger
from ostinato.interop.outgoing.c.text import identifier
from ostinato.interop.outgoing.c.tokens import Tokens
from ostinato.interop.outgoing.c.transcribers import TranscriberParts, transcriber
from ostinato.interop.outgoing.c.trial import Trial, TrialError, compiler, tried

__all__ = [
    "ForecasterParts",
    "LanguageModelParts",
    "Program",
    "Sample",
    "SequenceParts",
    "TaggerParts",
    "Tokens",
    "TranscriberParts",
    "Trial",
    "TrialError",
    "Weights",
    "compiler",
    "forecaster",
    "identifier",
    "language_model",
    "recurrent_layer",
    "sequence_model",
    "tagger",
    "transcriber",
    "tried",
]
