"""A whole forecaster on NumPy arrays: tables of series to how they go on."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ostinato.core.errors import ConfigError, DataError
from ostinato.runtime.archive import Archive, softmax

if TYPE_CHECKING:
    from ostinato.data.series.codec import SeriesCodec
    from ostinato.data.series.reading import Series

Floats = NDArray[Any]


class Forecaster:
    """What a run's forecaster computes, from `ostinato export RUN --to numpy`.

    Args:
        archive: the file.
        threads: at most this many; by default OMP_NUM_THREADS, or one for each processor.

    Attributes:
        certain: whether it says a number alone, without intervals.

    Raises:
        ConfigError: a cell that the native kernels lack.
    """

    def __init__(self, archive: Archive, threads: int | None = None) -> None:
        about, model = archive.about, archive.model
        self._file, self._series = archive.file, about["series"]
        self._head, self._levels, self._quantiles = model["head"], about["levels"], np.array(about["quantiles"])
        self._autoregressive, self.certain = bool(model["autoregressive"]), about["certain"]
        held = {"zoneout": model.get("zoneout", 0.0)}
        self._encoder = archive.recurrent("encoder.", threads, **held)
        self._decoder = archive.recurrent("decoder.", threads, **held)
        self._weights, self._correction = archive.linear("weights"), archive.linear("correction")

    @cached_property
    def codec(self) -> "SeriesCodec":
        """Columns, scales and codings of the series: what reads tables, which takes longer to import than all else.

        Raises:
            ConfigError: the file does not hold them whole.
        """
        from ostinato.data.series.codec import SeriesCodec

        try:
            return SeriesCodec.from_json(self._series)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{self._file}: damaged, it does not hold a forecaster's series: {error!r}") from None

    def predict(self, source: Any, levels: Sequence[float] | None = None) -> list[dict[str, Any]]:
        """How each series of a table goes on, a row a step, as `ostinato predict` has it.

        Intervals are left out of a forecast that says a number alone, and of one that is fed back step by step, whose
        intervals the run draws paths for.

        Args:
            source: a table: a file, or data in memory (a data frame, a dict of columns).
            levels: of the intervals, in percent; by default those of `ostinato predict`.

        Raises:
            DataError: a table that cannot be used, or a series shorter than a window.
            ConfigError: a level out of range.
        """
        from ostinato.data.sources.memory import given

        levels = self._levels if levels is None else levels
        if not all(0 < level < 100 for level in levels):
            raise ConfigError(f"levels: expected percents between 0 and 100, got {levels}")
        data = given([source])
        with data.within():
            read = self.codec.read(data.names[0])
        codec, rows = self.codec.in_zone_of(read.spacing), list[dict[str, Any]]()
        for series in read.series:
            if len(series) < codec.shape.window:
                of = f"series {series.key!r}" if series.key else "the series"
                window = codec.shape.window
                raise DataError(f"{read.name}: {of} has {len(series)} rows; expected at least {window}, the window")
            codec.require_future(series)
            rows += self._rows(codec, series, levels)
        return rows

    def __call__(
        self, past: Floats, known: Floats, bases: Floats, before: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Forecast, of arrays as `Windows.arrays` makes them, scaled.

        Args:
            past: `[W, N, D]`, rows of the window.
            known: `[H, N, F]`, what is known of the rows to forecast.
            bases: `[H, N, K, C]`, simple forecasts of them.
            before: `[H, N, K]`, of which an autoregressive model reads the first: the last target of the window.

        Returns:
            The point forecast `[H, N, K]` and what else its distribution has, `[H, N, K, P]`.
        """
        _, state = self._encoder(past)
        H, N, K, C = bases.shape
        if not self._autoregressive:
            fed = np.concatenate([known, bases.reshape(H, N, K * C)], axis=-1)
            hidden, _ = self._decoder(np.ascontiguousarray(fed, np.float32), state)
            return self._distribution(hidden, bases)
        if before is None:
            raise ValueError("before: an autoregressive model reads the last target of the window")
        back, found = before[0], []
        for ahead, simple in zip(known, bases, strict=True):
            fed = np.concatenate([ahead, simple.reshape(N, K * C), back], axis=-1)[None]
            hidden, state = self._decoder(np.ascontiguousarray(fed, np.float32), state)
            location, parameters = self._distribution(hidden, simple[None])
            back = location[0]
            found.append((location, parameters))
        return np.concatenate([one for one, _ in found]), np.concatenate([one for _, one in found])

    def numbers(self, past: Floats, known: Floats, bases: Floats, before: Floats) -> tuple[Floats, Floats]:
        """A call, by the names of the run's model."""
        return self(past, known, bases, before)

    def _distribution(self, hidden: Floats, bases: Floats) -> tuple[Floats, Floats]:
        H, N, K, C = bases.shape
        weights = softmax(self._weights(hidden).reshape(H, N, K, C))
        raw = self._correction(hidden)
        raw = raw.reshape(H, N, K, raw.shape[-1] // K)
        location = (weights * bases).sum(-1) + raw[..., 0]
        return location, _parameters(self._head, location, raw[..., 1:])

    def _rows(self, codec: "SeriesCodec", series: "Series", levels: Sequence[float]) -> list[dict[str, Any]]:
        """One a step beyond a series' end: ids, time, each target and the ends of its intervals."""
        from ostinato.data.series.reading import ids_of

        inputs = codec.windows([series], [np.array([len(series)])]).arrays(np.array([0]))
        location, parameters = self(inputs.past, inputs.known, inputs.bases, inputs.before)
        ends = [] if self.certain or self._autoregressive else [
            (level, share) for level in levels for share in ((100 - level) / 200, (100 + level) / 200)
        ]  # fmt: skip
        found = [location, *(self._quantile(location, parameters, share) for _, share in ends)]
        values = np.stack([one[:, 0].astype(np.float64) for one in found], axis=-1)  # [H, K, 1 + Q]
        values = values * inputs.scale[0][:, None] + inputs.centre[0][:, None]
        values = np.stack([one.undo(values[:, k]) for k, one in enumerate(codec.shape.transforms)], axis=1)
        names = codec.columns.id
        ids = dict(zip(names, ids_of(series.key, len(names)), strict=True)) if names else {}
        ticks = series.first + codec.shape.spacing.step * np.arange(len(series), len(series) + len(values))
        rows = []
        for cells, step in zip(codec.times(ticks), values, strict=True):
            row: dict[str, Any] = {**ids, **dict(zip(codec.time_columns(), cells, strict=True))}
            for name, numbers in zip(codec.columns.target, step, strict=True):
                row[name] = float(numbers[0])
                for (level, share), value in zip(ends, numbers[1:], strict=True):
                    row[f"{name}_{'low' if share < 0.5 else 'high'}_{level:g}"] = float(value)
            rows.append(row)
        return rows

    def _quantile(self, location: Floats, parameters: Floats, share: float) -> Floats:
        if self._head == "quantile":
            return _between(parameters, self._quantiles, share)
        from statistics import NormalDist  # brings decimal and fractions

        away = NormalDist().inv_cdf(share) if self._head == "gaussian" else _student(parameters[..., 1], share)
        return np.asarray(location + parameters[..., 0] * away)


def _parameters(head: str, location: Floats, raw: Floats) -> Floats:
    """What a distribution has beside its location; see the module of each head in `tasks`."""
    if head == "quantile":
        middle = raw.shape[-1] // 2
        below = _softplus(raw[..., :middle])[..., ::-1].cumsum(-1)[..., ::-1]
        above, median = _softplus(raw[..., middle + 1 :]).cumsum(-1), location[..., None]
        return np.concatenate([median - below, median, median + above], axis=-1)
    if head == "gaussian":
        return np.asarray(_softplus(raw) + 1e-3)
    if head == "student":
        return np.stack([_softplus(raw[..., 0]) + 1e-3, 2 + _softplus(raw[..., 1] + 2)], axis=-1)
    return raw


def _softplus(x: Floats) -> Floats:
    found: Floats = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return found


def _between(values: Floats, levels: Floats, share: float) -> Floats:
    """Between learned quantiles on a straight line, beyond the outermost on an exponential tail."""
    inside = min(max(share, levels[0]), levels[-1])
    right = int(np.clip(np.searchsorted(levels, inside), 1, len(levels) - 1))
    part = (inside - levels[right - 1]) / (levels[right] - levels[right - 1])
    found = values[..., right - 1] + part * (values[..., right] - values[..., right - 1])
    below = (values[..., 1] - values[..., 0]) / np.log(levels[1] / levels[0])
    above = (values[..., -1] - values[..., -2]) / np.log((1 - levels[-2]) / (1 - levels[-1]))
    found = found + below * np.log(min(share / levels[0], 1))
    return np.asarray(found - above * np.log(min((1 - share) / (1 - levels[-1]), 1)))


def _student(freedom: Floats, share: float) -> Floats:
    """Quantile of Student's t distribution, from its distribution function as an integral over an angle."""
    v = freedom.astype(np.float64)[..., None]
    angles = np.linspace(0, np.pi / 2, 1025)
    density = np.cos(angles).clip(min=0) ** (v - 1)
    area = np.cumsum((density[..., 1:] + density[..., :-1]) / 2, -1) * angles[1]
    area = np.concatenate([np.zeros_like(area[..., :1]), area], axis=-1)
    wanted = 2 * abs(share - 0.5) * area[..., -1]
    found = [
        np.interp(one, own, angles) for one, own in zip(wanted.ravel(), area.reshape(-1, area.shape[-1]), strict=True)
    ]
    angle = np.array(found).reshape(freedom.shape)
    return np.asarray(np.sqrt(v[..., 0]) * np.tan(angle) * np.sign(share - 0.5))
