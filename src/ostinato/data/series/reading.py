"""Series from the columns of a table: one or many, on a regular grid, with what is known about them beside.

Rules, the same for training, evaluation and prediction:

- Times ascend within a series. What lies between two times further apart than the spacing is a gap; its rows are
  filled in, with every value missing.
- A series begins and ends with the first and the last row that has a target; rows after the end may still give
  covariates that are known in advance.
- A missing value is replaced by the last known one, and a column with missing values gets an indicator. A missing
  target weighs nothing, in the loss as in every figure.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ostinato.core.errors import DataError
from ostinato.data.series.dates import Column, Times, read_times
from ostinato.data.series.times import Spacing, spacing_of
from ostinato.data.tables.layout import chosen_layout
from ostinato.data.tables.numbers import MISSING_NUMBERS, number_advice, plain_number
from ostinato.data.tables.spelling import name_of

#: Rows a series may grow to by filling gaps, as a multiple of those it has.
_SPARSE = 10


@dataclass(frozen=True)
class SeriesColumns:
    """Which column is what.

    Attributes:
        target: to be forecast.
        time: together a row's time; none where the rows themselves are the time.
        id: tells the series of a table apart; none where there is one.
        past: known up to the moment of forecasting.
        future: known beyond it too: prices, holidays.
        static: the same in all rows of a series.
        wide: columns that are a series each, of what is then the one target; none where rows tell the series apart.
    """

    target: tuple[str, ...]
    time: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()

    @property
    def covariates(self) -> tuple[str, ...]:
        """Past, future and static."""
        return self.past + self.future + self.static

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read."""
        if self.wide:
            return self.wide + self.time + self.covariates
        return self.target + self.time + self.id + self.covariates


@dataclass(frozen=True)
class Series:
    """One series, every row one step after the row before.

    Attributes:
        key: its id; empty where there is one series.
        first: tick of its first row.
        target: `[T, K]` float64, NaN where missing.
        covariates: by name, `[T+, ]` float64 or text (object), with rows beyond the end where the table has them.
        gaps: rows filled in.
    """

    key: str
    first: int
    target: np.ndarray
    covariates: Mapping[str, np.ndarray]
    gaps: int = 0

    def __len__(self) -> int:
        return len(self.target)

    @property
    def missing(self) -> int:
        """Targets missing, those in gaps included."""
        return int(np.isnan(self.target).sum())


def read_series(
    table: Mapping[str, Column],
    columns: SeriesColumns,
    where: Callable[[int], str],
    spacing: Spacing | None = None,
    text: Mapping[str, bool] | None = None,
) -> tuple[list[Series], Spacing]:
    """All series of a table, in the order of their first rows, and their spacing.

    Args:
        table: columns by name, each of numbers or of text.
        columns: which is what.
        where: names a row, for messages: "sales.csv, line 12".
        spacing: of the series the model was trained on; inferred where None.
        text: of each covariate, whether it was text in training; where None, what is not all numbers is.

    Raises:
        DataError: columns that are not there, times or targets that cannot be used; the message names the row.
    """
    require_columns(table, columns)
    count = len(table[columns.target[0]])
    if not count:
        raise DataError("expected at least one row of data, found none")
    target = np.stack([numbers(table[name], name, where) for name in columns.target], axis=1)
    covariates = {}
    for name in columns.covariates:
        if text is None:
            covariates[name] = _require_finite(_as_it_looks(table[name], name, where), name, where)
        else:
            covariates[name] = _texts(table[name]) if text[name] else numbers(table[name], name, where)
    keys = [key_of(row) for row in zip(*(_ids(table[name], name, where) for name in columns.id), strict=True)]
    rows_of = _grouped(keys) if keys else {"": np.arange(count)}
    if columns.time:
        times = read_times({name: table[name] for name in columns.time}, where, _said(spacing))
        for key, rows in rows_of.items():
            _require_ascending(times, rows, key, columns, where)
        groups = list(rows_of.values())
        spacing = spacing_of(times, groups) if spacing is None else _as_trained(spacing, times, columns)
        on_axis = spacing.on_axis(times)
        ticks = spacing.ticks(on_axis)
        _require_whole_units(on_axis, ticks, spacing, times, where)
    else:
        spacing = Spacing("row", 1)
        ticks = np.zeros(count, np.int64)
        for rows in rows_of.values():
            ticks[rows] = np.arange(len(rows))
    found = []
    for key, rows in rows_of.items():
        places = _places(ticks[rows], rows, spacing, where)
        if (series := _on_grid(key, ticks[rows], places, rows, target, covariates)) is not None:
            found.append(series)
    if not found:
        raise DataError(f"column {', '.join(columns.target)}: expected numbers, every value is missing")
    return found, spacing


def key_of(cells: Sequence[Any]) -> str:
    """A series' key: its id, or those of several columns as a line of CSV, so that none is like another's."""
    texts = [str(cell) for cell in cells]
    if len(texts) == 1:
        return texts[0]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()


def ids_of(key: str, columns: int) -> list[str]:
    """What `key_of` was given."""
    return [key] if columns == 1 else next(csv.reader([key]))


def require_columns(table: Mapping[str, Any], columns: SeriesColumns) -> None:
    """Check that a table has every column, and that none is in two places.

    Raises:
        DataError: it lacks one; the message names those there are.
    """
    for role in ("target", "time", "id", "past", "future", "static"):
        for name in getattr(columns, role):
            if name not in table:
                raise DataError(f"--{role}: no column {name!r}; there are {', '.join(map(repr, table))}")
    used = columns.target + columns.past + columns.future
    for name in used:
        if used.count(name) > 1:
            raise DataError(f"column {name!r} is named twice; a column is one of --target, --past and --future")


def numbers(column: Column, name: str, where: Callable[[int], str]) -> np.ndarray:
    """A column as float64, NaN where it is missing.

    Raises:
        DataError: something else than a number, or an infinite one, and its row.
    """
    found = numbers_or_text(column)
    if found.dtype == object:
        row = next(row for row, value in enumerate(found) if value is not None and _number(value) is None)
        advice = number_advice(found[row])
        raise DataError(f"{where(row)}: expected a number in column {name!r}, got {found[row]!r}; {advice}")
    return _require_finite(found, name, where)


def _as_it_looks(column: Column, name: str, where: Callable[[int], str]) -> np.ndarray:
    """Numbers or categories; a DataError where all of them would be numbers, if decimal commas were read."""
    found = numbers_or_text(column)
    if found.dtype == object and chosen_layout().decimal == ".":
        texts = [str(value) for value in column if not _missing(value)]
        if texts and all(_number(text.replace(",", ".", 1)) is not None for text in texts):
            row = next(row for row, value in enumerate(column) if not _missing(value) and _number(value) is None)
            raise DataError(
                f"{where(row)}: {column[row]!r} in column {name!r} looks like a number with a decimal comma, as all of "
                "the column do: --decimal , reads it"
            )
    return found


def _require_finite(column: np.ndarray, name: str, where: Callable[[int], str]) -> np.ndarray:
    if column.dtype != object and np.isinf(column).any():
        raise DataError(
            f"{where(int(np.isinf(column).argmax()))}: column {name!r} is infinite; expected a number: leave the cell "
            "empty where the value is missing"
        )
    return column


def numbers_or_text(column: Column) -> np.ndarray:
    """A column as float64 with NaN for missing values; as objects, text and None, where one is not a number.

    In text an empty cell alone is missing: "none" and "NA" are as good categories as any.
    """
    if isinstance(column, np.ndarray) and column.dtype.kind in "fiub":
        return column.astype(np.float64)
    texts = [None if _missing(value) else value for value in column]
    found = [np.nan if value is None else _number(value) for value in texts]
    if any(value is None for value in found):
        return _texts(column)
    return np.array(found, dtype=np.float64)


def _texts(column: Column) -> np.ndarray:
    """As objects, text and None; whole numbers are written without a point, whatever they are kept as."""
    found = np.empty(len(column), dtype=object)
    found[:] = [name_of(value) for value in column]
    return found


def _ids(column: Column, name: str, where: Callable[[int], str]) -> list[str]:
    """As text; a DataError where one is missing."""
    found = [name_of(value) for value in column]
    if None in found:
        raise DataError(f"{where(found.index(None))}: expected the id of a series in column {name!r}, got nothing")
    return [each for each in found if each is not None]


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and (not value.strip() or value.strip().lower() in MISSING_NUMBERS))


def _number(value: Any) -> float | None:
    try:
        return plain_number(value)
    except (TypeError, ValueError):
        return None


def _said(spacing: Spacing | None) -> str:
    """The format that times are in where they are not ISO 8601: as an option said, or as in training."""
    said = chosen_layout().date_format
    if said or spacing is None:
        return said
    return "" if spacing.format.startswith(("%Y-", "%Y/", "%Y%m")) else spacing.format


def _as_trained(spacing: Spacing, times: Times, columns: SeriesColumns) -> Spacing:
    """The spacing of training, in a zone that fits these times as well."""
    title = ",".join(columns.time)
    if spacing.dated != times.dated:
        raise DataError(f"column {title}: expected {'dates' if spacing.dated else 'whole numbers'}, as in training")
    if not spacing.zone and not spacing.format and times.shifts is not None:
        return replace(spacing, absolute=True, zone="+00:00")  # a run of before, which counts in UTC
    if bool(spacing.zone) != (times.shifts is not None):
        kind = "with an offset from UTC" if spacing.zone else "without an offset from UTC"
        raise DataError(f"column {title}: expected times {kind}, as in training")
    return replace(spacing, zone=times.zone(spacing.zone))


def _require_whole_units(
    on_axis: np.ndarray, ticks: np.ndarray, spacing: Spacing, times: Times, where: Callable[[int], str]
) -> None:
    if not spacing.seconds:
        return
    cut = spacing.times(ticks) != on_axis
    if cut.any():
        row = int(cut.argmax())
        raise DataError(
            f"{where(row)}: time {_shown(times.clock[row])} does not fit the spacing of {spacing.describe()}, as in "
            "training; expected regular times: bring the rows to one spacing first"
        )


def _grouped(keys: list[str]) -> dict[str, np.ndarray]:
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return {key: np.array(of) for key, of in rows.items()}


def _require_ascending(
    times: Times, rows: np.ndarray, key: str, columns: SeriesColumns, where: Callable[[int], str]
) -> None:
    steps = np.diff(times.instants[rows]).astype(np.int64)
    if np.all(steps > 0):
        return
    at = int((steps <= 0).argmax()) + 1
    of = f" of series {key!r}" if key else ""
    before, time = times.clock[rows[at - 1]], times.clock[rows[at]]
    fault = "is there twice" if steps[at - 1] == 0 else f"comes after {_shown(before)}"
    remedy = "sort the rows by time" if steps[at - 1] else "keep one row for each time"
    if not columns.id:
        remedy += ", or name the column that tells the series apart with --id"
    raise DataError(f"{where(int(rows[at]))}: time {_shown(time)}{of} {fault}; expected times that ascend: {remedy}")


def _shown(time: Any) -> str:
    return str(time).replace("T", " ").removesuffix(" 00:00:00")


def _places(ticks: np.ndarray, rows: np.ndarray, spacing: Spacing, where: Callable[[int], str]) -> np.ndarray:
    """Each row's place on the series' grid, counted from its first row."""
    apart = ticks - ticks[0]
    wrong = (apart % spacing.step != 0) | np.r_[False, np.diff(ticks) == 0]
    if wrong.any():
        at = int(wrong.argmax())
        before, time = spacing.written(ticks[[max(at - 1, 0), at]])
        raise DataError(
            f"{where(int(rows[at]))}: time {time} after {before} does not fit the spacing of {spacing.describe()} that "
            "most rows have; expected regular times: bring the rows to one spacing first"
        )
    places = apart // spacing.step
    if places[-1] >= _SPARSE * len(places) + 100:
        raise DataError(
            f"{where(int(rows[-1]))}: at the spacing of {spacing.describe()} that most rows have, {places[-1] + 1:,} "
            f"rows would be needed where there are {len(places):,}; expected regular times"
        )
    return places


def _on_grid(
    key: str,
    ticks: np.ndarray,
    places: np.ndarray,
    rows: np.ndarray,
    target: np.ndarray,
    covariates: Mapping[str, np.ndarray],
) -> Series | None:
    """The rows laid out on the grid, from the first to the last known target; None where there is none."""
    known = np.flatnonzero(~np.isnan(target[rows]).all(axis=1))
    if not len(known):
        return None
    begin = known[0]
    first, last = int(places[begin]), int(places[known[-1]])
    places, rows = places[begin:] - first, rows[begin:]
    values = np.full((last - first + 1, target.shape[1]), np.nan)
    inside = places < len(values)
    values[places[inside]] = target[rows[inside]]
    beside = {}
    for name, column in covariates.items():
        laid = np.full(places[-1] + 1, None if column.dtype == object else np.nan, column.dtype)
        laid[places] = column[rows]
        beside[name] = laid
    return Series(key, int(ticks[begin]), values, beside, gaps=len(values) - int(inside.sum()))
