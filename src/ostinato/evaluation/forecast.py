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
        The five by name; None where there is nothing to take the mean of.
    """
    error = np.abs(point - truth)
    size = np.abs(truth)
    both = np.abs(point) + size
    scale = np.where(scale > 0, scale, np.nan)[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        square = _mean(error**2)
        return {
            "mae": _mean(error),
            "rmse": None if square is None else float(np.sqrt(square)),
            "mape": _mean(100 * error / np.where(size > 0, size, np.nan)),
            "smape": _mean(np.where(both > 0, 200 * error / both, error)),
            "mase": _mean(error / scale),
        }


def coverage(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> float | None:
    """Share of the known targets that lie in their interval."""
    return _mean(np.where(np.isnan(truth), np.nan, (low <= truth) & (truth <= high)))


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


def _mean(values: np.ndarray) -> float | None:
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else None
