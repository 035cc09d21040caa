"""How good forecasts are, beside the two that cost nothing: the last value, and the value one season earlier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ostinato.data.coding import filled
from ostinato.data.series import Series


class Windowed(NamedTuple):
    """What came, in N windows, and what would have been forecast for nothing.

    Attributes:
        truth: `[N, H, K]`, NaN where missing.
        last: `[N, H, K]`: the last value before the window's steps, at each of them.
        seasonal: `[N, H, K]`: the value one season earlier, or as many seasons as it takes to be known.
    """

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
    """Mean figures over every target that is known.

    - mae: |f - y|; rmse: root of the mean (f - y)^2;
    - mape: 100 |f - y| / |y|, over targets other than zero;
    - smape: 200 |f - y| / (|f| + |y|), 0 where both are zero;
    - mase: |f - y| over the in-sample seasonal naive error (Hyndman, Koehler 2006), over targets that have one.

    Args:
        point: `[N, H, K]`.
        truth: `[N, H, K]`, NaN where missing.
        scale: `[N, K]`: the in-sample M-step naive error of each window's series.

    Returns:
        The five by name; None where there is nothing to take the mean of, the largest float where a forecast is
        infinite or no number.
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


def coverage(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> float | None:
    """Share of the known targets that lie in their interval."""
    return _mean(((low <= truth) & (truth <= high)).astype(float), ~np.isnan(truth))


def evaluate_forecast(
    point: np.ndarray, interval: tuple[np.ndarray, np.ndarray] | None, found: Windowed, scale: np.ndarray
) -> dict[str, Any]:
    """The figures of `ostinato evaluate`.

    Args:
        point: `[N, H, K]`.
        interval: the ends of the 80 % interval, where the forecast has one.
        found: what came, and the naive forecasts.
        scale: `[N, K]`, see `accuracy`.

    Returns:
        horizon, windows, the five of `accuracy`, those of the seasonal naive forecast with `naive_` and of the last
        value with `last_value_` before their names, and coverage_80 where there is an interval.
    """
    figures: dict[str, Any] = {"horizon": point.shape[1], "windows": len(point)}
    figures |= accuracy(point, found.truth, scale)
    figures |= {f"naive_{name}": value for name, value in accuracy(found.seasonal, found.truth, scale).items()}
    figures |= {f"last_value_{name}": value for name, value in accuracy(found.last, found.truth, scale).items()}
    return figures | ({"coverage_80": coverage(*interval, found.truth)} if interval is not None else {})


def _mean(values: np.ndarray, known: np.ndarray) -> float | None:
    """Over what is known. Of forecasts that are no numbers the largest float, which JSON has: none is left out."""
    if not known.any():
        return None
    mean = float(values[known].mean())
    return mean if np.isfinite(mean) else float(np.finfo(np.float64).max)
