"""The picture that a finished forecaster leaves in its run folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ostinato.api.run import Run
from ostinato.data.forecasting import SeriesCodec
from ostinato.data.windows import Windows
from ostinato.decoding.forecasting import Forecast, forecast
from ostinato.models.forecaster import Forecaster
from ostinato.plots.forecast import Fan, forecast_picture

#: Horizons, and windows, of what was that are drawn before the first forecast.
_BEFORE = 4

_SHARES = {95: (0.025, 0.975), 80: (0.1, 0.9)}


def draw_run(run: Run, valid: Windows, out: Path) -> None:
    """Draw the last validation window of its series beside what came, and how the series goes on from its end."""
    assert isinstance(run.model, Forecaster)
    codec: SeriesCodec = run.codec
    which, origin = valid.place(len(valid) - 1)
    series, shape = valid.series[which], codec.shape
    origins = [origin]
    if not codec.columns.future:  # what is known in advance ends where the series does
        origins.append(len(series))
    windows = codec.windows([series], [np.array(origins)])
    found = forecast(run.model, windows, [share for pair in _SHARES.values() for share in pair])
    begin = max(0, origin - max(shape.window, _BEFORE * shape.horizon))

    def times(first: int, last: int) -> np.ndarray:
        return shape.spacing.times(series.first + shape.spacing.step * np.arange(first, last))

    fans = [
        Fan(times(at, at + shape.horizon), found.point[number, :, 0], _intervals(found, number), label)
        for number, (at, label) in enumerate(zip(origins, ("forecast of the held-out end", "beyond"), strict=False))
    ]
    name = codec.columns.target[0]
    of = f" of {series.key}" if series.key else ""
    title = f"{name}{of}: {shape.horizon} steps from {shape.window}"
    forecast_picture(times(begin, len(series)), series.target[begin:, 0], fans, out, title=title, ylabel=name)


def _intervals(found: Forecast, number: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    if found.quantiles is None:
        return {}
    ends = found.quantiles[number, :, 0]
    return {share: (ends[:, 2 * place], ends[:, 2 * place + 1]) for place, share in enumerate(_SHARES)}
