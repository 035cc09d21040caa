"""Targets made fit to learn from, and forecasts brought back to what they were measured in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floor = Literal["auto", "zero", "none"]

#: Spread grows with the level where log(spread) rises by more than this for each step of log(level); 1 is proportional.
_MULTIPLICATIVE = 0.5

#: A spread beside the size of the values that may come from rounding alone: they are all the same.
_ROUNDING = 8 * float(np.finfo(np.float64).eps)

#: Deviations from the mean, at most: their squares can still be summed up in float32.
_FARTHEST = 1e9

#: Numbers of windows held in memory at once.
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Transform:
    """Of one target: z = log(y + shift), or z = y.

    Attributes:
        log: take the logarithm, so that a spread that grows with the level becomes an even one.
        shift: added first, so that a zero has a logarithm.
        least: what y + shift is at least.
        floor: what no forecast is below; None where there is no such number.
    """

    log: bool = False
    shift: float = 0.0
    least: float = 0.0
    floor: float | None = None

    @classmethod
    def choose(
        cls, series: Sequence[np.ndarray], chunk: int, log: bool | None = None, floor: Floor = "auto"
    ) -> "Transform":
        """By the training rows: the logarithm where no value is negative and the spread grows with the level.

        The series are cut into chunks; the rule is a straight line through log(standard deviation) over log(mean),
        pooled over all series, that rises by more than a half.

        Args:
            series: `[T]` each, NaN where missing.
            chunk: rows of a chunk: a season, or a window.
            log: decided already.
            floor: of forecasts: "zero"; "none"; "auto" for zero where no value is negative and either the logarithm is
                taken or all are whole numbers.
        """
        known = np.concatenate([each[np.isfinite(each)] for each in series])
        never_negative = len(known) > 0 and known.min() >= 0
        counted = never_negative and bool(np.all(known == np.round(known)))
        plain = cls(floor=0.0 if floor == "zero" or (floor == "auto" and counted) else None)
        if log is False or not never_negative or known.max() == 0:
            return plain
        if log is None and not _multiplicative(series, chunk):
            return plain
        shift = 0.0 if known.min() > 0 else float(known.mean()) / 10
        return cls(True, shift, float(known.min() + shift) / 10, None if floor == "none" else 0.0)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Y to z."""
        return np.log(np.maximum(values + self.shift, self.least)) if self.log else values

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Z to y."""
        found = np.exp(values) - self.shift if self.log else values
        return found if self.floor is None else np.maximum(found, self.floor)


def _multiplicative(series: Sequence[np.ndarray], chunk: int) -> bool:
    levels, spreads = [], []
    for each in series:
        whole = each[len(each) % chunk :].reshape(-1, chunk)
        whole = whole[np.isfinite(whole).all(axis=1)]
        whole = whole / max(np.abs(whole).max(initial=0.0), np.finfo(np.float64).tiny)  # whose squares do not overflow
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


def spread_around_windows(values: np.ndarray, window: int) -> np.ndarray:
    """How far a series `[T, K]` strays from the mean of the window it lies in: the root of the mean square, `[K]`; NaN
    of a target that never changes, or has a single value."""
    return np.array([_spread_around_windows(column[np.isfinite(column)], window) for column in values.T])


def _spread_around_windows(known: np.ndarray, window: int) -> float:
    size = np.abs(known).max(initial=0.0)
    width = min(window, len(known))
    if width < 2 or size == 0:
        return math.nan
    windows = np.lib.stride_tricks.sliding_window_view(known / size, width)
    squares = 0.0
    for part in np.array_split(windows, -(-windows.size // _AT_ONCE)):
        squares += float(part.var(axis=1).sum())
    spread = math.sqrt(squares / len(windows))
    return spread * float(size) if spread > _ROUNDING else math.nan


def mean_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of `[T]`, NaN where missing; of what never changes, its size in place of the latter,
    or 1 where that is 0."""
    known = values[np.isfinite(values)].astype(np.float64)
    size = float(np.abs(known).max(initial=0.0))
    if size == 0:
        return 0.0, 1.0
    known = known / size  # whose squares neither overflow nor vanish
    spread = float(known.std())
    return float(known.mean()) * size, size * (spread if spread > _ROUNDING else 1.0)


def in_float32(values: np.ndarray) -> npt.NDArray[np.float32]:
    """Standardised values as a model reads them: what lies absurdly far out comes nearer, lest float32 overflow."""
    return values.clip(-_FARTHEST, _FARTHEST).astype(np.float32)


def seasonal_naive_error(values: np.ndarray, season: int) -> np.ndarray:
    """Mean absolute error of y[t - M] as a forecast of y[t], over all pairs that are known: what MASE is scaled by.

    Hyndman, Koehler (2006), Another look at measures of forecast accuracy. Of rows `[T, K]` it is `[K]`, NaN where
    there is no pair.
    """
    errors = np.abs(values[season:] - values[:-season])
    counts = np.isfinite(errors).sum(axis=0)
    return np.divide(np.nansum(errors, axis=0), counts, out=np.full(values.shape[1], np.nan), where=counts > 0)
