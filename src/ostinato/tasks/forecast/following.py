"""Calibrated intervals that follow what comes: each outcome, once it is known, moves those of later forecasts.

Adaptive conformal inference (Gibbs, Candes 2021, arXiv:2106.00170) with decaying steps (Angelopoulos, Barber, Bates
2024, arXiv:2402.01139). Of each step of the horizon and each target, for a level p, with n scaled residuals known so
far, those that `Calibration` holds among them:

    a_0 = 1 - p,    q = the (n + 1) (1 - a)-th smallest of the n residuals
    a <- a + n^-0.6 ((1 - p) - e),    e the share of the targets that have come at once and lay outside

so that whatever comes, targets lie outside a share 1 - p of the time in the long run; a static quantile has that
promise only of what is like the windows that were held out. Where a leaves the range from 0 to 1, q is the largest or
smallest residual. Between two of them q lies as far from either as the number says: were it the upper one, as for
intervals that do not follow, more than p of the targets would lie within, of n = 20 some two percent.
"""

import bisect
import math
from collections.abc import Sequence

import numpy as np

from ostinato.tasks.forecast.conformal import Calibration

#: Of the size of a step: n to minus this, above a half as Angelopoulos et al. have it.
DECAY = 0.6


def followed(
    calibration: Calibration, residuals: np.ndarray, origins: np.ndarray, levels: Sequence[float], step: int
) -> np.ndarray:
    """Factors q of the intervals of N windows, each by what was known when it began.

    Args:
        calibration: the residuals of held-out windows.
        residuals: `[N, H, K]`, scaled as those, of the windows' own targets; NaN where they are not known.
        origins: `[N]`, when the first target of each window comes: whole numbers.
        levels: L of them, in percent, ascending.
        step: from one target to the next.

    Returns:
        `[N, H, K, L]`, ascending along the levels.
    """
    N, H, K = residuals.shape
    order = np.argsort(origins, kind="stable")
    times, first = np.unique(origins[order], return_index=True)
    groups = np.split(order, first[1:])
    found = np.empty((N, H, K, len(levels)))
    for h in range(H):
        for k in range(K):
            _follow(calibration.residuals[h][k], residuals[:, h, k], times, groups, h * step, levels, found[:, h, k])
    return np.maximum.accumulate(found, axis=-1)


def _follow(
    known: np.ndarray,
    residuals: np.ndarray,
    times: np.ndarray,
    groups: Sequence[np.ndarray],
    delay: int,
    levels: Sequence[float],
    found: np.ndarray,
) -> None:
    """Of one step and target: `found[N, L]` is filled; a target comes so much later than its window's origin."""
    outside = 1 - np.asarray(levels) / 100
    pool, shares, told = known.tolist(), outside.copy(), 0
    for time, group in zip(times, groups, strict=True):
        while times[told] + delay < time:
            rows = groups[told][np.isfinite(residuals[groups[told]])]
            if len(rows):
                missed = (residuals[rows, None] > found[rows]).mean(0)
                shares += len(pool) ** -DECAY * (outside - missed)
                for each in residuals[rows]:
                    bisect.insort(pool, each)
            told += 1
        found[group] = [_quantile(pool, 1 - share) for share in shares]


def _quantile(residuals: Sequence[float], share: float) -> float:
    """Of n ascending residuals the (n + 1) p-th smallest, between two of them in proportion."""
    rank = min(max((len(residuals) + 1) * share, 1.0), float(len(residuals)))
    below = math.floor(rank)
    above = min(below, len(residuals) - 1)
    return residuals[below - 1] + (rank - below) * (residuals[above] - residuals[below - 1])
