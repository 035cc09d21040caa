"""What comes of a language model: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType, field

from ostinato.core.results import Count, Measure, Perplexity, Positive, Result, Unknown, ValidUnknown, when


class DynamicSettings(Result):
    """Dynamic evaluation."""

    lr: Annotated[Measure, "learning rate"]
    steps: Annotated[Positive, "tokens between two steps"]
    decay: Annotated[Measure, "share of the way back to the run's weights, a step"]


class CacheSettings(Result):
    """Neural cache."""

    window: Annotated[Positive, "tokens it held"]
    theta: Annotated[Measure, "flatness"]
    share: Annotated[Measure, "share of the probability"] = field(name="lambda")


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    tokens: Annotated[Positive, "tokens predicted: all of the text"]
    loss: Annotated[Measure, "mean loss in nats a token"]
    perplexity: Annotated[Perplexity, "e to the loss"]
    bits_per_character: Annotated[Measure | UnsetType, "the loss in bits", when("at level char")] = UNSET
    dynamic: Annotated[DynamicSettings | UnsetType, "dynamic evaluation: its settings", when("with --dynamic")] = UNSET
    cache: Annotated[CacheSettings | UnsetType, "neural cache: its settings", when("with --cache")] = UNSET
    unknown: Annotated[
        Measure | UnsetType,
        "share of the tokens that are <unk>: what the vocabulary lacks, and what the text itself calls so",
        when("where the vocabulary has an unknown token: not of BPE"),
    ] = UNSET


class Summary(Result, kw_only=True):
    """What training came to."""

    tokens: Annotated[Count, "tokens trained on, repeated ones counted again"]
    valid_loss: Annotated[Measure, "lowest validation loss, in nats a token"]
    valid_perplexity: Annotated[Perplexity, "e to that"]
    valid_bits_per_character: Annotated[Measure | UnsetType, "that in bits", when("at level char")] = UNSET
    unknown: Unknown = UNSET
    valid_unknown: ValidUnknown = UNSET
