"""A forecaster's parts for C, and random series to try it on."""

import struct
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from ostinato.core.errors import ConfigError
from ostinato.data.series.codec import SeriesCodec
from ostinato.data.series.covariates import Coding
from ostinato.data.series.reading import Series
from ostinato.data.series.times import calendar_names
from ostinato.data.series.windows import Shape
from ostinato.interop.outgoing.c import ForecasterParts, Program, Sample, Weights, forecaster
from ostinato.tasks.forecast import heads
from ostinato.tasks.forecast.ahead import QUANTILES
from ostinato.tasks.forecast.decoding import forecast, forecaster_of
from ostinato.tasks.forecast.model import Forecaster
from ostinato.tasks.trained import Trained

#: What stands beside a head's location, of those that C has quantiles of.
_SPREADS: dict[tuple[int, bool], Literal["quantiles", "normal", "none"]] = {
    (len(QUANTILES), False): "quantiles",
    (1, False): "normal",
}


def program(run: Trained, name: str, weights: Weights) -> Program:
    """The files.

    Raises:
        ConfigError: forecasts of paths drawn, or a cell that C has no form of.
    """
    model, codec, sizes = forecaster_of(run), run.codec, run.config["model"]
    if model.autoregressive and not model.certain:
        raise ConfigError(
            "--to c: with --decoding autoregressive a distribution is forecast by hundreds of paths drawn, which has "
            "no form in C; train with --head point, or --decoding direct"
        )
    shape: Shape = codec.shape
    spread = _spread(model)
    without = "; its intervals are not among what C gives" if spread == "none" and not model.certain else ""
    parts = ForecasterParts(
        about=[
            f"A forecaster ({sizes['cell']}, {sizes['num_layers']} x {sizes['hidden_size']} units in encoder and "
            f"decoder each): {shape.window} rows or more of a series in, the next {shape.horizon} out, "
            f"{shape.spacing.describe()} apart{without}."
        ],
        shape=shape,
        names=codec.columns.target,
        encoder=model.encoder,
        decoder=model.decoder,
        weights=(model.weights.weight, model.weights.bias),
        correction=(model.correction.weight, model.correction.bias),
        autoregressive=model.autoregressive,
        spread=spread,
        shares=QUANTILES,
        away=torch.special.ndtri(torch.tensor(QUANTILES, dtype=torch.float64)).tolist(),
        scales=np.array([[np.nan if one is None else one for one in each.scale] for each in codec.given.values()]),
        keys=list(codec.given),
        even=_even(codec),
    )
    return forecaster(parts, name, weights)


def _spread(model: Forecaster) -> Literal["quantiles", "normal", "none"]:
    head = heads.find(model.head)
    return _SPREADS.get((head.SIZE, head.CERTAIN), "none")


def _even(codec: SeriesCodec) -> tuple[list[float], list[float]]:
    """The scales of series that do not change: as a share of their size, 0 where that says nothing, and of size 0."""
    logs = [one.log for one in codec.shape.transforms]
    shares = [0.0 if log else codec.scale_of_even(k, 1.0) for k, log in enumerate(logs)]
    return shares, [codec.scale_of_even(k, 0.0) for k in range(len(logs))]


@torch.no_grad()
def sample(run: Trained, random: np.random.Generator, count: int) -> Sample:
    """Random series, one in two called as in training, and their forecasts."""
    model, codec = forecaster_of(run), run.codec
    shape: Shape = codec.shape
    shares = QUANTILES if _spread(model) != "none" else ()
    given, expected, units = b"", [], []
    for number in range(count):
        made = _made(codec, random, number)
        windows = codec.windows([made.series], [np.array([len(made.series)])])
        found = forecast(model, windows, shares)
        values = found.point[0][..., None]
        if found.quantiles is not None:
            values = np.concatenate([values, found.quantiles[0]], axis=-1)
        given += made.given
        expected.append(values)
        units.append(_units(shape, values, codec.scales([made.series])[0]))
    return Sample(given, np.stack(expected), np.stack(units), count)


class _Made(NamedTuple):
    series: Series
    given: bytes


def _made(codec: SeriesCodec, random: np.random.Generator, number: int) -> _Made:
    """A series, and how a program reads it."""
    shape, keys = codec.shape, list(codec.given)
    which = int(random.integers(len(keys))) if number % 2 == 0 else -1
    rows, H = shape.window + int(random.integers(4 * max(shape.seasons) + 1)), shape.horizon
    like = codec.given[keys[which]]
    size = np.array(like.size or (1.0,) * shape.targets)
    target = size * (1 + 0.3 * random.standard_normal((rows, shape.targets)))
    target = np.abs(target) if any(one.log for one in shape.transforms) else target
    for k in shape.indicators:
        target[random.random(rows) < 0.05, k] = np.nan
    first = like.first + shape.spacing.step * int(random.integers(400))
    columns: dict[str, Any] = {}
    given = struct.pack("<ii", rows, which) + target.astype("<f8").tobytes()
    for codings, length in ((shape.past, rows), (shape.known, rows + H)):
        read = [_column(coding, length, random) for coding in codings]
        columns |= {coding.name: values for coding, (values, _) in zip(codings, read, strict=True)}
        given += np.stack([numbers for _, numbers in read], 1).astype("<f8").tobytes() if read else b""
    if calendar_names(shape.spacing):
        given += _times(shape, first + shape.spacing.step * np.arange(rows + H)).astype("<i8").tobytes()
    key = keys[which] if which >= 0 else "\0another"
    return _Made(Series(key, first, target, columns), given)


def _column(coding: Coding, length: int, random: np.random.Generator) -> tuple[Any, np.ndarray]:
    """A column as a series has it, and as C reads it."""
    if coding.categories is None:
        values = random.normal(coding.mean, coding.std, length)
        values[random.random(length) < 0.1 * coding.indicator] = np.nan
        return values, values
    numbers = random.integers(-1, len(coding.categories), length)
    texts = [coding.categories[number] if number >= 0 else "\0none of them" for number in numbers]
    return np.array(texts, object), numbers.astype(np.float64)


def _times(shape: Shape, ticks: np.ndarray) -> np.ndarray:
    if shape.spacing.unit == "month":
        return ticks
    return shape.spacing.clock(ticks).astype("datetime64[s]").astype(np.int64)


def _units(shape: Shape, values: np.ndarray, scale: Sequence[float] | np.ndarray) -> np.ndarray:
    """What one unit of the model's is in those of the data, at these values `[H, K, 1 + Q]`."""
    units = np.ones_like(values)
    for k, transform in enumerate(shape.transforms):
        units[:, k] = np.abs(values[:, k]) + transform.shift if transform.log else 1.0
        units[:, k] *= scale[k]
    found: np.ndarray = np.maximum(units, 1e-300)
    return found
