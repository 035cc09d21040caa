"""Targets made fit to learn from, and forecasts brought back to what they were measured in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Spread grows with the level where log(spread) rises by more than this for each step of log(level); 1 is proportional.
_MULTIPLICATIVE = 0.5


@dataclass(frozen=True)
class Transform:
    """Of one target: z = log(y + shift), or z = y.

    Attributes:
        log: take the logarithm, so that a spread that grows with the level becomes an even one.
        shift: added first, so that a zero has a logarithm.
        least: what y + shift is at least.
    """

    log: bool = False
    shift: float = 0.0
    least: float = 0.0

    @classmethod
    def choose(cls, series: Sequence[np.ndarray], chunk: int, log: bool | None = None) -> Transform:
        """By the training rows: the logarithm where no value is negative and the spread grows with the level.

        The series are cut into chunks; the rule is a straight line through log(standard deviation) over log(mean),
        pooled over all series, that rises by more than a half.

        Args:
            series: `[T]` each, NaN where missing.
            chunk: rows of a chunk: a season, or a window.
            log: decided already.
        """
        known = np.concatenate([each[np.isfinite(each)] for each in series])
        if log is False or not len(known) or known.min() < 0 or known.max() == 0:
            return cls()
        if log is None and not _multiplicative(series, chunk):
            return cls()
        shift = 0.0 if known.min() > 0 else float(known.mean()) / 10
        return cls(True, shift, float(known.min() + shift) / 10)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Y to z."""
        return np.log(np.maximum(values + self.shift, self.least)) if self.log else values

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Z to y."""
        return np.exp(values) - self.shift if self.log else values

    def to_json(self) -> dict[str, Any]:
        """As `Transform(**...)` takes it."""
        return {"log": self.log, "shift": self.shift, "least": self.least}


def _multiplicative(series: Sequence[np.ndarray], chunk: int) -> bool:
    levels, spreads = [], []
    for each in series:
        whole = each[len(each) % chunk :].reshape(-1, chunk)
        whole = whole[np.isfinite(whole).all(axis=1)]
        mean, std = whole.mean(axis=1), whole.std(axis=1)
        usable = (mean > 0) & (std > 0)
        if usable.sum() >= 3:  # each series' own line, but one slope for all
            level, spread = np.log(mean[usable]), np.log(std[usable])
            levels.append(level - level.mean())
            spreads.append(spread - spread.mean())
    if not levels:
        return False
    x, y = np.concatenate(levels), np.concatenate(spreads)
    return bool(x @ y > _MULTIPLICATIVE * (x @ x)) and x @ x > 0


def spread_around_windows(values: np.ndarray, window: int, even: float = 1.0) -> np.ndarray:
    """How far a series strays from the mean of the window it lies in: the root of the mean square, one a target.

    Args:
        values: `[T, K]`, NaN where missing.
        window: rows of a window.
        even: what is given for a target that never changes.

    Returns:
        `[K]`.
    """
    deviations = np.zeros(values.shape[1])
    for target in range(values.shape[1]):
        known = values[:, target][np.isfinite(values[:, target])]
        width = min(window, len(known))
        if width < 2:
            continue
        sums, squares = (np.cumsum(np.r_[0, part]) for part in (known - known.mean(), (known - known.mean()) ** 2))
        mean, square = ((total[width:] - total[:-width]) / width for total in (sums, squares))
        deviations[target] = np.sqrt(max(float(np.mean(square - mean**2)), 0.0))
    return np.where(deviations > 1e-9 * np.nanmax(np.abs(values), axis=0, initial=1e-9), deviations, even)


def seasonal_naive_error(values: np.ndarray, season: int) -> np.ndarray:
    """Mean absolute error of y[t - M] as a forecast of y[t], over all pairs that are known: what MASE is scaled by.

    Hyndman, Koehler (2006), Another look at measures of forecast accuracy.

    Args:
        values: `[T, K]`, the rows trained on.
        season: M.

    Returns:
        `[K]`; NaN where there is no pair.
    """
    errors = np.abs(values[season:] - values[:-season])
    counts = np.isfinite(errors).sum(axis=0)
    return np.divide(np.nansum(errors, axis=0), counts, out=np.full(values.shape[1], np.nan), where=counts > 0)
