"""What comes of a classifier: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from ostinato.core.results import Count, Measure, Positive, Result, Unknown, ValidUnknown, when

_VALIDATED = when("where there is data to validate on: --valid, or 300 examples and more")
_UNKNOWN = when("where the vocabulary has an unknown token: not of BPE, not of numbers")


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    examples: Annotated[Positive, "examples with a label"]
    accuracy: Annotated[Measure, "share of them whose label is found"]
    macro_f1: Annotated[Measure, "mean over the classes of the harmonic mean of precision and recall"]
    micro_f1: Annotated[Measure | UnsetType, "with --multi-label: F1 of all labels together"] = UNSET
    distinct: Annotated[Count, "different labels that were said at all"]
    constant_accuracy: Annotated[Measure, "accuracy of one and the same label for all: the most frequent one"]
    unknown: Annotated[Measure | UnsetType, "share of the tokens that the vocabulary lacks", _UNKNOWN] = UNSET
    unknown_labels: Annotated[Count, "examples with a label that training never saw: they count as wrong"]


class Answer(Result, kw_only=True):
    """What `predict` says of an example."""

    id: Annotated[str | UnsetType, "of the sequence", when("where sequences have ids")] = UNSET
    label: Annotated[str, "the most probable class; with --multi-label all of `labels`, as a file has them"]
    labels: Annotated[list[str] | UnsetType, "with --multi-label: classes of a probability above one half"] = UNSET
    probabilities: Annotated[dict[str, float], "of each class, by its name"]


class Summary(Result, kw_only=True):
    """What training came to."""

    examples: Annotated[Count, "examples trained on, repeated ones counted again"]
    classes: Annotated[int, "different labels", Meta(ge=2)]
    valid_loss: Annotated[
        Measure | UnsetType,
        "mean cross-entropy of the best weights on the validation data, in nats an example",
        _VALIDATED,
    ] = UNSET
    valid_accuracy: Annotated[
        Measure | UnsetType,
        "highest accuracy in validation, by which the weights are chosen; where it is equal, by the loss",
        _VALIDATED,
    ] = UNSET
    valid_macro_f1: Annotated[Measure | UnsetType, "macro F1 of the same weights", _VALIDATED] = UNSET
    valid_micro_f1: Annotated[
        Measure | UnsetType, "with --multi-label: F1 of all labels together on the validation data"
    ] = UNSET
    unknown: Unknown = UNSET
    valid_unknown: ValidUnknown = UNSET
