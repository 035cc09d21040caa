"""What comes of a language model: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType, field

from ostinato.core.results import Count, Measure, Perplexity, Positive, Result, when

_UNKNOWN = when("where the vocabulary has an unknown token: not of BPE, not of numbers")


class DynamicSettings(Result):
    """Dynamic evaluation."""

    lr: Measure
    """learning rate"""

    steps: Positive
    """tokens between two steps"""

    decay: Measure
    """share of the way back to the run's weights, a step"""


class CacheSettings(Result):
    """Neural cache."""

    window: Positive
    """tokens it held"""

    theta: Measure
    """flatness"""

    share: Measure = field(name="lambda")
    """share of the probability"""


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    tokens: Positive
    """tokens predicted: all of the text"""

    loss: Measure
    """mean loss in nats a token"""

    perplexity: Perplexity
    """e to the loss"""

    bits_per_character: Annotated[Measure | UnsetType, when("at level char")] = UNSET
    """the loss in bits"""

    dynamic: Annotated[DynamicSettings | UnsetType, when("with --dynamic")] = UNSET
    """dynamic evaluation: its settings"""

    cache: Annotated[CacheSettings | UnsetType, when("with --cache")] = UNSET
    """neural cache: its settings"""

    unknown: Annotated[Measure | UnsetType, when("where the vocabulary has an unknown token: not of BPE")] = UNSET
    """share of the tokens that are <unk>: what the vocabulary lacks, and what the text itself calls so"""


class Summary(Result, kw_only=True):
    """What training came to."""

    tokens: Count
    """tokens trained on, repeated ones counted again"""

    valid_loss: Measure
    """lowest validation loss, in nats a token"""

    valid_perplexity: Perplexity
    """e to that"""

    valid_bits_per_character: Annotated[Measure | UnsetType, when("at level char")] = UNSET
    """that in bits"""

    unknown: Annotated[Measure | UnsetType, _UNKNOWN] = UNSET
    """share of the tokens to train on that the vocabulary lacks"""

    valid_unknown: Annotated[Measure | UnsetType, when("as unknown")] = UNSET
    """the same of the data to validate on"""
