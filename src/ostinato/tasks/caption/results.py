"""What comes of captions: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Perplexity, Positive, Result, when

_UNKNOWN = when("where the vocabulary has an unknown token: not of BPE, not of numbers")


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    examples: Positive
    """pictures evaluated"""

    bleu4: Measure
    """sacrebleu's BLEU-4 against all references, over words in small letters, from 0 to 100"""

    cider: Measure
    """CIDEr-D over the same words, from 0 to 10"""

    exact_match: Measure
    """share of captions that are one of the references, letter by letter"""

    distinct: Count
    """different captions written"""

    constant_bleu4: Measure
    """the highest BLEU-4 of one and the same caption for all pictures, of some twenty: those written most often, and
    references like most others"""

    bleu4_signature: str
    """how sacrebleu computed BLEU-4"""

    unknown: Annotated[Measure | UnsetType, when("where the vocabulary has an unknown token: not of BPE")] = UNSET
    """share of the tokens of the references that the vocabulary lacks"""

    left_out: Count
    """pictures that are missing or damaged"""


class Summary(Result, kw_only=True):
    """What training came to."""

    tokens: Count
    """tokens of captions trained on, ends included, repeated ones counted again"""

    valid_loss: Measure
    """lowest validation loss, in nats a token"""

    valid_perplexity: Perplexity
    """e to that"""

    unknown: Annotated[Measure | UnsetType, _UNKNOWN] = UNSET
    """share of the tokens to train on that the vocabulary lacks"""

    valid_unknown: Annotated[Measure | UnsetType, when("as unknown")] = UNSET
    """the same of the data to validate on"""
