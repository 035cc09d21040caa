"""What was in, what comes out, as an estimator: time steps are the samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ostinato.config.columns import as_option
from ostinato.core.errors import DataError
from ostinato.data.series.codec import Read
from ostinato.data.series.reading import Series, SeriesColumns
from ostinato.data.series.times import Spacing
from ostinato.sklearn.inputs import require_target
from ostinato.sklearn.series import Array, given_covariates, given_series, joined
from ostinato.sklearn.training import SequenceEstimator, asked_of_task, train
from ostinato.tasks.estimators import Continues

#: Rows looked back on where no parameter says and there is no season.
WINDOW = 10


@dataclass(kw_only=True, eq=False, repr=False)
class Forecaster(RegressorMixin, SequenceEstimator):  # type: ignore[misc]
    """How time series go on: what `ostinato train forecast` trains.

    The samples are time steps, in their order: y holds the targets `[T]` or `[T, K]`, X the covariates `[T, F]` of the
    same steps, which have to be known in advance; without any, X is None, or has no columns. `predict` goes on where
    y ended: row i of its X is the i-th step after the end. A list of arrays is a list of series, which share a model.
    A target may be missing (NaN). To validate and to search, cut in time: `TimeSeriesSplit(test_size=horizon)`.

    Parameters that are None have the command's default; `ostinato train forecast --help` says which.

    All other parameters are those of `SequenceEstimator`; `validation_fraction` is taken from the end of each series.

    Args:
        window: steps to look back on; by default two seasons, of several the first, or ten steps where there is none.
        horizon: steps forecast at once. `predict` goes further, by taking its forecasts for what came.
        season: steps of a season: 12 for months, 24 for hours; or of several, (24, 168).
        head: "quantile", "gaussian", "student", or "point", which has no quantiles.
        decoding: "direct", or "autoregressive": each step is fed the forecast of the step before.

    Attributes:
        run_: model, scales and configuration; its folder is gone.
        n_features_in_: F, where there is X.
    """

    window: int | None = None
    horizon: int = 1
    season: int | Sequence[int] = 1
    head: str | None = None
    decoding: str | None = None

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Learn from series.

        Args:
            X: covariates `[T, F]`, a list of them for a list of series, or None.
            y: targets `[T]` or `[T, K]`, or a list of them.

        Raises:
            DataError: series and covariates that do not match, or too few steps.
            ConfigError: a parameter that cannot be.
            ValueError: an array that scikit-learn refuses, in its words.
        """
        require_target(self, y)
        settings = {**self.get_params(deep=False), **(self.options or {})}
        seasons = settings["season"] if isinstance(settings["season"], Sequence) else (settings["season"],)
        window = max(2 * seasons[0], WINDOW) if settings["window"] is None else settings["window"]
        given = given_series(self, X, y, reset=True, at_least=window + settings["horizon"])
        targets = tuple(f"y{k}" for k in range(given.targets))
        columns = SeriesColumns(targets, future=tuple(f"x{f}" for f in range(given.covariates)))
        several = {"season": as_option(map(str, seasons))} if len(seasons) > 1 else {}
        read = Read(given.series, Spacing("row", 1), "y", "")
        self.run_ = train(self, columns, read, target=",".join(targets), window=window, **several)
        self._seen = given
        return self

    def predict(self, X: Any = None, *, steps: int | None = None) -> Any:
        """The most likely continuation beyond the end: the median of each step.

        Args:
            X: covariates of the steps after the end, `[steps, F]`, or a list of them; with covariates they are needed.
            steps: how many; as many as X has rows, or else `horizon`.

        Returns:
            `[steps]`, or `[steps, K]` where y had two dimensions; a list of these where y was a list.
        """
        return self._shaped([point for point, _ in self._continued(X, steps)])

    def predict_quantiles(
        self, X: Any = None, quantiles: Sequence[float] = (0.1, 0.5, 0.9), *, steps: int | None = None
    ) -> Any:
        """The values that given shares of outcomes will lie below: 0.1 and 0.9 are the ends of an 80 % interval.

        Args:
            X: as in `predict`.
            quantiles: Q shares between 0 and 1; the head "quantile" learns 0.025 up to 0.975, beyond which it has
                exponential tails.
            steps: as in `predict`.

        Returns:
            As `predict`, with Q as one more dimension at the end.

        Raises:
            DataError: a share that is none, or the head "point".
        """
        check_is_fitted(self)
        if not len(quantiles) or not all(0 < share < 1 for share in quantiles):
            raise DataError(f"quantiles: expected shares between 0 and 1, such as (0.1, 0.9), got {quantiles!r}")
        if not self._task.has_quantiles(self.run_):
            raise DataError("a point forecast has no quantiles; fit with head='quantile', 'gaussian' or 'student'")
        return self._shaped([values for _, values in self._continued(X, steps, tuple(quantiles))])

    def backtest(self, X: Any, y: Any) -> dict[str, Any]:
        """Forecast again and again while what comes after the end becomes known, without training again.

        At each of the new steps the next `horizon` ones are forecast from all before; where there are fewer new steps
        than that, once.

        Args:
            X: covariates of the new steps, as in `predict`.
            y: what came, as in `fit`.

        Returns:
            The figures of `ostinato evaluate`: mae, rmse, mape, smape, mase, those of the naive forecasts beside them,
            and crps, coverage_80 and coverage_95 where there are quantiles; `by_step` has them of each step.
        """
        whole, horizon = self._with(X, y), self.run_.codec.shape.horizon
        ends = [len(each) for each in self._seen.series]
        origins = [np.arange(end, max(len(each) - horizon, end) + 1) for end, each in zip(ends, whole, strict=True)]
        padded = [_padded(each, end + horizon) for end, each in zip(ends, whole, strict=True)]
        return self._task.backtest(self.run_, padded, origins)

    def score(self, X: Any, y: Any) -> float:
        """Minus the mean absolute scaled error (MASE) of `backtest`: 0 is perfect, higher is better.

        The error is measured in that of the seasonal naive forecast within the data of `fit`, so that series of any
        level count alike; NaN where that is never wrong.
        """
        error = self.backtest(X, y)["mase"]
        return float("nan") if error is None else -float(error)

    def update(self, X: Any, y: Any) -> Self:
        """Take in what came since, without training again: forecasts then begin after it.

        Args:
            X: covariates of the new steps, as in `predict`.
            y: what came, as in `fit`.
        """
        self._seen = self._seen._replace(series=self._with(X, y))
        return self

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: several targets are fine; its checks' rows have no order to be learned."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True
        return tags

    @property
    def _task(self) -> Continues:
        task: Continues = asked_of_task(self)
        return task

    def _with(self, X: Any, y: Any) -> list[Series]:
        """The series with the steps after their end."""
        check_is_fitted(self)
        require_target(self, y)
        seen, new = self._seen, given_series(self, X, y, reset=False)
        for what, expected, got in (
            ("series", len(seen.series), len(new.series)),
            ("targets", seen.targets, new.targets),
            ("covariates", seen.covariates, new.covariates),
        ):
            if expected != got:
                raise DataError(f"expected {expected} {what}, as in fit, got {got}")
        return [joined(old, after) for old, after in zip(seen.series, new.series, strict=True)]

    def _continued(self, X: Any, steps: int | None, shares: tuple[float, ...] = ()) -> list[tuple[Array, Array]]:
        """Of each series the forecasts `[steps, K]`, and their quantiles `[steps, K, Q]`."""
        check_is_fitted(self)
        ahead = self._ahead(X, steps)
        now = [
            replace(each, covariates={n: np.r_[c, beside[:, f]] for f, (n, c) in enumerate(each.covariates.items())})
            for each, beside in zip(self._seen.series, ahead, strict=True)
        ]
        points, quantiles = self._task.go_on(self.run_, now, max(map(len, ahead)), shares)
        quantiles = np.zeros((*points.shape, 0)) if quantiles is None else quantiles
        return [(points[i, : len(each)], quantiles[i, : len(each)]) for i, each in enumerate(ahead)]

    def _ahead(self, X: Any, steps: int | None) -> list[Array]:
        """Covariates of the steps to forecast, `[steps, F]` of each series."""
        seen = self._seen
        if X is None and seen.covariates:
            raise DataError(f"X: expected the {seen.covariates} covariates of the steps after the end, got None")
        count = self.run_.codec.shape.horizon if steps is None else steps
        found = given_covariates(self, X, [count] * len(seen.series), seen.several)
        if len(found) != len(seen.series):
            raise DataError(f"X: expected {len(seen.series)} arrays, one a series, got {len(found)}")
        if found[0].shape[1] != seen.covariates:
            raise DataError(f"X: expected {seen.covariates} covariates, as in fit, got {found[0].shape[1]}")
        if count < 1 or (steps is not None and any(len(each) != steps for each in found)):
            raise DataError(f"steps: expected 1 or more, as many as X has rows, got {steps}")
        return found

    def _shaped(self, found: list[Array]) -> Any:
        """As y was handed in."""
        shaped = [each[:, 0] if self._seen.flat else each for each in found]
        return shaped if self._seen.several else shaped[0]


def _padded(series: Series, rows: int) -> Series:
    """With missing targets at the end, where it has fewer rows."""
    missing = max(0, rows - len(series))
    return replace(series, target=np.pad(series.target, ((0, missing), (0, 0)), constant_values=np.nan))
