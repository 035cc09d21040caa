"""A backtest that trains again: at each moment a new model, on all rows before it."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ostinato.config.merge import build
from ostinato.core.errors import DataError
from ostinato.data.series.codec import Read, SeriesCodec
from ostinato.data.series.reading import Series
from ostinato.data.series.windows import Windows
from ostinato.tasks.contract import Progress
from ostinato.tasks.forecast.decoding import Forecast, forecast
from ostinato.tasks.forecast.fit import ForecastTask, trained_apart
from ostinato.tasks.forecast.options import TrainForecast
from ostinato.tasks.forecast.split import PreparedSeries, split
from ostinato.tasks.trained import Trained


def retrained(
    task: ForecastTask, run: Trained, windows: Windows, shares: Sequence[float], progress: Progress | None = None
) -> Forecast:
    """Forecast each window by a model of its own moment; windows that begin at the same time share one.

    Every model is trained with the run's options and seed on the rows that lie before the moment, of all series, their
    last tenth held out to choose the best weights by. `progress` is told the moments done, and those in all.

    Raises:
        DataError: too few rows before the first moment.
    """
    codec: SeriesCodec = run.codec
    flat = {**run.config["options"], "data": [], "out": "", "valid": None, "test": None, "devices": 1}
    options = build(TrainForecast, flat, str(run.folder.config))
    places = [windows.place(index) for index in range(len(windows))]
    step = codec.shape.spacing.step
    ticks = np.array([windows.series[which].first + step * origin for which, origin in places])
    moments = np.unique(ticks)
    found: list[tuple[np.ndarray, Forecast]] = []
    for number, moment in enumerate(moments):
        if progress is not None:
            progress(number, len(moments))
        prepared = _prepared_before(options, codec, windows.series, int(moment))
        model = trained_apart(task, options, prepared)
        at = np.flatnonzero(ticks == moment)
        wanted = [[places[index][1] for index in at if places[index][0] == s] for s in range(len(windows.series))]
        these = prepared.codec.windows(windows.series, [np.array(rows, np.int64) for rows in wanted])
        found.append((at, forecast(model, these, shares)))
    if progress is not None:
        progress(len(moments), len(moments))
    return _in_order(found)


def _prepared_before(
    options: TrainForecast, codec: SeriesCodec, series: Sequence[Series], moment: int
) -> PreparedSeries:
    """What training gets of the rows before a moment."""
    step = codec.shape.spacing.step
    rows = [-(-(moment - each.first) // step) for each in series]
    cut = []
    for each, count in zip(series, rows, strict=True):
        known = np.flatnonzero(np.isfinite(each.target[: max(0, count)]).any(axis=1))
        if len(known):  # a series ends with the last row that has a target
            cut.append(dataclasses.replace(each, target=each.target[: known[-1] + 1]))
    when = codec.shape.spacing.written(np.array([moment]))[0]
    if not cut:
        raise DataError(f"--retrain: no row lies before {when}")
    try:
        return split(options, Read(cut, codec.shape.spacing, f"the rows before {when}", ""), codec.columns)
    except DataError as error:
        raise DataError(f"--retrain: {error}") from None


def _in_order(found: Sequence[tuple[np.ndarray, Forecast]]) -> Forecast:
    """Forecasts of some windows each, in the windows' order."""
    order = np.argsort(np.concatenate([at for at, _ in found]))
    point = np.concatenate([each.point for _, each in found])[order]
    if found[0][1].quantiles is None:
        return Forecast(point, None)
    return Forecast(point, np.concatenate([each.quantiles for _, each in found if each.quantiles is not None])[order])
