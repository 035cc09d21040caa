"""Sequences of numbers, each with a label: from a long table, one row a moment; scaled by what training has seen."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import DataError
from ostinato.data.labelled.examples import Raw
from ostinato.data.series.dates import looks_like_a_date, read_times, whole_numbers
from ostinato.data.series.scaling import in_float32, mean_and_spread
from ostinato.data.tables.layout import chosen_layout
from ostinato.data.tables.numbers import plain_number
from ostinato.data.tables.reading import Table

Values = npt.NDArray[np.float64]  # standardised before they become float32: a level may be large beside its variation

Said = TypeVar("Said", str, float)


def sequences_from_table(
    table: Table, id: str, values: Sequence[str], time: str | None, label: str | None, targets: Sequence[str] = ()
) -> Raw:
    """Group the rows of a long table into sequences, in the order in which their ids come up.

    Args:
        table: one row for each moment of each sequence.
        id: column that tells sequences apart.
        values: D columns of numbers.
        time: column to sort by within a sequence: numbers, dates, or text that sorts as time does. None keeps the rows'
            order.
        label: column that says the same in every row of a sequence. None where there is none.
        targets: columns of numbers that do so.

    Raises:
        DataError: an id or a time is missing, a time occurs twice in a sequence, or a sequence has two labels or
            targets; names the line.
    """
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(table.texts(id)):
        if key is None:
            raise DataError(f"{table.place(row)}: column {id!r}: expected the id of a sequence, got nothing")
        rows.setdefault(key, []).append(row)
    matrix = np.stack([table.numbers(column) for column in values], axis=1)
    times = None if time is None else _times(table, time)
    labels = [None] * len(table) if label is None else table.texts(label)
    found, said = [], []
    for key, members in rows.items():
        order = members if times is None else _sorted(table, key, members, times, time)
        found.append(matrix[order])
        said.append(_one(table, key, members, "label", labels))
    places = [table.place(members[0]) for members in rows.values()].__getitem__
    aims = [_each(table, rows, target) for target in targets]
    measured = np.stack(aims, axis=1) if aims else None
    return Raw(table.name, found, said, places, list(rows), table.digest, targets=measured)


def _times(table: Table, column: str) -> list[Any]:
    texts = table.texts(column)
    for row, text in enumerate(texts):
        if text is None:
            raise DataError(f"{table.place(row)}: column {column!r}: expected a time, got nothing")
    present = [text for text in texts if text is not None]
    if (whole := whole_numbers(present)) is not None:
        return whole.tolist()
    try:
        return [plain_number(text) for text in present]
    except ValueError:
        pass
    try:
        return list(read_times({column: present}, table.place, chosen_layout().date_format).instants)
    except DataError:
        if chosen_layout().date_format or any(looks_like_a_date(text) for text in present):
            raise
        return present


def _sorted(table: Table, key: str, members: list[int], times: list[Any], column: str | None) -> list[int]:
    order = sorted(members, key=lambda row: times[row])
    for one, two in itertools.pairwise(order):
        if times[one] == times[two]:
            raise DataError(
                f"{table.place(two)}: column {column!r}: time {times[two]} occurs twice in sequence {key!r}, the other "
                f"time in {table.unit} {table.lines[one]}; give each moment one row"
            )
    return order


def _each(table: Table, rows: Mapping[str, list[int]], target: str) -> Values:
    """A column's number for each sequence, NaN where it is missing."""
    cells = [None if math.isnan(number) else number for number in table.numbers(target).tolist()]
    found = [_one(table, key, members, "target", cells) for key, members in rows.items()]
    return np.array([math.nan if number is None else number for number in found], np.float64)


def _one(table: Table, key: str, members: list[int], what: str, labels: Sequence[Said | None]) -> Said | None:
    first = next((row for row in members if labels[row] is not None), members[0])
    for row in members:
        if labels[row] not in (None, labels[first]):
            raise DataError(
                f"{table.place(row)}: expected one {what} a sequence, got {labels[row]!r} and {labels[first]!r} for "
                f"{key!r}"
            )
    return labels[first]


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of every channel over the training data; of a constant channel, its own size.

    Attributes:
        mean: D numbers.
        deviation: D numbers, none of them zero.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, sequences: Sequence[Values]) -> "Scale":
        """Of some sequences, missing values aside."""
        found = [mean_and_spread(channel) for channel in np.concatenate(list(sequences)).T]
        return cls(tuple(mean for mean, _ in found), tuple(spread for _, spread in found))

    def apply(self, values: Values) -> npt.NDArray[np.float32]:
        """Standardised; a missing value becomes 0, the training mean."""
        return in_float32(np.nan_to_num((values - np.array(self.mean)) / np.array(self.deviation), nan=0.0))

    def undo(self, values: npt.NDArray[Any]) -> Values:
        """Standardised numbers `[N, D]` as they were measured."""
        return np.asarray(values, np.float64) * np.array(self.deviation) + np.array(self.mean)
