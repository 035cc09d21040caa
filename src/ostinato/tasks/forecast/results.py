"""What comes of forecasts: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Positive, Result, when

_PROBABILISTIC = when("head quantile, gaussian or student")


class TargetFigures(Result, kw_only=True):
    """The same figures of one of several targets."""

    mae: Measure
    """mean absolute error"""

    rmse: Measure
    """root of the mean squared error"""

    mape: Measure | None
    """mean absolute error in percent of the target, over targets other than 0; null where all are"""

    smape: Measure
    """mean of 200 |f - y| / (|f| + |y|), in percent"""

    mase: Measure | None
    """mean absolute error over the in-sample naive error with period M; null where there is none"""

    crps: Annotated[Measure | UnsetType, _PROBABILISTIC] = UNSET
    """continuous ranked probability score, in the target's units, of 20 quantiles; that of a point forecast is its
    mae"""

    coverage_80: Annotated[Measure | UnsetType, _PROBABILISTIC] = UNSET
    """share of the targets within their 80 % interval"""

    coverage_95: Annotated[Measure | UnsetType, _PROBABILISTIC] = UNSET
    """share of the targets within their 95 % interval"""


class StepFigures(Result, kw_only=True):
    """The same figures of one step of the horizon; null where no target is known."""

    step: Positive
    """rows ahead, from 1"""

    mae: Measure | None
    """mean absolute error"""

    rmse: Measure | None
    """root of the mean squared error"""

    mape: Measure | None
    """mean absolute error in percent of the target, over targets other than 0; null where all are"""

    smape: Measure | None
    """mean of 200 |f - y| / (|f| + |y|), in percent"""

    mase: Measure | None
    """mean absolute error over the in-sample naive error with period M; null where there is none"""

    crps: Annotated[Measure | UnsetType | None, _PROBABILISTIC] = UNSET
    """continuous ranked probability score, in the target's units, of 20 quantiles; that of a point forecast is its
    mae"""

    coverage_80: Annotated[Measure | UnsetType | None, _PROBABILISTIC] = UNSET
    """share of the targets within their 80 % interval"""

    coverage_95: Annotated[Measure | UnsetType | None, _PROBABILISTIC] = UNSET
    """share of the targets within their 95 % interval"""

    naive_mae: Measure | None
    """mae of the value one season (M rows) earlier; null where no target is known"""


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    known_rows: Count
    """rows of DATA that were recognised as those given to train, by their times or, without, by their place and id;
    nothing of them is scored"""

    horizon: Positive
    """steps of a forecast"""

    windows: Positive
    """forecasts, one row apart, all of whose targets lie after the last row given to train"""

    mae: Measure
    """mean absolute error"""

    rmse: Measure
    """root of the mean squared error"""

    mape: Measure | None
    """mean absolute error in percent of the target, over targets other than 0; null where all are"""

    smape: Measure
    """mean of 200 |f - y| / (|f| + |y|), in percent"""

    mase: Measure | None
    """mean absolute error over the in-sample naive error with period M; null where there is none"""

    crps: Annotated[Measure | UnsetType, _PROBABILISTIC] = UNSET
    """continuous ranked probability score, in the target's units, of 20 quantiles; that of a point forecast is its
    mae"""

    coverage_80: Annotated[Measure | UnsetType, _PROBABILISTIC] = UNSET
    """share of the targets within their 80 % interval"""

    coverage_95: Annotated[Measure | UnsetType, _PROBABILISTIC] = UNSET
    """share of the targets within their 95 % interval"""

    naive_mae: Measure
    """mae, of the value one season (M rows) earlier"""

    naive_rmse: Measure
    """rmse, of the value one season (M rows) earlier"""

    naive_mape: Measure | None
    """mape, of the value one season (M rows) earlier"""

    naive_smape: Measure
    """smape, of the value one season (M rows) earlier"""

    naive_mase: Measure | None
    """mase, of the value one season (M rows) earlier"""

    last_value_mae: Measure
    """mae, of the last value of the window"""

    last_value_rmse: Measure
    """rmse, of the last value of the window"""

    last_value_mape: Measure | None
    """mape, of the last value of the window"""

    last_value_smape: Measure
    """smape, of the last value of the window"""

    last_value_mase: Measure | None
    """mase, of the last value of the window"""

    targets: Annotated[dict[str, TargetFigures] | UnsetType, when("with several targets")] = UNSET
    """the same figures of each target, by column"""

    by_step: list[StepFigures]
    """the same figures of each step of the horizon"""


class Summary(Result, kw_only=True):
    """What training came to."""

    valid_loss: float
    """lowest validation loss, of the scaled targets: absolute error for head point, twice the mean pinball loss for
    quantile, else nats a target"""

    valid_mase: Annotated[Measure | UnsetType, when("where the series has a naive error")] = UNSET
    """mean absolute scaled error on the validation windows at that point"""
