"""Wide tables: a row has the values of all series at a time, each in a column of its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ostinato.core.errors import DataError
from ostinato.data.series.reading import SeriesColumns, numbers
from ostinato.data.tables.reading import Table

#: What the values and the names of the series are called where each has a row of its own.
VALUE, SERIES = "value", "series"


def wide_columns(table: Table, columns: SeriesColumns) -> SeriesColumns:
    """Which columns of a wide table are series: those of `target`, or all that nothing else is said of.

    Raises:
        DataError: none are left, or a column has a name that is needed.
    """
    others = columns.time + columns.covariates
    series = columns.target or tuple(name for name in table.columns if name not in others)
    if not series:
        raise DataError(f"{table.name}: --wide: no column is left to be a series beside {', '.join(others)}")
    if taken := {VALUE, SERIES} & set(others):
        raise DataError(f"{table.name}: --wide: column {taken.pop()!r} has a name that forecasts need; rename it")
    return replace(columns, target=(VALUE,), id=(SERIES,), wide=series)


def melted(table: Table, columns: SeriesColumns) -> tuple[dict[str, Sequence[Any] | np.ndarray], Callable[[int], str]]:
    """A wide table as a long one, one series after the other, and how messages name its rows.

    Raises:
        DataError: a value that is no number, and its row.
    """
    values = [numbers(table.column(name), name, table.place) for name in columns.wide]
    long: dict[str, Sequence[Any] | np.ndarray] = {
        SERIES: [name for name in columns.wide for _ in range(len(table))],
        VALUE: np.concatenate(values),
    }
    long |= {name: table.column(name) * len(columns.wide) for name in columns.time + columns.covariates}
    return long, lambda row: table.place(row % len(table))
