"""The time axis of a series: reading it, finding its spacing, going on beyond its end, and the calendar as features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import numpy as np

from ostinato.core.errors import DataError

Unit = Literal["row", "number", "second", "business day", "month"]

#: Columns that together are a time, from the longest unit to the shortest.
PARTS = ("year", "month", "day", "hour", "minute", "second")

#: A column of a table.
Column: TypeAlias = Sequence[Any] | np.ndarray

_DAY = 86_400
_EPOCH_DAY = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True)
class Spacing:
    """A regular axis: every time is a whole number of steps from every other.

    Attributes:
        unit: what `step` counts: rows, numbers as they stand, seconds, days from Monday to Friday, or months.
        step: units from one time to the next.
        offset: months only: seconds from the month's beginning; -1 for its last day.
    """

    unit: Unit
    step: int
    offset: int = 0

    @property
    def dated(self) -> bool:
        """Whether times are dates."""
        return self.unit not in ("row", "number")

    def ticks(self, times: np.ndarray) -> np.ndarray:
        """Times as whole units, `[T]` int64; what lies between two units counts as the earlier."""
        if not self.dated:
            return times.astype(np.int64)
        if self.unit == "month":
            return times.astype("datetime64[M]").astype(np.int64)
        if self.unit == "business day":
            return np.busday_count(_EPOCH_DAY, times.astype("datetime64[D]")).astype(np.int64)
        return times.astype("datetime64[s]").astype(np.int64)

    def times(self, ticks: np.ndarray) -> np.ndarray:
        """The times of whole units: datetime64[s], or whole numbers where times are not dates."""
        if not self.dated:
            return ticks
        if self.unit == "month":
            if self.offset < 0:
                return ((ticks + 1).astype("datetime64[M]").astype("datetime64[D]") - 1).astype("datetime64[s]")
            return ticks.astype("datetime64[M]").astype("datetime64[s]") + self.offset
        if self.unit == "business day":
            return np.busday_offset(_EPOCH_DAY, ticks, roll="forward").astype("datetime64[s]")
        return ticks.astype("datetime64[s]")

    def written(self, ticks: np.ndarray) -> list[str]:
        """Times as text, no longer than the spacing needs: 1960-12, 1960-12-31, 1960-12-31 23:00."""
        times = self.times(ticks)
        if not self.dated:
            return [str(number) for number in times]
        whole_months = self.unit == "month" and self.offset == 0
        if whole_months:
            unit = "Y" if self.step % 12 == 0 and not np.any(ticks % 12) else "M"
        elif np.all(times.astype(np.int64) % _DAY == 0) and (self.unit != "second" or self.step % _DAY == 0):
            unit = "D"
        else:
            unit = "m" if np.all(times.astype(np.int64) % 60 == 0) else "s"
        return [text.replace("T", " ") for text in np.datetime_as_string(times, unit=unit)]  # type: ignore[call-overload]

    def describe(self) -> str:
        """The spacing in words: "1 month", "15 minutes"."""
        count, unit = self.step, self.unit
        if unit == "second":
            for name, seconds in (("day", _DAY), ("hour", 3600), ("minute", 60)):
                if count % seconds == 0:
                    count, unit = count // seconds, name  # type: ignore[assignment]
                    break
        return f"{count} {unit}" + ("s" if count != 1 else "")

    def to_json(self) -> dict[str, Any]:
        """As `Spacing(**...)` takes it."""
        return {"unit": self.unit, "step": self.step, "offset": self.offset}


def read_times(columns: Mapping[str, Column], where: Callable[[int], str]) -> np.ndarray:
    """One time a row, from one column or from several that belong together.

    Columns called year, month, day, hour, minute and second (in any case) are numbers; other columns are joined with a
    blank between them. Times are ISO 8601 (1949-01, 2024-02-29, 2024-02-29 13:30); those with a zone become UTC. A
    single column of whole numbers stays numbers, unless its name is year or all of them are dates, 20240229, or months,
    202402, of the years 1900 to 2100.

    Args:
        columns: the time columns by name, in their order.
        where: names a row, for messages.

    Returns:
        `[T]` datetime64[s], or int64 for numbers.

    Raises:
        DataError: a time that cannot be read, and its row.
    """
    names = [name.strip().lower() for name in columns]
    if all(name in PARTS for name in names) and "year" in names:
        return _from_parts(dict(zip(names, columns.values(), strict=True)), where)
    if len(columns) == 1 and (numbers := _whole_numbers(next(iter(columns.values())))) is not None:
        compact = _compact_dates(numbers)
        return numbers if compact is None else compact
    title = ",".join(columns)
    rows = zip(*columns.values(), strict=True)
    found = [_read(" ".join(str(part).strip() for part in row), title, index, where) for index, row in enumerate(rows)]
    return np.array(found, dtype="datetime64[s]")


def _whole_numbers(column: Column) -> np.ndarray | None:
    """The column as int64; None where it is anything else."""
    try:
        numbers = np.asarray(column).astype(np.float64)
    except (TypeError, ValueError):
        return None
    finite = np.isfinite(numbers)
    if not len(numbers) or not finite.all() or np.any(numbers != np.round(numbers)):
        return None
    return numbers.astype(np.int64)


def _compact_dates(numbers: np.ndarray) -> np.ndarray | None:
    """Numbers such as 20240229 or 202402 as datetime64[s]; None where one of them is no date."""
    if len(numbers) < 2:
        return None
    days = numbers * 100 + 1 if numbers.max() < 10_000_000 else numbers  # a month by its first day
    years, months = days // 10_000, days // 100 % 100
    if years.min() < 1900 or years.max() > 2100 or months.min() < 1 or months.max() > 12:
        return None
    first = (12 * (years - 1970) + months - 1).astype("datetime64[M]")
    dates = first.astype("datetime64[D]") + (days % 100 - 1)
    same = (days % 100 > 0) & (dates.astype("datetime64[M]") == first)
    return dates.astype("datetime64[s]") if same.all() else None


def _from_parts(columns: Mapping[str, Column], where: Callable[[int], str]) -> np.ndarray:
    count = len(columns["year"])
    parts = [columns.get(name, [0 if name in PARTS[3:] else 1] * count) for name in PARTS]
    found = []
    for row, values in enumerate(zip(*parts, strict=True)):
        try:
            found.append(datetime(*(int(float(value)) for value in values)))  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            given = ", ".join(f"{name} {columns[name][row]}" for name in columns)
            raise DataError(f"{where(row)}: {given} is no time ({error})") from None
    return np.array(found, dtype="datetime64[s]")


def _read(text: str, title: str, row: int, where: Callable[[int], str]) -> datetime:
    iso = text.replace("/", "-") if text[4:5] == "/" else text
    for candidate in (iso, iso + "-01"):
        try:
            time = datetime.fromisoformat(candidate)
        except ValueError:
            continue
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    raise DataError(
        f"{where(row)}: {text!r} in column {title} is no time; expected ISO 8601, such as 1949-01, 2024-02-29 or "
        "2024-02-29 13:30, or whole numbers"
    )


def infer_spacing(times: Sequence[np.ndarray]) -> Spacing:
    """The regular spacing of one or many series: the most frequent distance from one time to the next.

    Dates that are all the same day of the month, or all a month's last, are spaced in months; days that leave out every
    Saturday and Sunday, in business days; all others in seconds.

    Args:
        times: each series' own, ascending.

    Raises:
        DataError: no series has two times.
    """
    if not any(len(each) > 1 for each in times):
        raise DataError("expected at least two times in a series, to see how far apart they are")
    every = np.concatenate(list(times))
    if every.dtype.kind != "M":
        return Spacing("number", _most_frequent(times))
    days = every.astype("datetime64[D]")
    months = every.astype("datetime64[M]")
    seconds = (every - months.astype("datetime64[s]")).astype(np.int64)
    last_day = (days + 1).astype("datetime64[M]") != months
    monthly = [each.astype("datetime64[M]").astype(np.int64) for each in times]
    apart = all(np.all(np.diff(each) > 0) for each in monthly)
    if apart and np.all(seconds == seconds[0]):
        return Spacing("month", _most_frequent(monthly), int(seconds[0]))
    if apart and np.all(last_day) and np.all(every == days):
        return Spacing("month", _most_frequent(monthly), -1)
    step = _most_frequent([each.astype("datetime64[s]").astype(np.int64) for each in times])
    weekday = (days.astype(np.int64) + 3) % 7  # 0 is Monday
    full_weeks = len(np.unique(weekday)) == 5 and weekday.max() == 4
    if step == _DAY and full_weeks and np.all(every == days):
        return Spacing("business day", 1)
    return Spacing("second", step)


def _most_frequent(times: Sequence[np.ndarray]) -> int:
    distances, counts = np.unique(
        np.concatenate([np.diff(each.astype(np.int64)) for each in times]), return_counts=True
    )
    return int(distances[counts.argmax()])


def calendar_names(spacing: Spacing) -> list[str]:
    """The features `calendar` gives at this spacing, by name."""
    if not spacing.dated:
        return []
    if spacing.unit == "month":
        count = {1: 12, 2: 6, 3: 4, 4: 3, 6: 2}.get(spacing.step, 0)
        return [f"season_{index + 1}" for index in range(count)]
    names = ["year_sin", "year_cos"]
    if spacing.unit == "business day" or spacing.step <= _DAY:
        names += [f"weekday_{index + 1}" for index in range(7)]
    if spacing.unit == "second" and spacing.step < _DAY:
        names += [f"day_{wave}{turn}" for turn in (1, 2) for wave in ("sin", "cos")]
    return names


def calendar(spacing: Spacing, ticks: np.ndarray) -> np.ndarray:
    """What the calendar says about each time, as fits the spacing.

    Months and quarters one-hot; otherwise the place in the year as a sine and a cosine, the weekday one-hot up to daily
    spacing, and the place in the day, as two harmonics, below it. Nothing for yearly or undated series.

    Returns:
        `[T, F]` float32, columns as `calendar_names`.
    """
    names = calendar_names(spacing)
    if not names:
        return np.zeros((len(ticks), 0), np.float32)
    if spacing.unit == "month":
        months = np.mod(ticks, 12)
        return np.eye(len(names), dtype=np.float32)[months // spacing.step]
    times = spacing.times(ticks)
    days = times.astype("datetime64[D]")
    year = 2 * np.pi * (days - times.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) / 365.25
    columns = [np.sin(year), np.cos(year)]
    if "weekday_1" in names:
        columns += list(np.eye(7)[(days.astype(np.int64) + 3) % 7].T)
    if "day_sin1" in names:
        day = 2 * np.pi * (times.astype(np.int64) % _DAY) / _DAY
        columns += [wave(turn * day) for turn in (1, 2) for wave in (np.sin, np.cos)]
    return np.stack(columns, axis=1).astype(np.float32)
