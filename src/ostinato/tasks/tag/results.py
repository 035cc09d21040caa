"""What comes of a tagger: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Positive, Result, when

_SPANS = when("where the tags mark spans: BIO, IOBES, BILOU, BMES")
_RECORDED = when("but for runs of early versions")


class Scores(Result):
    """How well one kind of span, or one tag, is found."""

    precision: Annotated[Measure, "share of what was found that is right"]
    recall: Annotated[Measure, "share of what is right that was found"]
    f1: Annotated[Measure, "the harmonic mean of both"]
    support: Annotated[Count, "how many are right"]


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    tokens: Annotated[Positive, "words tagged: all of the data"]
    accuracy: Annotated[Measure, "share of the words with the right tag"]
    span_f1: Annotated[
        Measure | UnsetType, "harmonic mean of precision and recall of whole spans, as conlleval counts them", _SPANS
    ] = UNSET
    distinct: Annotated[Count, "different tags that were given at all"]
    constant_accuracy: Annotated[Measure, "accuracy of one and the same tag for all words: the most frequent one"]
    unknown: Annotated[Measure, "share of the words that the vocabulary lacks; they are read by their characters"]
    unknown_tags: Annotated[Count, "words with a tag that training never saw: they count as wrong"]
    types: Annotated[dict[str, Scores], "scores of each kind of span, or of each tag where there are no spans"]


class Summary(Result, kw_only=True):
    """What training came to."""

    tokens: Annotated[Count, "words trained on, repeated ones counted again"]
    valid_loss: Annotated[Measure, "validation loss of the best weights, in nats a word"]
    valid_accuracy: Annotated[Measure, "share of the validation words that the best weights tag right"]
    valid_span_f1: Annotated[Measure | UnsetType, "span F1 of the best weights on the validation sentences", _SPANS] = (
        UNSET
    )
    unknown: Annotated[Measure | UnsetType, "share of the words to train on that the vocabulary lacks", _RECORDED] = (
        UNSET
    )
    valid_unknown: Annotated[Measure | UnsetType, "the same of the words to validate on", _RECORDED] = UNSET
