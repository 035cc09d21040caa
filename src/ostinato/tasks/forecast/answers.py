"""forecast: what predict answers and what evaluate can write, row by row."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ostinato.core.errors import DataError
from ostinato.data.series.codec import SeriesCodec
from ostinato.data.series.reading import Series, ids_of
from ostinato.data.series.windows import Windows
from ostinato.tasks.forecast.ahead import ends
from ostinato.tasks.forecast.decoding import Forecast
from ostinato.tasks.forecast.results import Answer


def shares_of(levels: Sequence[float]) -> list[float]:
    """The quantiles that intervals of so many percent end at, low and high in turn."""
    return [share for level in levels for share in ends(level)]


def can_go_on(codec: SeriesCodec, series: Sequence[Series], name: str, run: str, steps: int) -> list[Series]:
    """The series of a table that can be forecast so many steps; of the others a warning says why not. The table's name
    and the run's folder are for messages.

    Raises:
        DataError: there is none; says why of the first.
    """
    able, faults = [], []
    for each in series:
        try:
            _require_window(codec, each, run)
            codec.require_future(each, steps)
        except DataError as error:
            faults.append(str(error))
        else:
            able.append(each)
    if not able:
        raise DataError(f"{name}: {faults[0]}" + (f" (and {len(faults) - 1:,} more series)" if len(faults) > 1 else ""))
    for fault in faults[:3]:
        warnings.warn(f"{name}: not forecast: {fault}", stacklevel=2)
    if len(faults) > 3:
        warnings.warn(f"{name}: not forecast: {len(faults) - 3:,} more series", stacklevel=2)
    return able


def _require_window(codec: SeriesCodec, series: Series, run: str) -> None:
    if len(series) < codec.shape.window:
        of = f"series {series.key!r}" if series.key else "the series"
        raise DataError(f"{of} has {len(series)} rows; expected at least {codec.shape.window}, the window of {run}")


def forecast_rows(
    codec: SeriesCodec, series: Series, point: np.ndarray, quantiles: np.ndarray | None, levels: Sequence[float]
) -> Iterator[Answer]:
    """One row a step beyond the end of a series: ids, time, each target (`[H, K]`) and the ends of its intervals, in
    percent, from quantiles `[H, K, Q]` of `shares_of(levels)`."""
    times = codec.times(series.first + codec.shape.spacing.step * np.arange(len(series), len(series) + len(point)))
    for ahead, cells in enumerate(times):
        row: Answer = {**_ids(codec, series)}
        row |= dict(zip(codec.time_columns(), cells, strict=True))
        for k, name in enumerate(codec.columns.target):
            row |= _target(name, point[ahead, k], None if quantiles is None else quantiles[ahead, k], levels)
        yield row


@dataclass(frozen=True)
class Backtest:
    """Forecasts of what is known by now: of these windows, with `shares_of(levels)` as the first quantiles, of which
    levels are given, in percent."""

    codec: SeriesCodec
    windows: Windows
    found: Forecast
    levels: tuple[float, ...]

    def rows(self) -> Iterator[dict[str, Any]]:
        """One a step of each window: ids, time, step, then of each target the forecast, what came and the intervals."""
        codec, shape = self.codec, self.codec.shape
        for number in range(len(self.windows)):
            which, origin = self.windows.place(number)
            series = self.windows.series[which]
            times = codec.times(series.first + shape.spacing.step * np.arange(origin, origin + shape.horizon))
            for ahead, cells in enumerate(times):
                row: dict[str, Any] = _ids(codec, series)
                row |= dict(zip(codec.time_columns(), cells, strict=True)) | {"step": ahead + 1}
                for k, name in enumerate(codec.columns.target):
                    came = float(series.target[origin + ahead, k])
                    quantiles = None if self.found.quantiles is None else self.found.quantiles[number, ahead, k]
                    said = _target(name, self.found.point[number, ahead, k], quantiles, self.levels)
                    row[name] = said.pop(name)
                    row |= {f"{name}_actual": None if np.isnan(came) else came, **said}
                yield row


def _ids(codec: SeriesCodec, series: Series) -> dict[str, str]:
    names = codec.columns.id
    return dict(zip(names, ids_of(series.key, len(names)), strict=True)) if names else {}


def _target(name: str, point: float, quantiles: np.ndarray | None, levels: Sequence[float]) -> dict[str, float]:
    row = {name: float(point)}
    for number, level in enumerate(levels if quantiles is not None else ()):
        assert quantiles is not None
        row[f"{name}_low_{level:g}"] = float(quantiles[2 * number])
        row[f"{name}_high_{level:g}"] = float(quantiles[2 * number + 1])
    return row
