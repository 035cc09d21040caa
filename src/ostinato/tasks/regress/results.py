"""What comes of regression: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated, TypeAlias

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Positive, Result, Unknown, ValidUnknown, when

_VALIDATED = when("where there is data to validate on: --valid, or 300 examples and more")
_UNKNOWN = when("where the vocabulary has an unknown token: not of BPE, not of numbers")
_SEVERAL = when("where there are several targets")


class TargetFigures(Result, kw_only=True):
    """The figures of one of several targets."""

    mae: Annotated[Measure, "mean absolute error"]
    rmse: Annotated[Measure, "root of the mean squared error"]
    r2: Annotated[
        float, "1 less the squared error over that of the mean of what is measured; below 0 where the model is worse"
    ]
    mean_mae: Annotated[Measure, "mae of the training data's mean, said of all"]
    mean_rmse: Annotated[Measure, "rmse of the training data's mean"]


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    examples: Annotated[Positive, "examples whose targets are known"]
    mae: Annotated[Measure, "mean absolute error, in the target's units; of several targets the mean over them"]
    rmse: Annotated[Measure, "root of the mean squared error, likewise"]
    r2: Annotated[
        float,
        "1 less the squared error over that of the mean of what is measured, likewise; below 0 where that is better",
    ]
    scaled_rmse: Annotated[Measure, "rmse over all targets, each in standard deviations of the training data"]
    mean_mae: Annotated[Measure, "mae of the training data's mean, said of all"]
    mean_rmse: Annotated[Measure, "rmse of the training data's mean"]
    mean_r2: Annotated[float, "r2 of the training data's mean: 0 at most"]
    mean_scaled_rmse: Annotated[Measure, "scaled_rmse of the training data's mean"]
    targets: Annotated[dict[str, TargetFigures] | UnsetType, "of each target by itself", _SEVERAL] = UNSET
    unknown: Annotated[Measure | UnsetType, "share of the tokens that the vocabulary lacks", _UNKNOWN] = UNSET


#: What `predict` says of an example, beside its id.
Values: TypeAlias = Annotated[dict[str, float], "the number of each target, by its name"]


class Answer(Result):
    """What else `predict` says of it."""

    id: Annotated[str | UnsetType, "of the sequence", when("where sequences have ids")] = UNSET


class Summary(Result, kw_only=True):
    """What training came to."""

    examples: Annotated[Count, "examples trained on, repeated ones counted again"]
    targets: Annotated[Positive, "numbers that are learned of each example"]
    valid_loss: Annotated[
        Measure | UnsetType, "loss of the best weights on the validation data, of standardised targets", _VALIDATED
    ] = UNSET
    valid_scaled_rmse: Annotated[
        Measure | UnsetType,
        "lowest rmse over all targets in validation, in standard deviations, by which the weights are chosen",
        _VALIDATED,
    ] = UNSET
    valid_mae: Annotated[
        Measure | UnsetType,
        "mean absolute error of the same weights, in the target's units; of several targets the mean over them",
        _VALIDATED,
    ] = UNSET
    valid_rmse: Annotated[
        Measure | UnsetType, "root of the mean squared error of the same weights, likewise", _VALIDATED
    ] = UNSET
    valid_r2: Annotated[float | UnsetType, "r2 of the same weights, likewise", _VALIDATED] = UNSET
    unknown: Unknown = UNSET
    valid_unknown: ValidUnknown = UNSET
