"""A text that somebody types, as a translator reads it, and what it writes of it meanwhile."""

from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.core.errors import OstinatoError
from ostinato.data.text.pairs import open_pairs
from ostinato.decoding import best_sequences
from ostinato.inspection.observed import Observed, Typed
from ostinato.tasks.trained import Trained
from ostinato.tasks.translate.data import EncodedPairs
from ostinato.tasks.translate.model import Seq2Seq
from ostinato.tasks.translate.preparing import layout_of

#: Tokens that are written of what is typed, at most.
MOST_WRITTEN = 200

#: Characters of a text to begin with, at most.
EXAMPLE = 200


def typed(run: Trained, text: str) -> Typed:
    """A source, which the encoder reads, `<eos>` behind it, as a step without a piece; what is written is the likeliest
    token of the vocabulary at each step: nothing is copied. The scalar is the loss of that."""
    codec, model = run.codec, cast(Seq2Seq, run.model)
    (ids,) = codec.encode_sources([text])
    _, found = codec.source.encode_with_spans(text.ljust(codec.width))
    spans = [(min(begin, len(text)), min(end, len(text))) for begin, end in found]
    spans += [(len(text), len(text))] * (len(ids) - len(spans))
    several, between = model.decoder.above is not None, " " * (codec.target.level == "word")
    writers = ("decoder.first", *["decoder.above"][:several])

    def upto(steps: int) -> Observed:
        read = ids[:steps]
        (tokens,) = _written(run, model, torch.as_tensor(read.astype(np.int64))[:, None])
        batch = EncodedPairs([read], [np.array(tokens, np.int64)]).batch(np.zeros(1, np.int64))
        pieces = [text[begin:end] for begin, end in spans[:steps]]
        attention = model.decoder.attention
        attends, fed = attention is not None, model.decoder.input_feeding
        fed = fed or (attention is not None and attention.coverage is not None)
        return Observed(
            pieces,
            batch.inputs,
            batch.arguments(),
            lambda output: F.cross_entropy(output.logits()[:, 0], batch.targets[:, 0], reduction="sum"),
            "the loss of what it writes" + ", which attention hands to every step" * attends,
            ("encoder.recurrent",),
            pooled=attends,
            written=[*(between + codec.target.decode([token]) for token in tokens), f"{between}<eos>"],
            writers=() if fed else writers,  # fed with what it made of the step before, it runs anew at each
            turned=model.encoder.reverse,
        )

    return Typed(spans, upto)


def example(run: Trained) -> str:
    """A source of the data that the run was validated on, or that these were held out of."""
    try:
        return open_pairs(run.config["data"]["valid"]["files"], layout_of(run)).sources[0][:EXAMPLE]
    except (OstinatoError, OSError, LookupError):
        return ""


@torch.no_grad()
def _written(run: Trained, model: Seq2Seq, source: Tensor) -> list[list[int]]:
    most = min(MOST_WRITTEN, int(run.config["decoding"]["max_length"]), 2 * len(source) + 50)
    state, limits = model.start(source), torch.full((1,), most)
    return best_sequences(model.decoder.step, state, limits, width=1, never=run.codec.never_written)
