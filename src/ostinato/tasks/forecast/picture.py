"""The pictures of a forecaster: the one that a finished run leaves, and that of `ostinato plot`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ostinato.core.errors import ConfigError, unknown_name
from ostinato.data.series.codec import SeriesCodec
from ostinato.data.series.reading import Series
from ostinato.data.series.windows import Windows
from ostinato.tasks.forecast.ahead import ForecastOptions
from ostinato.tasks.forecast.answers import can_go_on
from ostinato.tasks.forecast.decoding import Forecast
from ostinato.tasks.forecast.drawing import PANELS, Fan, Panel, forecast_picture
from ostinato.tasks.forecast.intervals import foreseen, gone_on, levels_of
from ostinato.tasks.trained import Trained

#: Horizons, and windows, of what was that are drawn before the first forecast.
_BEFORE = 4

#: Series of the run's own picture; with several targets fewer.
_SERIES = 4


def draw_run(run: Trained, valid: Windows, out: Path) -> None:
    """Draw the last validation window of some series beside what came, and how they go on from their end."""
    codec: SeriesCodec = run.codec
    levels = levels_of(run, ForecastOptions())
    last = dict(valid.place(number) for number in range(len(valid)))
    drawn = sorted(last)[: max(1, _SERIES // codec.shape.targets)]
    several, origins = [valid.series[which] for which in drawn], [last[which] for which in drawn]
    beyond = None
    if not codec.columns.future:  # what is known in advance ends where the series does
        beyond = gone_on(run, codec, several, codec.shape.horizon, levels)
    panels = _panels(run, codec, several, origins, "forecast of the held-out end", beyond, levels)
    forecast_picture(panels, out, title=_title(codec, several, len(valid.series), codec.shape.horizon))


def draw_data(run: Trained, source: str, out: Path, options: ForecastOptions, keys: Sequence[str]) -> list[str]:
    """Draw how the series of a table go on, and what would have been forecast of their last horizon: those of these
    ids, or the first ones; gives the ids of those drawn.

    Raises:
        ConfigError: an unknown series, or more than there is room for.
        DataError: a table that cannot be used.
    """
    codec: SeriesCodec = run.codec
    steps = codec.shape.horizon if options.steps is None else options.steps
    levels = levels_of(run, options)
    read = codec.read(source)
    codec = codec.in_zone_of(read.spacing)
    found = {each.key: each for each in can_go_on(codec, read.series, read.name, str(run.folder.path), steps)}
    room = max(1, PANELS // codec.shape.targets)
    for key in keys:
        if key not in found:
            raise ConfigError(unknown_name("--series: no series to go on with is", key, found))
    if len(keys) > room:
        raise ConfigError(f"--series: expected {room} at most, for which there is room in a picture, got {len(keys)}")
    drawn = [found[key] for key in keys] if keys else list(found.values())[:room]
    beyond = gone_on(run, codec, drawn, steps, levels, follows=True)
    origins = [max(len(each) - codec.shape.horizon, codec.shape.window) for each in drawn]
    panels = _panels(run, codec, drawn, origins, f"forecast of the last {codec.shape.horizon} rows", beyond, levels)
    forecast_picture(panels, out, title=_title(codec, drawn, len(read.series), steps))
    return [each.key for each in drawn]


def _panels(
    run: Trained,
    codec: SeriesCodec,
    series: Sequence[Series],
    origins: Sequence[int],
    name: str,
    beyond: Forecast | None,
    levels: Sequence[float],
) -> list[Panel]:
    """A panel a target of each series: what was, what is forecast from a row on, and from the end on."""
    shape, panels = codec.shape, []
    windows = codec.windows(series, [np.array([origin]) for origin in origins])
    known = foreseen(run, windows, levels)
    for number, (each, origin) in enumerate(zip(series, origins, strict=True)):
        begin = max(0, origin - max(shape.window, _BEFORE * shape.horizon))

        def times(first: int, last: int, each: Series = each) -> np.ndarray:
            return shape.spacing.clock(each.first + shape.spacing.step * np.arange(first, last))

        for k, target in enumerate(codec.columns.target):
            fans = []
            if origin < len(each):
                fans.append(_fan(known, number, k, times(origin, origin + shape.horizon), levels, name))
            if beyond is not None:
                ahead = times(len(each), len(each) + beyond.point.shape[1])
                fans.append(_fan(beyond, number, k, ahead, levels, "beyond the end"))
            title = " of ".join(part for part in (target, each.key) if part)
            panels.append(Panel(times(begin, len(each)), each.target[begin:, k], fans, title))
    return panels


def _fan(found: Forecast, number: int, k: int, times: np.ndarray, levels: Sequence[float], name: str) -> Fan:
    intervals = {}
    if found.quantiles is not None:
        ends = found.quantiles[number, :, k]
        intervals = {level: (ends[:, 2 * place], ends[:, 2 * place + 1]) for place, level in enumerate(levels)}
    return Fan(times, found.point[number, :, k], intervals, name)


def _title(codec: SeriesCodec, drawn: Sequence[Series], there: int, steps: int) -> str:
    some = f"{len(drawn)} of {there:,} series: " if there > 1 else ""
    return f"{some}{steps} steps from {codec.shape.window}"
