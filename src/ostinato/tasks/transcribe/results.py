"""What comes of transcripts: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Positive, Result, when

_CER = (
    "symbol error rate: symbols to insert, leave out and replace to make what was written what was expected, over the "
    "symbols expected; of characters the CER, of words the WER"
)


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    examples: Annotated[Positive, "sequences with a label"]
    error_rate: Annotated[Measure, _CER]
    exact_match: Annotated[Measure, "share of the sequences whose transcript has no error"]
    distinct: Annotated[Count, "different transcripts written"]
    unknown: Annotated[Measure, "share of the symbols expected that training never saw: none can be written"]


class Answer(Result, kw_only=True):
    """What `predict` says of a sequence."""

    id: Annotated[str | UnsetType, "of the sequence", when("where sequences have ids")] = UNSET
    text: Annotated[str, "the most probable transcript that the search found"]
    log_probability: Annotated[float, "its log-probability, in nats, summed over all ways to lay it along the frames"]


class Summary(Result, kw_only=True):
    """What training came to."""

    symbols: Annotated[Count, "symbols trained on, repeated ones counted again"]
    valid_loss: Annotated[Measure, "negative log-probability of the transcripts, in nats a symbol, of the best weights"]
    valid_error_rate: Annotated[Measure, "lowest symbol error rate in validation, by which the weights are chosen"]
    valid_exact_match: Annotated[Measure, "exact match of the same weights"]
