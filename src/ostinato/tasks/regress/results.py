"""What comes of regression: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Positive, Result, when

_VALIDATED = when("where there is data to validate on: --valid, or 300 examples and more")
_UNKNOWN = when("where the vocabulary has an unknown token: not of BPE, not of numbers")
_SEVERAL = when("where there are several targets")


class TargetFigures(Result, kw_only=True):
    """The figures of one of several targets."""

    mae: Measure
    """mean absolute error"""

    rmse: Measure
    """root of the mean squared error"""

    r2: float
    """1 less the squared error over that of the mean of what is measured; below 0 where the model is worse"""

    mean_mae: Measure
    """mae of the training data's mean, said of all"""

    mean_rmse: Measure
    """rmse of the training data's mean"""


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    examples: Positive
    """examples whose targets are known"""

    mae: Measure
    """mean absolute error, in the target's units; of several targets the mean over them"""

    rmse: Measure
    """root of the mean squared error, likewise"""

    r2: float
    """1 less the squared error over that of the mean of what is measured, likewise; below 0 where the model is worse"""

    scaled_rmse: Measure
    """rmse over all targets, each in standard deviations of the training data"""

    mean_mae: Measure
    """mae of the training data's mean, said of all"""

    mean_rmse: Measure
    """rmse of the training data's mean"""

    mean_r2: float
    """r2 of the training data's mean: 0 at most"""

    mean_scaled_rmse: Measure
    """scaled_rmse of the training data's mean"""

    targets: Annotated[dict[str, TargetFigures] | UnsetType, _SEVERAL] = UNSET
    """of each target by itself"""

    unknown: Annotated[Measure | UnsetType, _UNKNOWN] = UNSET
    """share of the tokens that the vocabulary lacks"""


class Summary(Result, kw_only=True):
    """What training came to."""

    examples: Count
    """examples trained on, repeated ones counted again"""

    targets: Positive
    """numbers that are learned of each example"""

    valid_loss: Annotated[Measure | UnsetType, _VALIDATED] = UNSET
    """loss of the best weights on the validation data, of standardised targets"""

    valid_scaled_rmse: Annotated[Measure | UnsetType, _VALIDATED] = UNSET
    """lowest rmse over all targets in validation, in standard deviations of the training data: weights are chosen by
    it"""

    valid_mae: Annotated[Measure | UnsetType, _VALIDATED] = UNSET
    """mean absolute error of the same weights, in the target's units; of several targets the mean over them"""

    valid_rmse: Annotated[Measure | UnsetType, _VALIDATED] = UNSET
    """root of the mean squared error of the same weights, likewise"""

    valid_r2: Annotated[float | UnsetType, _VALIDATED] = UNSET
    """r2 of the same weights, likewise"""

    unknown: Annotated[Measure | UnsetType, _UNKNOWN] = UNSET
    """share of the tokens to train on that the vocabulary lacks"""

    valid_unknown: Annotated[Measure | UnsetType, when("as unknown, where there is data to validate on")] = UNSET
    """the same of the data to validate on"""
