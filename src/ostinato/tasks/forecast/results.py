"""What comes of forecasts: the figures of `ostinato evaluate`, and what a training says of itself."""

from typing import Annotated, TypeAlias

from msgspec import UNSET, UnsetType

from ostinato.core.results import Count, Measure, Positive, Result, when

_PROBABILISTIC = when("any head but point")
_WITH_INTERVALS = when("any head but point, and that one too with --interval")

_MAE, _RMSE = "mean absolute error", "root of the mean squared error"
_MAPE = "mean absolute error in percent of the target, over targets other than 0; null where all are"
_SMAPE = "mean of 200 |f - y| / (|f| + |y|), in percent"
_MASE = "mean absolute error over the in-sample naive error with period M; null where there is none"
_CRPS = (
    "continuous ranked probability score, in the target's units, of 20 quantiles; that of a point forecast is its mae"
)
_WITHIN_80, _WITHIN_95 = (f"share of the targets within their {level} % interval" for level in (80, 95))


#: A row of what `predict` says: a step of a series.
Answer: TypeAlias = Annotated[
    dict[str, str | float],
    "by column: ids and time as the table has them, or `row`; each target, and for each level the ends of its interval "
    "as `TARGET_low_LEVEL` and `TARGET_high_LEVEL`",
]


class TargetFigures(Result, kw_only=True):
    """The same figures of one of several targets."""

    mae: Annotated[Measure, _MAE]
    rmse: Annotated[Measure, _RMSE]
    mape: Annotated[Measure | None, _MAPE]
    smape: Annotated[Measure, _SMAPE]
    mase: Annotated[Measure | None, _MASE]
    crps: Annotated[Measure | UnsetType, _CRPS, _PROBABILISTIC] = UNSET
    coverage_80: Annotated[Measure | UnsetType, _WITHIN_80, _WITH_INTERVALS] = UNSET
    coverage_95: Annotated[Measure | UnsetType, _WITHIN_95, _WITH_INTERVALS] = UNSET


class StepFigures(Result, kw_only=True):
    """The same figures of one step of the horizon; null where no target is known."""

    step: Annotated[Positive, "rows ahead, from 1"]
    mae: Annotated[Measure | None, _MAE]
    rmse: Annotated[Measure | None, _RMSE]
    mape: Annotated[Measure | None, _MAPE]
    smape: Annotated[Measure | None, _SMAPE]
    mase: Annotated[Measure | None, _MASE]
    crps: Annotated[Measure | UnsetType | None, _CRPS, _PROBABILISTIC] = UNSET
    coverage_80: Annotated[Measure | UnsetType | None, _WITHIN_80, _WITH_INTERVALS] = UNSET
    coverage_95: Annotated[Measure | UnsetType | None, _WITHIN_95, _WITH_INTERVALS] = UNSET
    naive_mae: Annotated[Measure | None, "mae of the value one season (M rows) earlier; null where no target is known"]


class Figures(Result, kw_only=True):
    """What `evaluate` measures."""

    known_rows: Annotated[
        Count,
        "rows of DATA that were recognised as those given to train, by their times or, without, by their place and "
        "id; nothing of them is scored",
    ]
    horizon: Annotated[Positive, "steps of a forecast"]
    windows: Annotated[Positive, "forecasts, one row apart, all of whose targets lie after the last row given to train"]
    mae: Annotated[Measure, _MAE]
    rmse: Annotated[Measure, _RMSE]
    mape: Annotated[Measure | None, _MAPE]
    smape: Annotated[Measure, _SMAPE]
    mase: Annotated[Measure | None, _MASE]
    crps: Annotated[Measure | UnsetType, _CRPS, _PROBABILISTIC] = UNSET
    coverage_80: Annotated[Measure | UnsetType, _WITHIN_80, _WITH_INTERVALS] = UNSET
    coverage_95: Annotated[Measure | UnsetType, _WITHIN_95, _WITH_INTERVALS] = UNSET
    naive_mae: Annotated[Measure, "mae, of the value one season (M rows) earlier"]
    naive_rmse: Annotated[Measure, "rmse, of the value one season (M rows) earlier"]
    naive_mape: Annotated[Measure | None, "mape, of the value one season (M rows) earlier"]
    naive_smape: Annotated[Measure, "smape, of the value one season (M rows) earlier"]
    naive_mase: Annotated[Measure | None, "mase, of the value one season (M rows) earlier"]
    last_value_mae: Annotated[Measure, "mae, of the last value of the window"]
    last_value_rmse: Annotated[Measure, "rmse, of the last value of the window"]
    last_value_mape: Annotated[Measure | None, "mape, of the last value of the window"]
    last_value_smape: Annotated[Measure, "smape, of the last value of the window"]
    last_value_mase: Annotated[Measure | None, "mase, of the last value of the window"]
    targets: Annotated[
        dict[str, TargetFigures] | UnsetType, "the same figures of each target, by column", when("with several targets")
    ] = UNSET
    by_step: Annotated[list[StepFigures], "the same figures of each step of the horizon"]


class Summary(Result, kw_only=True):
    """What training came to."""

    valid_loss: Annotated[
        float,
        "lowest validation loss, of the scaled targets: absolute error for head point, twice the mean pinball loss "
        "for quantile, else nats a target",
    ]
    valid_mase: Annotated[
        Measure | UnsetType,
        "mean absolute scaled error on the validation windows at that point",
        when("where the series has a naive error"),
    ] = UNSET
