"""How good forecasts are, beside the two that cost nothing: the last value, and the value one season earlier."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np

from ostinato.data.series.covariates import filled
from ostinato.data.series.reading import Series
from ostinato.training import Guess

#: Quantiles that the CRPS is computed from: the middles of equal parts.
CRPS_SHARES = tuple((part + 0.5) / 20 for part in range(20))


class Windowed(NamedTuple):
    """What came, in N windows (`[N, H, K]`, NaN where missing), and what would have been forecast for nothing: the last
    value before, at each step, and the value one season earlier, or as many seasons as it takes to be known."""

    truth: np.ndarray
    last: np.ndarray
    seasonal: np.ndarray


def windowed(series: Sequence[Series], places: Sequence[tuple[int, int]], horizon: int, season: int) -> Windowed:
    """The windows of these places: which series, and the row at which it begins to be forecast.

    A value that is missing where a naive forecast wants it is the last known one before. A target of which nothing is
    known before counts as missing.
    """
    known = [filled(each.target, np.nan) for each in series]
    ahead = np.arange(horizon)
    back = ahead - (ahead // season + 1) * season  # rows from the origin, always negative
    truth = np.stack([series[which].target[origin + ahead] for which, origin in places])
    last = np.stack([np.repeat(known[which][origin - 1][None], horizon, axis=0) for which, origin in places])
    truth = np.where(np.isnan(last), np.nan, truth)
    earlier = [known[which][np.maximum(origin + back, 0)] for which, origin in places]
    there = np.array([origin for _, origin in places])[:, None] + back >= 0
    return Windowed(truth, last, np.where(there[..., None], np.stack(earlier), last))


def accuracy(point: np.ndarray, truth: np.ndarray, scale: np.ndarray) -> dict[str, float | None]:
    """Mean figures of forecasts `[N, H, K]` over every target that is known; it is NaN where missing.

    - mae: |f - y|; rmse: root of the mean (f - y)^2;
    - mape: 100 |f - y| / |y|, over targets other than zero;
    - smape: 200 |f - y| / (|f| + |y|), 0 where both are zero;
    - mase: |f - y| over `scale` `[N, K]`, the in-sample M-step naive error of each window's series (Hyndman, Koehler
      2006), over targets that have one.

    None where there is nothing to take the mean of, the largest float where a forecast is infinite or no number.
    """
    error = np.abs(point - truth)
    size = np.abs(truth)
    both = np.abs(point) + size
    known = ~np.isnan(truth)
    scaled = known & (scale > 0)[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        square = _mean(error**2, known)
        return {
            "mae": _mean(error, known),
            "rmse": None if square is None else float(np.sqrt(square)),
            "mape": _mean(100 * error / size, known & (size > 0)),
            "smape": _mean(np.where(both == 0, error, 200 * error / both), known),
            "mase": _mean(error / scale[:, None, :], scaled),
        }


def simple_forecast(found: Windowed, scale: np.ndarray) -> Guess | None:
    """The better of the two forecasts that cost nothing; None where no error of theirs is known."""
    said = {"the last value": found.last, "the value one season earlier": found.seasonal}
    errors = {what: accuracy(point, found.truth, scale)["mase"] for what, point in said.items()}
    known = {what: error for what, error in errors.items() if error is not None}
    if not known:
        return None
    best = min(known, key=known.__getitem__)
    return Guess("mase", known[best], best)


def coverage(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> float | None:
    """Share of the known targets that lie in their interval."""
    return _mean(((low <= truth) & (truth <= high)).astype(float), ~np.isnan(truth))


def crps(quantiles: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of each target `[...]`, in its own units, by quantiles `[..., Q]` of
    `CRPS_SHARES`; of a point forecast, |f - y|.

        CRPS(F, y) = integral of (F(x) - [y <= x])^2 dx = 2 integral of pinball loss of quantile p, over p from 0 to 1

    As its quantiles are the middles of equal parts, it is exactly that of the ensemble of these (Bröcker 2012,
    Evaluating raw ensembles with the CRPS); Gneiting, Raftery (2007).
    """
    error = truth[..., None] - quantiles
    shares = np.asarray(CRPS_SHARES)
    return np.asarray(2 * np.maximum(shares * error, (shares - 1) * error).mean(axis=-1))


class Said(NamedTuple):
    """What N forecasts say: points `[N, H, K]`, and where they have any both ends of intervals, `[N, H, K]` each, by
    percent, and quantiles `[N, H, K, Q]` of `CRPS_SHARES`."""

    point: np.ndarray
    intervals: Mapping[str, tuple[np.ndarray, np.ndarray]] = MappingProxyType({})
    quantiles: np.ndarray | None = None

    def part(self, steps: slice = slice(None), targets: slice = slice(None)) -> Self:
        """Some steps, some targets."""
        at = (slice(None), steps, targets)
        intervals = {level: (low[at], high[at]) for level, (low, high) in self.intervals.items()}
        return type(self)(self.point[at], intervals, None if self.quantiles is None else self.quantiles[at])

    def figures(self, truth: np.ndarray, scale: np.ndarray) -> dict[str, float | None]:
        """Those of `accuracy`; `crps` and `coverage_` of each interval, where there are any."""
        found = accuracy(self.point, truth, scale)
        if self.quantiles is not None:
            with np.errstate(invalid="ignore", over="ignore"):
                found["crps"] = _mean(crps(self.quantiles, truth), ~np.isnan(truth))
        return found | {f"coverage_{level}": coverage(*ends, truth) for level, ends in self.intervals.items()}


def evaluate_forecast(said: Said, found: Windowed, scale: np.ndarray, targets: Sequence[str]) -> dict[str, Any]:
    """The figures of `ostinato evaluate`: of what was said, what came and the naive forecasts, `scale` as in
    `accuracy`.

    Returns:
        horizon, windows, those of `Said.figures`, those of the seasonal naive forecast with `naive_` and of the last
        value with `last_value_` before their names; `targets`, where there are several, with each one's own; and
        `by_step`, with those of each step ahead.
    """
    truth, (windows, horizon, _) = found.truth, said.point.shape
    figures: dict[str, Any] = {"horizon": horizon, "windows": windows, **said.figures(truth, scale)}
    figures |= {f"naive_{name}": value for name, value in accuracy(found.seasonal, truth, scale).items()}
    figures |= {f"last_value_{name}": value for name, value in accuracy(found.last, truth, scale).items()}
    if len(targets) > 1:
        figures["targets"] = {
            name: said.part(targets=slice(k, k + 1)).figures(truth[..., k : k + 1], scale[:, k : k + 1])
            for k, name in enumerate(targets)
        }
    steps = [slice(step, step + 1) for step in range(horizon)]
    each = [said.part(step).figures(truth[:, step], scale) for step in steps]
    naive = [accuracy(found.seasonal[:, step], truth[:, step], scale)["mae"] for step in steps]
    figures["by_step"] = [
        {"step": step + 1, **own, "naive_mae": other} for step, (own, other) in enumerate(zip(each, naive, strict=True))
    ]
    return figures


def _mean(values: np.ndarray, known: np.ndarray) -> float | None:
    """Over what is known. Of forecasts that are no numbers the largest float, which JSON has: none is left out."""
    if not known.any():
        return None
    mean = float(values[known].mean())
    return mean if np.isfinite(mean) else float(np.finfo(np.float64).max)
