"""Intervals that hold what they promise: widened or narrowed by how far held-out targets lay from their forecasts.

Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018, arXiv:1604.04173), step by step of the horizon,
with residuals scaled by what the model itself says of its uncertainty, on either side:

    r = (y - m) / u  where y >= m, else  (m - y) / l
    interval of level p:  [m - q l, m + q u],  q the ceil((n + 1) p)-th smallest of the n residuals r of that step

with m the median forecast, and l and u its distances to the ends of the model's 80 % interval. A point forecast has no
such ends: l = u = |m| where the logarithm of the target is taken, else 1. Were the windows exchangeable, a target would
lie in its interval with a probability of at least p; of a series they are so by and large.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import msgspec
import numpy as np

from ostinato.core.errors import RunFolderError
from ostinato.data.series.scaling import Transform
from ostinato.tasks.forecast.ahead import ends
from ostinato.tasks.forecast.decoding import Forecast

#: The interval of the model's own that residuals are scaled by, in percent.
SCALE = 80.0

#: Quantiles at its ends.
SCALE_ENDS = ends(SCALE)


@dataclass(frozen=True)
class Calibration:
    """Scaled residuals of held-out windows, ascending: of each step and each target those that are known."""

    residuals: Sequence[Sequence[np.ndarray]]  # [H][K], each [n]

    @classmethod
    def of(cls, found: Forecast, truth: np.ndarray, transforms: Sequence[Transform]) -> Self:
        """By forecasts of N windows, whose last two quantiles, where there are any, are those of `SCALE_ENDS`, and by
        what came, `[N, H, K]`, NaN where that is missing."""
        scaled = scaled_residuals(found, truth, transforms)
        _, H, K = truth.shape
        columns = ((scaled[:, h, k] for k in range(K)) for h in range(H))
        return cls([[np.sort(column[np.isfinite(column)]) for column in row] for row in columns])

    @property
    def windows(self) -> int:
        """Residuals that every step and target has, at least."""
        return min(len(column) for row in self.residuals for column in row)

    def factors(self, level: float) -> np.ndarray:
        """`[H, K]` q of the interval of so many percent: the largest residual there is where n are too few for it."""
        return np.array([[conformal_quantile(column, level / 100) for column in row] for row in self.residuals])

    def apply(
        self,
        found: Forecast,
        levels: Sequence[float],
        transforms: Sequence[Transform],
        factors: np.ndarray | None = None,
    ) -> Forecast:
        """The same forecasts, `[N, S, ...]`, with calibrated intervals.

        Args:
            found: whose last two quantiles, where there are any, are those of `SCALE_ENDS`.
            levels: in percent. The first quantiles become the ends of these; those between stay.
            transforms: of the targets.
            factors: `[N, H, K, L]` q of each window, where they are others than `factors` of the levels.

        Steps beyond the horizon have the factors of its last one.
        """
        low, high = _scales(found, transforms)
        steps = np.minimum(np.arange(found.point.shape[1]), len(self.residuals) - 1)
        floors = np.array([-np.inf if each.floor is None else each.floor for each in transforms])
        columns = []
        for place, level in enumerate(levels):
            q = self.factors(level)[steps] if factors is None else factors[..., place][:, steps]
            columns += [np.maximum(found.point - q * low, floors), found.point + q * high]
        between = [] if found.quantiles is None else [found.quantiles[..., 2 * len(levels) : -2]]
        ends_of = np.stack(columns, axis=-1) if columns else np.zeros((*found.point.shape, 0))
        return Forecast(found.point, np.concatenate([ends_of, *between], axis=-1))

    def to_json(self) -> str:
        """For a file; numbers read back as they were."""
        return msgspec.json.encode([[column.tolist() for column in row] for row in self.residuals]).decode() + "\n"

    @classmethod
    def from_json(cls, content: str, name: str) -> Self:
        """What `to_json` gave.

        Raises:
            RunFolderError: it is damaged.
        """
        try:
            rows = msgspec.json.decode(content, type=list[list[list[float]]])
            if not rows or any(len(row) != len(rows[0]) or not all(row) for row in rows):
                raise ValueError("a step without residuals")
        except (msgspec.DecodeError, ValueError) as error:
            raise RunFolderError(f"{name}: damaged, it does not hold residuals: {error}") from None
        return cls([[np.array(column) for column in row] for row in rows])


def scaled_residuals(found: Forecast, truth: np.ndarray, transforms: Sequence[Transform]) -> np.ndarray:
    """`[N, H, K]` r of what came, `truth`, NaN where that is missing."""
    low, high = _scales(found, transforms)
    away = truth - found.point
    scaled: np.ndarray = np.where(away >= 0, away / high, -away / low)
    return scaled


def conformal_quantile(residuals: np.ndarray, share: float) -> float:
    """The ceil((n + 1) p)-th smallest of n ascending residuals, the largest where there is none so far out."""
    rank = math.ceil((len(residuals) + 1) * share - 1e-9)
    return float(residuals[min(max(rank, 1), len(residuals)) - 1])


def windows_for(levels: Sequence[float]) -> int:
    """Held-out windows that intervals of so many percent take: with fewer, their ends lie beyond all that was seen."""
    return max(math.ceil(1 / (1 - level / 100) - 1 - 1e-9) for level in levels)


def _scales(found: Forecast, transforms: Sequence[Transform]) -> tuple[np.ndarray, np.ndarray]:
    """L and u, above 0."""
    if found.quantiles is None:
        size = np.where([each.log for each in transforms], np.abs(found.point), 1.0)
        return (np.maximum(size, np.finfo(np.float64).tiny),) * 2
    least = 1e-9 * np.maximum(np.abs(found.point), np.finfo(np.float64).tiny / 1e-9)
    low, high = found.quantiles[..., -2], found.quantiles[..., -1]
    return np.maximum(found.point - low, least), np.maximum(high - found.point, least)
