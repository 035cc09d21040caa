"""What comes of translations: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Perplexity, Positive, Result, when

_UNKNOWN = when("where the vocabulary has an unknown token: not of BPE, not of numbers")


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    examples: Positive
    """pairs evaluated"""

    bleu: Measure
    """sacrebleu's BLEU over all pairs, from 0 to 100"""

    chrf: Measure
    """sacrebleu's chrF2, from 0 to 100"""

    exact_match: Measure
    """share of texts written that are the one expected, blanks at both ends aside"""

    distinct: Count
    """different texts written"""

    constant_bleu: Measure
    """the highest BLEU of one and the same text for all, of some twenty: those written most often, and references like
    most others"""

    constant_exact_match: Measure
    """exact match of one and the same text for all: the one expected most often"""

    bleu_signature: str
    """how sacrebleu computed BLEU"""

    chrf_signature: str
    """how sacrebleu computed chrF"""

    unknown: Annotated[Measure | UnsetType, when("where the vocabularies have an unknown token: not of BPE")] = UNSET
    """share of the tokens, of both sides, that the vocabularies lack"""


class Summary(Result, kw_only=True):
    """What training came to."""

    tokens: Count
    """target tokens trained on, ends included, repeated ones counted again"""

    valid_loss: Measure
    """lowest validation loss, in nats a target token"""

    valid_perplexity: Perplexity
    """e to that"""

    unknown: Annotated[Measure | UnsetType, _UNKNOWN] = UNSET
    """share of the tokens to train on that the vocabulary lacks"""

    valid_unknown: Annotated[Measure | UnsetType, when("as unknown")] = UNSET
    """the same of the data to validate on"""
