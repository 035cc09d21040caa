"""What a forecaster reads of a series, made in C of rows as they were measured: the windows of `data.series`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ostinato.core.errors import ConfigError
from ostinato.data.series.times import calendar_names
from ostinato.data.series.windows import SEASONS, Shape, spans
from ostinato.interop.outgoing.c import calendars, features
from ostinato.interop.outgoing.c.source import Source
from ostinato.interop.outgoing.c.text import function


@dataclass(frozen=True)
class SeriesCode:
    """C of the features.

    Attributes:
        fields: of the workspace.
        functions: prepare, row_looked_back_on, simple_forecasts, last_of, in_units.
        prepare: the call that begins.
        arguments: of the public function, and as they are passed on.
        passed: the names of the arguments.
        meaning: what they are.
        absent: of past, known and times those that the model does not read.
    """

    fields: list[str]
    functions: list[str]
    prepare: str
    arguments: str
    passed: str
    meaning: str
    absent: list[str]


def history(shape: Shape) -> int:
    """Rows that any number of a window depends on, but for gaps."""
    longest = max(shape.seasons)
    return max(shape.window + longest, shape.horizon + longest * (SEASONS + 2))


def add_series(
    shape: Shape,
    scales: np.ndarray,
    keys: Sequence[str],
    even: tuple[Sequence[float], Sequence[float]],
    source: Source,
) -> SeriesCode:
    """Tables and functions of the features.

    Raises:
        ConfigError: a target without anything in it.
    """
    if not shape.targets:
        raise ConfigError("--to c: a forecaster of no targets")
    K, S = shape.targets, len(keys)
    source.define("SERIES", S, "series of the training data")
    if S > 1 or any(keys):
        source.arrays.strings("@_series", keys)
        source.declare("extern const char *const @_series[@@_SERIES];", "Their ids, in UTF-8.")
    known = np.isfinite(scales)
    table = source.arrays.doubles("series_scale", np.where(known, scales, 0.0).ravel().tolist())
    dated = bool(calendar_names(shape.spacing))
    F, P = shape.known_size, sum(len(coding.names) for coding in shape.past)
    members = [
        f"double target[@@_HISTORY][{K}]; /* transformed, gaps filled */",
        f"double centre[{K}], scale[{K}];",
        "int rows; /* of the history, those kept */",
        f"unsigned char missing[@@_WINDOW][{K}];",
        *([f"float past[@@_WINDOW][{P}];"] if P else []),
        *([f"float known[@@_WINDOW + @@_HORIZON][{F}];"] if F else []),
    ]
    calls, absent = [], []
    arguments, passed = ["const double *history", "int rows"], ["history", "rows"]
    meaning = [
        "`history`: rows of @@_TARGETS numbers, the oldest first, NAN where one is missing: @@_WINDOW at least,",
        "   and up to @@_HISTORY make seasons better known; `series`: its number among those of the training data,",
        "   -1 for another, whose first @@_WINDOW rows then say how far it strays.",
    ]
    functions = [_transform(shape, source), *_fill(shape, source), _scale(shape, table, even, source)]
    width = calendars.width(shape.spacing) if dated else 0
    for name, codings, count in (("past", shape.past, "rows"), ("known", shape.known, "rows + @@_HORIZON")):
        if not codings:
            absent.append(name)
            continue
        columns = features.meaning(codings)
        source.define(name.upper(), len(codings), f"numbers of a row of `{name}`: {columns}")
        functions.append(features.function_of(name, codings, width if name == "known" else 0, source))
        arguments.append(f"const double *{name}")
        passed.append(name)
        calls.append(f"read_{name}(room, {name}, rows);")
        meaning += [
            f"   `{name}`: {count} rows of @@_{name.upper()} numbers; NAN where missing, of a text its number in the",
            "   order given there, -1 for any other.",
        ]
    if dated:
        functions.append(calendars.function_of(shape.spacing))
        arguments.append("const int64_t *times")
        passed.append("times")
        calls.append("read_calendar(room, times, rows);")
        meaning.append(f"   `times`: of the rows and of @@_HORIZON more, {calendars.meaning(shape.spacing)}.")
    else:
        absent.append("times")
    arguments.append("int series")
    passed.append("series")
    functions += [
        function(f"static void prepare(struct @_workspace *room, {', '.join(arguments)})",
                 ["fill(room, history, rows);", "find_scale(room, history, rows, series);", *calls]),
        _rows(shape, P, F),
        _means(),
        _simple(shape),
        _units(shape, source),
    ]  # fmt: skip
    return SeriesCode(
        members, functions, f"prepare(room, {', '.join(passed)});", ", ".join(arguments), ", ".join(passed),
        "\n".join(meaning), absent,
    )  # fmt: skip


_BOUNDED = "static float bounded(double x) { return (float)(x > 1e9 ? 1e9 : (x < -1e9 ? -1e9 : x)); }"


def _transform(shape: Shape, source: Source) -> str:
    """A target as it is learned from."""
    if not any(one.log for one in shape.transforms):
        return f"{_BOUNDED}\n\nstatic double transformed(double y, int k)\n{{\n    (void)k;\n    return y;\n}}"
    source.functions |= {"logarithm_double"}
    logs = source.arrays.whole("takes_logarithm", "int8_t", [int(one.log) for one in shape.transforms], 1)
    shift = source.arrays.doubles("target_shift", [one.shift for one in shape.transforms])
    least = source.arrays.doubles("target_least", [one.least for one in shape.transforms])
    return f"{_BOUNDED}\n\n" + function("static double transformed(double y, int k)", [
        f"const double up = y + {shift}[k];",
        f"if (!{logs}[k]) return y;",
        f"return logarithm_double(up > {least}[k] ? up : {least}[k]);",
    ])  # fmt: skip


def _fill(shape: Shape, source: Source) -> list[str]:
    K = shape.targets
    return [
        "/* Keep the last rows, transformed: the last known value in place of one that is missing, before there is\n"
        "   any the first; and the mean of the window, which all is centred on. */\n"
        + function("static void fill(struct @_workspace *room, const double *history, int rows)", [
            "const int kept = rows < @@_HISTORY ? rows : @@_HISTORY;",
            "room->rows = kept;",
            f"for (int k = 0; k < {K}; ++k) {{",
            "    double last = 0.0, sum = 0.0;",
            "    for (int r = rows - 1; r >= 0; --r) {",
            f"        const double y = history[(size_t)r * {K} + (size_t)k];",
            "        if (y == y) last = transformed(y, k);",
            "    }",
            "    for (int r = 0; r < rows; ++r) {",
            f"        const double y = history[(size_t)r * {K} + (size_t)k];",
            "        const int at = r - (rows - kept), within = r - (rows - @@_WINDOW);",
            "        if (y == y) last = transformed(y, k);",
            "        if (at >= 0) room->target[at][k] = last;",
            "        if (within >= 0) {",
            "            room->missing[within][k] = y != y;",
            "            sum += last;",
            "        }",
            "    }",
            "    room->centre[k] = sum / @@_WINDOW;",
            "}",
        ])
    ]  # fmt: skip


def _scale(shape: Shape, table: str, even: tuple[Sequence[float], Sequence[float]], source: Source) -> str:
    K = shape.targets
    source.functions |= {"root_double"}
    shares = source.arrays.doubles("even_share", even[0])
    alone = source.arrays.doubles("even_scale", even[1])
    return (
        "/* How far a series strays: what training found, else the deviation within its first window. */\n"
        + function("static void find_scale(struct @_workspace *room, const double *history, int rows, int series)", [
            f"for (int k = 0; k < {K}; ++k) {{",
            f"    const double found = series >= 0 ? {table}[(size_t)series * {K} + (size_t)k] : 0.0;",
            "    double mean = 0.0, size = 0.0, most = 0.0, squares = 0.0;",
            "    int count = 0;",
            "    room->scale[k] = found;",
            "    if (found > 0.0) continue;",
            "    for (int r = 0; r < @@_WINDOW && r < rows; ++r) {",
            f"        const double y = history[(size_t)r * {K} + (size_t)k], z = transformed(y, k);",
            "        if (y != y) continue;",
            "        mean += z;",
            "        size += y < 0.0 ? -y : y;",
            "        if ((z < 0.0 ? -z : z) > most) most = z < 0.0 ? -z : z;",
            "        ++count;",
            "    }",
            "    mean /= count > 0 ? count : 1;",
            "    size /= count > 0 ? count : 1;",
            "    for (int r = 0; r < @@_WINDOW && r < rows; ++r) {",
            f"        const double y = history[(size_t)r * {K} + (size_t)k], z = transformed(y, k) - mean;",
            "        if (y == y) squares += z * z;",
            "    }",
            "    room->scale[k] = count > 0 ? root_double(squares / count) : 0.0;",
            "    if (count < 2 || room->scale[k] <= most * 1.8e-15) {",
            f"        room->scale[k] = {shares}[k] > 0.0 && size > 0.0 ? size * {shares}[k] : {alone}[k];",
            "    }",
            "}",
        ])
    )  # fmt: skip


def _rows(shape: Shape, P: int, F: int) -> str:
    K = shape.targets
    lines = ["const int at = room->rows - @@_WINDOW + t;"]
    lines.append(
        f"for (int k = 0; k < {K}; ++k) *x++ = bounded((room->target[at][k] - room->centre[k]) / room->scale[k]);"
    )
    for season in shape.seasons if shape.season > 1 else ():
        lines += [
            f"for (int k = 0; k < {K}; ++k) {{ /* {season} rows earlier */",
            f"    const int earlier = at > {season} ? at - {season} : 0;",
            "    *x++ = bounded((room->target[earlier][k] - room->centre[k]) / room->scale[k]);",
            "}",
        ]
    lines += [f"*x++ = (float)room->missing[t][{k}];" for k in shape.indicators]
    lines += [f"for (int k = 0; k < {P}; ++k) *x++ = room->past[t][k];"] if P else []
    lines += [f"for (int k = 0; k < {F}; ++k) *x++ = room->known[t][k];"] if F else []
    return "/* What the model reads of row t of the window. */\n" + function(
        "static void row_looked_back_on(const struct @_workspace *room, int t, float *x)", lines
    )


def _means() -> str:
    return "/* The mean of so many rows before one, of target k. */\n" + function(
        "static double mean_before(const struct @_workspace *room, int end, int span, int k)",
        [
            "double sum = 0.0;",
            "for (int r = end > span ? end - span : 0; r < end; ++r) sum += room->target[r][k];",
            "return sum / span;",
        ],
    )


def _simple(shape: Shape) -> str:
    """The simple forecasts of a row."""
    K = shape.targets
    seasonal = shape.season > 1
    body = [
        "const int end = room->rows;",
        f"for (int k = 0; k < {K}; ++k) {{",
        "    const double last = room->target[end - 1][k];",
        f"    double simple[{shape.bases}];",
        "    simple[0] = last;",
        "    simple[1] = mean_before(room, end, @@_WINDOW, k);",
    ]
    if not seasonal:
        run = max(shape.window - 1, 1)
        body.append(f"    simple[2] = last + (last - room->target[end - @@_WINDOW][k]) / {run} * (ahead + 1);")
    else:
        place = 2
        for season in shape.seasons:
            own = spans(season)
            body.append(f"    seasonal(room, ahead, {season}, {own[0]}, {own[1] if len(own) > 1 else 0}, "
                        f"{own[2] if len(own) > 2 else 0}, k, simple + {place});")  # fmt: skip
            place += 1 + len(own)
    body += [
        f"    for (int c = 0; c < {shape.bases}; ++c) {{",
        "        room->bases[k][c] = bounded((simple[c] - room->centre[k]) / room->scale[k]);",
        "    }",
        "}",
    ]
    head = "static void simple_forecasts(struct @_workspace *room, int ahead)"
    return (_SEASONAL + "\n\n" if seasonal else "") + "/* What a row may be simply: scaled. */\n" + function(head, body)


_SEASONAL = f"""\
/* One season earlier; and, for levels over so many rows (0: there is none), the level and how far the same row of up to
   {SEASONS} earlier seasons lay from the level then. */
static void seasonal(const struct @_workspace *room, int ahead, int season, int one, int two, int three, int k,
                     double *simple)
{{
    const int end = room->rows, spans[3] = {{one, two, three}}, seasons = ahead / season + 1;
    const int earlier = end + ahead - seasons * season;
    const double naive = earlier >= 0 ? room->target[earlier][k] : room->target[end - 1][k];
    *simple++ = naive;
    for (int s = 0; s < 3 && spans[s] > 0; ++s) {{
        double total = 0.0;
        int count = 0;
        for (int back = 0; back < {SEASONS}; ++back) {{
            const int then = end - (seasons + back) * season;
            if (then - spans[s] < 0) break;
            total += room->target[then + ahead][k] - mean_before(room, then, spans[s], k);
            ++count;
        }}
        *simple++ = count > 0 ? total / count + mean_before(room, end, spans[s], k) : naive;
    }}
}}"""


def _units(shape: Shape, source: Source) -> str:
    """A scaled number in the units of the data; and the last row, scaled."""
    lines = ["const double z = (double)value * room->scale[k] + room->centre[k];", "double y = z;"]
    if any(one.log for one in shape.transforms):
        source.functions |= {"exponential_double"}
        lines.append("if (takes_logarithm[k]) y = exponential_double(z) - target_shift[k];")
    floors = [-1e308 if one.floor is None else one.floor for one in shape.transforms]
    if any(one.floor is not None for one in shape.transforms):
        lines.append(f"if (y < {source.arrays.doubles('target_floor', floors)}[k]) y = target_floor[k];")
    return function("static double in_units(const struct @_workspace *room, int k, float value)", [*lines, "return y;"])


def last_of() -> str:
    """A function for the last row of the history, scaled."""
    return function(
        "static float last_of(const struct @_workspace *room, int k)",
        ["return bounded((room->target[room->rows - 1][k] - room->centre[k]) / room->scale[k]);"],
    )
