"""What comes of a tagger: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Positive, Result, when

_SPANS = when("where the tags mark spans: BIO, IOBES, BILOU, BMES")
_RECORDED = when("but for runs of early versions")


class Scores(Result):
    """How well one kind of span, or one tag, is found."""

    precision: Measure
    """share of what was found that is right"""

    recall: Measure
    """share of what is right that was found"""

    f1: Measure
    """the harmonic mean of both"""

    support: Count
    """how many are right"""


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    tokens: Positive
    """words tagged: all of the data"""

    accuracy: Measure
    """share of the words with the right tag"""

    span_f1: Annotated[Measure | UnsetType, _SPANS] = UNSET
    """harmonic mean of precision and recall of whole spans, as conlleval counts them"""

    distinct: Count
    """different tags that were given at all"""

    constant_accuracy: Measure
    """accuracy of one and the same tag for all words: the most frequent one"""

    unknown: Measure
    """share of the words that the vocabulary lacks; they are read by their characters"""

    unknown_tags: Count
    """words with a tag that training never saw: they count as wrong"""

    types: dict[str, Scores]
    """scores of each kind of span, or of each tag where there are no spans"""


class Summary(Result, kw_only=True):
    """What training came to."""

    tokens: Count
    """words trained on, repeated ones counted again"""

    valid_loss: Measure
    """validation loss of the best weights, in nats a word"""

    valid_accuracy: Measure
    """share of the validation words that the best weights tag right"""

    valid_span_f1: Annotated[Measure | UnsetType, _SPANS] = UNSET
    """span F1 of the best weights on the validation sentences"""

    unknown: Annotated[Measure | UnsetType, _RECORDED] = UNSET
    """share of the words to train on that the vocabulary lacks"""

    valid_unknown: Annotated[Measure | UnsetType, _RECORDED] = UNSET
    """the same of the words to validate on"""
