"""How series go on beyond the horizon: forecasts are taken for what came, and forecast from again."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from ostinato.data.series.codec import SeriesCodec
from ostinato.data.series.reading import Series
from ostinato.data.series.windows import SEASONS, Shape, Windows
from ostinato.evaluation import evaluating
from ostinato.tasks.forecast.decoding import Forecast, forecast, in_units, paths_for
from ostinato.tasks.forecast.model import Forecaster


def continued(
    model: Forecaster,
    codec: SeriesCodec,
    series: Sequence[Series],
    steps: int,
    shares: Sequence[float] = (),
    *,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Forecast:
    """Forecast from each series' end, of N series of a window or more: `steps` instead of H.

    Up to the horizon this is `forecast`. Beyond it the point forecast is made from the one before. Quantiles are those
    of paths: of each block of a horizon a path has one quantile of every step, drawn anew (so that all are equally
    frequent) for each block, and the next block is forecast from it. What is uncertain so far makes what follows more
    uncertain. The point head gives no quantiles. `progress` is told the series done, and those in all.
    """
    horizon = codec.shape.horizon
    windows = codec.windows(series, [np.array([len(each)]) for each in series])
    first = forecast(model, windows, shares, seed=seed, progress=progress if steps <= horizon else None)
    points, quantiles = first.point[:, :steps], None if first.quantiles is None else first.quantiles[:, :steps]
    if steps <= horizon:
        return Forecast(points, quantiles)
    found = []
    for number, each in enumerate(series):
        known = None if quantiles is None else quantiles[number]
        found.append(_further(model, codec, each, steps, points[number], known, shares, seed))
        if progress is not None:
            progress(number + 1, len(series))
    point = np.stack([each.point for each in found])
    spread = [each.quantiles for each in found if each.quantiles is not None]
    return Forecast(point, np.stack(spread) if spread else None)


def _further(
    model: Forecaster,
    codec: SeriesCodec,
    series: Series,
    steps: int,
    point: np.ndarray,
    quantiles: np.ndarray | None,
    shares: Sequence[float],
    seed: int,
) -> Forecast:
    """One series, `[steps, K]` and `[steps, K, Q]`, of which the first horizon is known."""
    recent, scale = _recent(series, codec.shape), codec.scales([series])
    copies = 1 if quantiles is None else 1 + paths_for(shares)  # the first is the point forecast's own
    paths, draw = np.repeat(recent.target[None], copies, axis=0), np.random.default_rng(seed)
    begin = len(recent)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        while paths.shape[1] < begin + steps:
            windows = Windows(
                [replace(recent, target=path) for path in paths],
                np.repeat(scale, copies, axis=0),
                codec.shape,
                [np.array([paths.shape[1]])] * copies,
            )
            evenly = (draw.permutation(copies - 1) + 0.5) / max(copies - 1, 1)
            came = _next_block(model, windows, np.r_[0.5, evenly])
            if paths.shape[1] == begin:
                came[0] = point
            paths = np.concatenate([paths, came], axis=1)
    ahead = paths[:, begin : begin + steps]
    if quantiles is None:
        return Forecast(ahead[0], None)
    later = np.moveaxis(np.quantile(ahead[1:, len(point) :], shares, axis=0), 0, -1)
    # they are found one by one: the point, a median, is to lie within every interval
    centre, side = ahead[0, len(point) :, :, None], np.asarray(shares) - 0.5
    later = np.where(side < 0, np.minimum(later, centre), np.where(side > 0, np.maximum(later, centre), centre))
    return Forecast(ahead[0], np.concatenate([quantiles, later]))


@torch.no_grad()
def _next_block(model: Forecaster, windows: Windows, shares: np.ndarray) -> np.ndarray:
    """One block of each of N windows, `[N, H, K]`: the quantile of this share; of the first window the point."""
    inputs = windows.inputs(np.arange(len(windows)))
    with evaluating(model):
        if model.autoregressive:
            paths = model.step_by_step(inputs.past, **inputs.arguments(), sample=False).location
            if len(windows) > 1:
                drawn = model.step_by_step(inputs.past, **inputs.arguments(), sample=True).location
                paths = torch.cat([paths[:, :1], drawn[:, 1:]], dim=1)
        else:
            output = model(inputs.past, **inputs.arguments())
            paths = output.quantile(torch.as_tensor(shares)[:, None]) if len(windows) > 1 else output.location
    return in_units(paths, inputs, windows.shape.transforms).swapaxes(0, 1)


def rows_looked_at(shape: Shape) -> int:
    """Rows from the end that forecasts are made of, at most."""
    longest = max(shape.seasons)
    return shape.window + longest * (SEASONS + 1) + shape.horizon + longest


def _recent(series: Series, shape: Shape) -> Series:
    """As many rows from the end as forecasts are made of, so that hundreds of paths take little room."""
    begin = max(0, len(series) - rows_looked_at(shape))
    if not begin:
        return series
    first = series.first + begin * shape.spacing.step
    return Series(series.key, first, _rows_from(series.target, begin), {
        name: _rows_from(column, begin) for name, column in series.covariates.items()
    })  # fmt: skip


def _rows_from(values: np.ndarray, begin: int) -> np.ndarray:
    """The rows from here on; what is missing in the first of them is what was last known."""
    rest = values[begin:].copy()
    for place in np.ndindex(rest.shape[1:]):
        column = values[(slice(None), *place)]
        known = [row for row in range(min(begin, len(column) - 1), -1, -1) if not _missing(column[row])][:1]
        if known and len(rest):
            rest[(0, *place)] = column[known[0]]
    return rest


def _missing(value: object) -> bool:
    return value is None or value != value  # NaN differs from itself
