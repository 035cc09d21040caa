"""A forecaster in C: rows of a series, as they were measured, in; those that follow out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from ostinato.data.series.windows import Shape
from ostinato.interop.outgoing.c import series
from ostinato.interop.outgoing.c.arrays import Arrays, Weights, as_array
from ostinato.interop.outgoing.c.driver import driver
from ostinato.interop.outgoing.c.layers import LayerStack, fields, layer_stack, reset, step_lines
from ostinato.interop.outgoing.c.source import Program, Source
from ostinato.interop.outgoing.c.text import comment, function, indented, literal
from ostinato.layers.recurrent import Recurrent


@dataclass(frozen=True)
class ForecasterParts:
    """What C needs of a forecaster.

    Attributes:
        about: lines on what it is.
        shape: sizes, transforms and codings of its windows.
        names: of the K targets.
        encoder, decoder: layers of the same cells.
        weights: `[K*C, O]` and `[K*C]`, of how simple forecasts are weighed.
        correction: `[K*(1+P), O]` and `[K*(1+P)]`.
        autoregressive: whether a step is fed the forecast of the one before.
        spread: what the P numbers beside a forecast are: "quantiles", the deviation of a "normal" distribution, or
            nothing that C makes use of.
        shares: of quantiles, the middle one the median.
        away: how many deviations of a normal distribution each lies from its mean.
        scales: of each series `[S, K]`, NaN where training found none.
        keys: of each series, its id.
        even: `[K]` the scale of a series that does not change, as a share of its size; and in itself.
    """

    about: Sequence[str]
    shape: Shape
    names: Sequence[str]
    encoder: Recurrent
    decoder: Recurrent
    weights: tuple[Tensor, Tensor]
    correction: tuple[Tensor, Tensor]
    autoregressive: bool
    spread: Literal["quantiles", "normal", "none"]
    shares: Sequence[float]
    away: Sequence[float]
    scales: np.ndarray
    keys: Sequence[str]
    even: tuple[Sequence[float], Sequence[float]]

    @property
    def quantiles(self) -> int:
        """Quantiles that are given beside the forecast."""
        return 0 if self.spread == "none" else len(self.shares)


def forecaster(parts: ForecasterParts, name: str, weights: Weights) -> Program:
    """The files of a forecaster.

    Raises:
        ConfigError: what C has no form of.
    """
    shape = parts.shape
    source = Source(name, list(parts.about), Arrays(weights), frozenset({"softmax"}))
    source.define("TARGETS", shape.targets, "numbers of a row: " + comment(", ".join(parts.names)))
    source.define("WINDOW", shape.window, "rows of history that there have to be at least")
    source.define("HISTORY", series.history(shape), "rows of it that are looked at, at most")
    source.define("HORIZON", shape.horizon, "rows that are forecast")
    values = f"1 + {parts.quantiles} quantiles" if parts.quantiles else "1"
    source.define("VALUES", 1 + parts.quantiles, f"numbers of a forecast, {values}")
    encoder = layer_stack(parts.encoder, "encoder", source)
    decoder = layer_stack(parts.decoder, "decoder", source)
    features = series.add_series(parts.shape, parts.scales, parts.keys, parts.even, source)
    K, C = shape.targets, shape.bases
    source.define("WORKSPACE_BYTES", "sizeof(struct @_workspace)", "bytes of a workspace")
    bases = f"float bases[{K}][{C}]; /* simple forecasts of a row, scaled */"
    source.add_workspace([*features.fields, bases, *fields(encoder), *fields(decoder)])
    source.code += [*features.functions, *([series.last_of()] if parts.autoregressive else [])]
    _decode(parts, source, decoder)
    _entry(parts, source, encoder, decoder, features)
    return Program(name, source.header(f"{name}.h"), source.text(), _driver(features, name), source.arrays.bytes)


def _decode(parts: ForecasterParts, source: Source, decoder: LayerStack) -> None:
    """A function from the decoder's output to a row's forecasts, scaled."""
    K, C, width = parts.shape.targets, parts.shape.bases, decoder.output_size
    each = parts.correction[0].shape[0] // K
    mixing = source.arrays.matrix("mixing_weight", as_array(parts.weights[0]))
    mixing_bias = source.arrays.vector("mixing_bias", as_array(parts.weights[1]))
    matrix = source.arrays.matrix("correction_weight", as_array(parts.correction[0]))
    bias = source.arrays.vector("correction_bias", as_array(parts.correction[1]))
    body = [
        f"float weights[{K * C}], correction[{K * each}];",
        f"multiply({mixing}, {K * C}, {width}, h, {mixing_bias}, weights);",
        f"multiply({matrix}, {K * each}, {width}, h, {bias}, correction);",
        f"for (int k = 0; k < {K}; ++k) {{",
        f"    const float *own = correction + k * {each};",
        "    float location = own[0];",
        f"    softmax(weights + k * {C}, {C});",
        f"    for (int c = 0; c < {C}; ++c) location += weights[k * {C} + c] * room->bases[k][c];",
        "    values[k][0] = location;",
        *indented(_spread(parts, source)),
        "}",
    ]
    source.code.append(
        "/* The forecast of a row, scaled, by the decoder's output: a mixture of simple ones, and a correction. */\n"
        + function(
            "static void forecast_row(struct @_workspace *room, const float *h, float (*values)[@@_VALUES])", body
        )
    )


def _spread(parts: ForecasterParts, source: Source) -> list[str]:
    """Lines from what stands beside a location to quantiles."""
    if parts.spread != "none":
        source.functions |= {"softplus"}
    if parts.spread == "normal":
        away = ", ".join(literal(number) for number in parts.away)
        return [
            f"static const float away[{len(parts.away)}] = {{{away}}};",
            "const float deviation = softplus(own[1]) + 1e-3f;",
            f"for (int q = 0; q < {len(parts.away)}; ++q) values[k][1 + q] = location + deviation * away[q];",
        ]
    if parts.spread == "none":
        return []
    middle = len(parts.shares) // 2
    return [
        "/* the median, and on either side of it positive distances, summed up */",
        f"values[k][{1 + middle}] = location;",
        f"for (int q = {middle - 1}; q >= 0; --q) values[k][1 + q] = values[k][2 + q] - softplus(own[1 + q]);",
        f"for (int q = {middle + 1}; q < {len(parts.shares)}; ++q) {{",
        "    values[k][1 + q] = values[k][q] + softplus(own[1 + q]);",
        "}",
    ]


def _entry(
    parts: ForecasterParts, source: Source, encoder: LayerStack, decoder: LayerStack, features: series.SeriesCode
) -> None:
    shape = parts.shape
    K, C, F = shape.targets, shape.bases, shape.known_size
    reading, _ = step_lines(encoder, "room->", "x")
    writing, h = step_lines(decoder, "room->", "x")
    fed = F + K * C + (K if parts.autoregressive else 0)
    handed = [
        f"for (int j = 0; j < {width}; ++j) room->{after.name}.{name}[j] = room->{before.name}.{name}[j];"
        for before, after in zip(encoder.steps, decoder.steps, strict=True)
        for name, width in before.fields.items()
        if name != "output" or "output" not in after.fields
    ]
    back = [
        f"for (int k = 0; k < {K}; ++k) x[{F + K * C} + k] = t > 0 ? scaled[k][0] : last_of(room, k);",
    ]
    body = [
        f"float x[{max(shape.past_size, fed)}], scaled[{K}][@@_VALUES];",
        "if (rows < @@_WINDOW) return -1;",
        features.prepare,
        *reset(encoder, "room->"),
        "for (int t = 0; t < @@_WINDOW; ++t) {",
        "    row_looked_back_on(room, t, x);",
        *indented(reading),
        "}",
        *handed,
        "for (int t = 0; t < @@_HORIZON; ++t) {",
        "    simple_forecasts(room, t);",
        f"    for (int k = 0; k < {F}; ++k) x[k] = room->known[@@_WINDOW + t][k];" if F else "",
        f"    for (int k = 0; k < {K}; ++k) {{",
        f"        for (int c = 0; c < {C}; ++c) x[{F} + k * {C} + c] = room->bases[k][c];",
        "    }",
        *(indented(back) if parts.autoregressive else []),
        *indented(writing),
        f"    forecast_row(room, {h}, scaled);",
        f"    for (int k = 0; k < {K}; ++k) {{",
        "        for (int q = 0; q < @@_VALUES; ++q) {",
        f"            values[(t * {K} + k) * @@_VALUES + q] = in_units(room, k, scaled[k][q]);",
        "        }",
        "    }",
        "}",
        "return 0;",
    ]
    head = f"int @_forecast(struct @_workspace *room, {features.arguments}, double *values)"
    source.code.append(function(head, [line for line in body if line]))
    shares = ", ".join(f"{share:g}" for share in parts.shares)
    quantiles = f" then its quantiles of {shares}" if parts.quantiles else ""
    source.declare(
        f"{head};",
        f"Forecast @@_HORIZON rows; returns 0, or -1 where the history is too short.\n   {features.meaning}\n"
        f"   `values`: of each row and target the forecast, the median,{quantiles}; all in the units of the history.",
    )
    source.usage += [
        "static struct @_workspace room;",
        "double values[@@_HORIZON * @@_TARGETS * @@_VALUES];",
        f"@_forecast(&room, {features.passed}, values);",
    ]
    source.stack_bytes += 4 * max(shape.past_size, fed)


def _driver(features: series.SeriesCode, name: str) -> str:
    """With the rows' number comes that of the series, then the history, and what the model reads beside it."""
    held = ["struct @_workspace room", "int32_t series", "double history[MOST * @@_TARGETS]"]
    held.append("double values[@@_HORIZON * @@_TARGETS * @@_VALUES]")
    all_rows = "(size_t)length + @@_HORIZON, MOST + @@_HORIZON)"
    beside = {
        "past": ("double past[MOST * @@_PAST]", "numbers(past, sizeof past[0] * @@_PAST, (size_t)length, MOST)"),
        "known": (
            "double known[(MOST + @@_HORIZON) * @@_KNOWN]",
            f"numbers(known, sizeof known[0] * @@_KNOWN, {all_rows}",
        ),
        "times": ("int64_t times[MOST + @@_HORIZON]", f"numbers(times, sizeof times[0], {all_rows}"),
    }
    read = ["numbers(&series, sizeof series, 1, 1)"]
    read.append("numbers(history, sizeof history[0] * @@_TARGETS, (size_t)length, MOST)")
    for one, (declared, reading) in beside.items():
        if one not in features.absent:
            held.append(declared)
            read.append(reading)
    run = f"if (@_forecast(&room, {features.passed.replace('rows', 'length')}, values) != 0) return 1;"
    return driver(name, held, read, [run], ["fwrite(values, sizeof values, 1, stdout);"], steps="1")
