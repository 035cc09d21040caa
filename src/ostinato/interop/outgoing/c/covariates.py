"""Columns beside a series as features, in C: numbers standardised, categories one-hot."""

from collections.abc import Sequence

from ostinato.data.series.covariates import Coding
from ostinato.interop.outgoing.c.source import Source
from ostinato.interop.outgoing.c.text import comment, double, function


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
