"""Windows over series, made when they are asked for: what was, what is known of what comes, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ostinato.data.series.covariates import Coding, filled
from ostinato.data.series.reading import Series
from ostinato.data.series.scaling import Transform, in_float32
from ostinato.data.series.times import Spacing, calendar, calendar_names

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.core.batch import Batch

#: Earlier seasons that a seasonal profile is averaged over, at most.
SEASONS = 5


class WindowArrays(NamedTuple):
    """What a forecaster reads, as `WindowTensors` has it, where torch is not installed."""

    past: np.ndarray
    known: np.ndarray
    bases: np.ndarray
    before: np.ndarray
    centre: np.ndarray
    scale: np.ndarray


class WindowTensors(NamedTuple):
    """What a forecaster reads. Targets are transformed, centred on their window's mean and divided by their scale.

    Attributes:
        past: `[W, N, D]`: targets, those one season earlier, indicators, past covariates, and what `known` holds.
        known: `[H, N, F]`: future and static covariates and the calendar, of the steps to forecast.
        bases: `[H, N, K, C]`: simple forecasts to start from, see `Windows`.
        before: `[H, N, K]`: the target one step earlier, for autoregressive decoding; only `before[0]` is known.
        centre: `[N, K]`, in float64: of a high level float32 would lose whole units.
        scale: `[N, K]`, in float64.
    """

    past: Tensor
    known: Tensor
    bases: Tensor
    before: Tensor
    centre: Tensor
    scale: Tensor

    def arguments(self) -> dict[str, Tensor]:
        """What a forecaster is called with besides `past`."""
        return {"known": self.known, "bases": self.bases, "before": self.before}


@dataclass(frozen=True)
class Shape:
    """What all windows of a model have in common; part of its configuration.

    Attributes:
        window: W, rows looked back on.
        horizon: H, rows forecast.
        season: M, rows of a season; 1 for none. Of several the one that errors are measured by.
        spacing: of the time axis.
        transforms: one a target.
        indicators: targets that have missing values, by number.
        past: codings of the past covariates.
        known: codings of the future and the static ones.
        more_seasons: rows of further seasons, such as the week's beside the day's.
    """

    window: int
    horizon: int
    season: int
    spacing: Spacing
    transforms: tuple[Transform, ...]
    indicators: tuple[int, ...] = ()
    past: tuple[Coding, ...] = ()
    known: tuple[Coding, ...] = ()
    more_seasons: tuple[int, ...] = ()

    @property
    def seasons(self) -> tuple[int, ...]:
        """All of them; 1 for none."""
        return (self.season, *self.more_seasons)

    @property
    def targets(self) -> int:
        """K."""
        return len(self.transforms)

    @property
    def known_size(self) -> int:
        """F: features known ahead."""
        return len(calendar_names(self.spacing)) + sum(len(coding.names) for coding in self.known)

    @property
    def past_size(self) -> int:
        """D: features of a row looked back on."""
        covariates = sum(len(coding.names) for coding in self.past)
        lagged = self.targets * len(self.seasons) if self.season > 1 else 0
        return self.targets + lagged + len(self.indicators) + covariates + self.known_size

    @property
    def bases(self) -> int:
        """C: simple forecasts."""
        return 3 if self.season == 1 else 2 + sum(1 + len(spans(season)) for season in self.seasons)


def spans(season: int) -> tuple[int, ...]:
    """Rows that a level is taken over: 1, a quarter of a season, a season."""
    return tuple(sorted({1, max(1, season // 4), season}))


class Windows:
    """All windows of some series that begin to forecast at given rows.

    A window of origin o holds the rows o - W up to o - 1; forecast are o up to o + H - 1. Simple forecasts to begin
    with, each from rows before o alone:

    - the last value, and the window's mean;
    - without a season: the last value, going on as the window rose or fell on average;
    - with seasons, of each: the value one season earlier; and, for a level over the last n rows (n = 1, M/4, M), this
      level plus how far the same row of up to five earlier seasons lay from the level then.

    Args:
        series: to look at.
        scales: `[S, K]`, each series' own, in transformed units.
        shape: sizes and codings.
        origins: of each series, ascending.

    Raises:
        DataError: a covariate that is not what it was in training.
    """

    def __init__(
        self, series: Sequence[Series], scales: np.ndarray, shape: Shape, origins: Sequence[np.ndarray]
    ) -> None:
        self.shape, self.series = shape, series
        rows, ahead = [len(each) for each in series], shape.horizon
        self._starts = np.r_[0, np.cumsum(rows)]
        self._known_starts = np.r_[0, np.cumsum([count + ahead for count in rows])]
        targets = [transformed(each.target, shape.transforms) for each in series]
        self._observed = np.concatenate([np.isfinite(each) for each in targets])
        self._targets = np.concatenate([filled(each, _first_known(each)) for each in targets])
        begun = [np.where(known.any(axis=0), known.argmax(axis=0), len(known)) for known in map(np.isfinite, targets)]
        self._begun = np.stack(begun)  # [S, K]: the first row that is known
        self._sums = np.concatenate([np.zeros((1, shape.targets)), np.cumsum(self._targets, axis=0)])
        self._past = np.concatenate([_past_features(each, shape) for each in series])
        self._known = np.concatenate([_known_features(each, shape) for each in series])
        self._scales = scales
        self._which = np.repeat(np.arange(len(series)), [len(each) for each in origins])
        self._origins = np.concatenate([*origins, np.zeros(0, np.int64)]).astype(np.int64)

    def __len__(self) -> int:
        return len(self._origins)

    def place(self, index: int) -> tuple[int, int]:
        """Which series a window is of, by number, and the row at which it begins to forecast."""
        return int(self._which[index]), int(self._origins[index])

    def inputs(self, indices: np.ndarray) -> WindowTensors:
        """What the model reads, of the windows of these numbers."""
        import torch

        return WindowTensors(*map(torch.as_tensor, self.arrays(indices)))

    def arrays(self, indices: np.ndarray) -> WindowArrays:
        """The same without torch."""
        shape, which, origins = self.shape, self._which[indices], self._origins[indices]
        first = self._starts[which]
        back, ahead = np.arange(-shape.window, 0)[:, None], np.arange(shape.horizon)[:, None]
        rows = first + origins + back  # [W, N]
        centre = self._targets[rows].mean(axis=0)
        scale = self._scales[which]
        values = [(self._targets[rows] - centre) / scale]
        for season in shape.seasons if shape.season > 1 else ():
            earlier = np.maximum(rows - season, first)
            values.append((self._targets[earlier] - centre) / scale)
        known_rows = self._known_starts[which] + origins
        values += [~self._observed[rows][..., list(shape.indicators)], self._past[rows], self._known[known_rows + back]]
        inside = np.minimum(first + origins + ahead - 1, self._starts[which + 1] - 1)
        before = (self._targets[inside] - centre) / scale
        bases = (self._bases(first, origins) - centre[..., None]) / scale[..., None]
        read = (np.concatenate(values, axis=-1), self._known[known_rows + ahead], bases, before)
        past, known, simple, earliest = (np.ascontiguousarray(in_float32(part)) for part in read)
        return WindowArrays(past, known, simple, earliest, centre, scale)

    def targets(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """What came, scaled as the inputs are, `[H, N, K]`; and 1 where it is known, 0 where it is missing.

        A target of which nothing is known before the window's steps weighs nothing: there is nothing to forecast by.
        """
        import torch

        shape, which = self.shape, self._which[indices]
        rows = self._starts[which] + self._origins[indices] + np.arange(shape.horizon)[:, None]
        back = self._starts[which] + self._origins[indices] + np.arange(-shape.window, 0)[:, None]
        scaled = (self._targets[rows] - self._targets[back].mean(axis=0)) / self._scales[which]
        weights = self._observed[rows] & self._begins(indices)
        return torch.as_tensor(in_float32(scaled)), torch.as_tensor(weights.astype(np.float32))

    def batch(self, indices: np.ndarray) -> Batch:
        """Windows to train on or to measure a loss by; it is a mean over the targets that are known."""
        from ostinato.core.batch import Batch

        inputs, (targets, weights) = self.inputs(indices), self.targets(indices)
        return Batch(inputs.past, targets, weights=weights, more=inputs.arguments(), counted=int(weights.sum()))

    @property
    def counts(self) -> np.ndarray:
        """`[windows]`: the targets of each that are known."""
        known = np.concatenate([np.zeros((1, self.shape.targets), np.int64), np.cumsum(self._observed, axis=0)])
        begin = self._starts[self._which] + self._origins
        each = known[np.minimum(begin + self.shape.horizon, self._starts[self._which + 1])] - known[begin]
        return np.asarray((each * self._begins(np.arange(len(self)))).sum(axis=1))

    def _begins(self, indices: np.ndarray) -> np.ndarray:
        """`[N, K]`: whether a target is known before a window's steps."""
        return np.asarray(self._begun[self._which[indices]] < self._origins[indices][:, None])

    def _bases(self, first: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """The simple forecasts in transformed units, `[H, N, K, C]`."""
        shape, at = self.shape, first + origins
        ahead = np.arange(shape.horizon)[:, None]
        last = np.broadcast_to(self._targets[at - 1], (shape.horizon, len(at), shape.targets))
        mean = np.broadcast_to(self._mean(at, shape.window), last.shape)
        if shape.season == 1:
            rise = (last - self._targets[at - shape.window]) / max(shape.window - 1, 1)
            return np.stack([last, mean, last + rise * (ahead[..., None] + 1)], axis=-1)
        seasonal = [part for season in shape.seasons for part in self._seasonal(first, at, ahead, season, last)]
        return np.stack([last, mean, *seasonal], axis=-1)

    def _seasonal(
        self, first: np.ndarray, at: np.ndarray, ahead: np.ndarray, season: int, last: np.ndarray
    ) -> list[np.ndarray]:
        """The value one season earlier, and a profile for each level, `[H, N, K]`."""
        seasons = ahead // season + 1
        earlier = at + ahead - seasons * season
        naive = np.where((earlier >= first)[..., None], self._targets[np.maximum(earlier, first)], last)
        origins = [at - (seasons + back) * season for back in range(SEASONS)]  # [H, N], whole seasons earlier
        return [naive, *(self._profile(first, at, ahead, origins, span, naive) for span in spans(season))]

    def _profile(
        self,
        first: np.ndarray,
        at: np.ndarray,
        ahead: np.ndarray,
        origins: Sequence[np.ndarray],
        span: int,
        otherwise: np.ndarray,
    ) -> np.ndarray:
        """The level of the last `span` rows, plus the mean distance from it in earlier seasons."""
        total, count = np.zeros(otherwise.shape), np.zeros(otherwise.shape[:2])
        for then in origins:
            there = then - span >= first
            usable = np.where(there, then, at)  # any rows that exist
            distance = self._targets[np.where(there, usable + ahead, at - 1)] - self._mean(usable, span)
            total += np.where(there[..., None], distance, 0)
            count += there
        profile = total / np.maximum(count, 1)[..., None] + self._mean(at, span)
        return np.where(count[..., None] > 0, profile, otherwise)

    def _mean(self, end: np.ndarray, span: int) -> np.ndarray:
        """Mean of the `span` rows before `end`."""
        return (self._sums[end] - self._sums[np.maximum(end - span, 0)]) / span


def transformed(target: np.ndarray, transforms: Sequence[Transform]) -> np.ndarray:
    """Targets `[T, K]`, each by its own transform."""
    return np.stack([transform.apply(target[:, k]) for k, transform in enumerate(transforms)], axis=1)


def _first_known(values: np.ndarray) -> np.ndarray:
    """For the rows before a target is known the first time: with several, one may begin later than another."""
    known = np.isfinite(values)
    first = values[known.argmax(axis=0), np.arange(values.shape[1])]
    return np.where(known.any(axis=0), first, 0.0)


def _past_features(series: Series, shape: Shape) -> np.ndarray:
    parts = [coding.encode(series.covariates[coding.name], len(series)) for coding in shape.past]
    return np.concatenate([np.zeros((len(series), 0), np.float32), *parts], axis=1)


def _known_features(series: Series, shape: Shape) -> np.ndarray:
    rows = len(series) + shape.horizon
    ticks = series.first + shape.spacing.step * np.arange(rows)
    parts = [coding.encode(series.covariates[coding.name], rows) for coding in shape.known]
    return np.concatenate([calendar(shape.spacing, ticks), *parts], axis=1)
