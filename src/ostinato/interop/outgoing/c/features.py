"""What a step of measured numbers becomes in C: standardised, where a model has one by a linear layer; columns
beside a series: numbers standardised, categories one-hot."""

from collections.abc import Sequence

from torch import Tensor

from ostinato.data.series.covariates import Coding
from ostinato.interop.outgoing.c.arrays import as_array
from ostinato.interop.outgoing.c.source import Source
from ostinato.interop.outgoing.c.text import comment, double, function


def add_standardise(
    source: Source, mean: Sequence[float], deviation: Sequence[float], linear: tuple[Tensor, Tensor] | None = None
) -> int:
    """A function `standardise(features, x)`, from double to float; gives how many numbers x has.

    Args:
        source: to add it to.
        mean: `[D]`.
        deviation: `[D]`.
        linear: `[E, D]` and `[E]` of a layer behind it.
    """
    D = width = len(mean)
    source.define("FEATURES", D, "numbers of a step")
    means = source.arrays.doubles("feature_mean", mean)
    deviations = source.arrays.doubles("feature_deviation", deviation)
    row, before, after = "x", list[str](), list[str]()
    if linear is not None:
        weight, bias = linear
        width = weight.shape[0]
        matrix = source.arrays.matrix("input_weight", as_array(weight))
        row, start = "scaled_features", source.arrays.vector("input_bias", as_array(bias))
        before = [f"float {row}[{D}];"]
        after = [f"multiply({matrix}, {width}, {D}, {row}, {start}, x);"]
    body = [
        *before,
        f"for (int k = 0; k < {D}; ++k) {{",
        f"    const double scaled = (features[k] - {means}[k]) / {deviations}[k];",
        "    const double bounded = scaled > 1e9 ? 1e9 : (scaled < -1e9 ? -1e9 : scaled);",
        f"    {row}[k] = features[k] == features[k] ? (float)bounded : 0.0f; /* NAN: missing, as the mean */",
        "}",
        *after,
    ]
    standardise = function("static void standardise(const double *features, float *x)", body)
    source.code.append(f"/* Standardise the numbers of a step. */\n{standardise}")
    return width


def meaning(codings: Sequence[Coding]) -> str:
    """What columns are, for a comment."""
    found = []
    for coding in codings:
        if coding.categories is None:
            found.append(coding.name)
        else:
            each = ", ".join(f"{number} {text}" for number, text in enumerate(coding.categories[:8]))
            found.append(f"{coding.name} ({each}{', ...' if len(coding.categories) > 8 else ''})")
    return comment("; ".join(found))


def function_of(name: str, codings: Sequence[Coding], begin: int, source: Source) -> str:
    """A function that reads columns into the rows of a workspace's field of that name, from a feature on."""
    ahead = " + @@_HORIZON" if name == "known" else ""
    body = []
    for column, coding in enumerate(codings):
        body += _column(name, coding, column, len(codings), begin, ahead)
        begin += len(coding.names)
    return f"/* Columns of `{name}`: the last known value in place of one that is missing. */\n" + function(
        f"static void read_{name}(struct @_workspace *room, const double *{name}, int rows)", body
    )


def _column(name: str, coding: Coding, column: int, columns: int, begin: int, ahead: str) -> list[str]:
    lines = ["{ /* " + comment(coding.name) + " */"]
    missing = "-2.0" if coding.categories is not None else double(coding.mean)
    lines += [
        f"    double last = {missing};",
        f"    for (int r = 0; r < rows{ahead}; ++r) {{",
        f"        const double value = {name}[(size_t)r * {columns} + {column}];",
        "        const int t = r - (rows - @@_WINDOW);",
        "        if (value == value) last = value;",
        "        if (t < 0) continue;",
    ]
    if coding.categories is not None:
        count = len(coding.categories)
        lines.append(
            f"        for (int c = 0; c < {count}; ++c) room->{name}[t][{begin} + c] = last == c ? 1.0f : 0.0f;"
        )
    else:
        offset = f"- {double(coding.mean)}" if coding.mean >= 0 else f"+ {double(-coding.mean)}"
        lines.append(f"        room->{name}[t][{begin}] = bounded((last {offset}) / {double(coding.std)});")
        if coding.indicator:
            lines.append(f"        room->{name}[t][{begin + 1}] = value == value ? 0.0f : 1.0f;")
    return [*lines, "    }", "}"]
