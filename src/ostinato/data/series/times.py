"""The time axis of a series: finding its spacing, going on beyond its end, and the calendar as features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ostinato.core.errors import DataError
from ostinato.data.series.dates import Times, write_time
from ostinato.data.series.zones import offset_text, shift_of_local, shifts_at

Unit = Literal["row", "number", "second", "microsecond", "nanosecond", "business day", "month"]

_DAY = 86_400
_EPOCH_DAY = np.datetime64("1970-01-01", "D")
_UNITS: dict[str, tuple[str, int]] = {"second": ("s", 1), "microsecond": ("us", 10**6), "nanosecond": ("ns", 10**9)}


@dataclass(frozen=True)
class Spacing:
    """A regular axis: every time is a whole number of steps from every other.

    Attributes:
        unit: what `step` counts: rows, numbers as they stand, parts of a second, days from Monday to Friday, or months.
        step: units from one time to the next.
        offset: months only: seconds from the month's beginning, on its last day where it has no such day; -1 for its
            last day.
        zone: of times that have one: "+01:00" or "Europe/Amsterdam".
        absolute: whether times are counted in UTC; else by the clock on the wall, so that a day is one of the calendar
            whether or not clocks were changed on it.
        format: how times came, as `write_time` takes it; where empty they are written no longer than needed.
    """

    unit: Unit
    step: int
    offset: int = 0
    zone: str = ""
    absolute: bool = False
    format: str = ""

    @property
    def dated(self) -> bool:
        """Whether times are dates."""
        return self.unit not in ("row", "number")

    @property
    def seconds(self) -> float:
        """The step in seconds, where it is a fixed number of them; else 0."""
        return self.step / _UNITS[self.unit][1] if self.unit in _UNITS else 0.0

    def on_axis(self, times: Times) -> np.ndarray:
        """Times as this axis counts them, `[T]`."""
        return times.instants if self.absolute else times.clock

    def ticks(self, times: np.ndarray) -> np.ndarray:
        """Times as whole units, `[T]` int64; what lies between two units counts as the earlier."""
        if not self.dated:
            return times.astype(np.int64)
        if self.unit == "month":
            return times.astype("datetime64[M]").astype(np.int64)
        if self.unit == "business day":
            return np.busday_count(_EPOCH_DAY, times.astype("datetime64[D]")).astype(np.int64)
        return times.astype(f"datetime64[{_UNITS[self.unit][0]}]").astype(np.int64)

    def times(self, ticks: np.ndarray) -> np.ndarray:
        """The times of whole units: datetime64, or whole numbers where times are not dates."""
        if not self.dated:
            return ticks
        if self.unit == "month":
            first = ticks.astype("datetime64[M]")
            last = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64) - 1
            day, second = (31, 0) if self.offset < 0 else divmod(self.offset, _DAY)
            return first.astype("datetime64[D]").astype("datetime64[s]") + np.minimum(day, last) * _DAY + second
        if self.unit == "business day":
            return np.busday_offset(_EPOCH_DAY, ticks, roll="forward").astype("datetime64[s]")
        return ticks.astype(f"datetime64[{_UNITS[self.unit][0]}]")

    def clock(self, ticks: np.ndarray) -> np.ndarray:
        """The times as the clock on the wall shows them."""
        times = self.times(ticks)
        if not self.absolute:
            return times
        return times + shifts_at(self.zone, times.astype("datetime64[s]").astype(np.int64)).astype("timedelta64[s]")

    def written(self, ticks: np.ndarray) -> list[str]:
        """Times as text: as they came, or no longer than needed: 1960-12, 1960-12-31, 1960-12-31 23:00."""
        if not self.dated:
            return [str(number) for number in self.times(ticks)]
        if not self.format:
            return self._written_shortly(ticks)
        times, clock = self.times(ticks), self.clock(ticks)
        if not self.zone:
            return [write_time(time, self.format) for time in clock]
        if self.absolute:
            shifts = shifts_at(self.zone, times.astype("datetime64[s]").astype(np.int64)).tolist()
        else:
            shifts = [shift_of_local(self.zone, time) for time in clock.astype("datetime64[us]").tolist()]
        return [write_time(time, self.format, offset_text(shift)) for time, shift in zip(clock, shifts, strict=True)]

    def _written_shortly(self, ticks: np.ndarray) -> list[str]:
        times = self.clock(ticks)
        seconds = times.astype("datetime64[s]").astype(np.int64)
        whole_months = self.unit == "month" and self.offset == 0
        if whole_months:
            unit = "Y" if self.step % 12 == 0 and not np.any(ticks % 12) else "M"
        elif np.all(seconds % _DAY == 0) and (self.unit not in _UNITS or self.seconds % _DAY == 0):
            unit = "D"
        else:
            whole_minutes = self.seconds % 60 == 0 and np.all(seconds % 60 == 0)
            unit = "m" if whole_minutes else _UNITS.get(self.unit, ("s",))[0]
        return [text.replace("T", " ") for text in np.datetime_as_string(times, unit=unit)]  # type: ignore[call-overload]

    def describe(self) -> str:
        """The spacing in words: "1 month", "15 minutes", "1.5 seconds"."""
        count: float = self.step
        unit: str = self.unit
        if unit in _UNITS:
            count, unit = self.seconds, "second"
            for name, seconds in (("day", _DAY), ("hour", 3600), ("minute", 60)):
                if count % seconds == 0:
                    count, unit = count / seconds, name
                    break
            return f"{count:.12g} {unit}" + ("s" if count != 1 else "")
        return f"{count} {unit}" + ("s" if count != 1 else "")


def spacing_of(times: Times, groups: Sequence[np.ndarray]) -> Spacing:
    """The spacing of a table's series: by the clock on the wall where that is regular in days or months, else in UTC.

    `groups` are the rows of each series.

    Raises:
        DataError: no series has two times.
    """
    clocks = [times.clock[rows] for rows in groups]
    found = infer_spacing(clocks)
    if times.shifts is not None:
        by_day = found.unit not in _UNITS or found.seconds % _DAY == 0
        if not (by_day and all(_regular(found, each) for each in clocks)):
            found = replace(infer_spacing([times.instants[rows] for rows in groups]), absolute=True)
    return replace(found, zone=times.zone(), format=times.format)


def _regular(spacing: Spacing, times: np.ndarray) -> bool:
    ticks = spacing.ticks(times)
    return not np.any((ticks - ticks[:1]) % spacing.step) and bool(np.all(spacing.times(ticks) == times))


def infer_spacing(times: Sequence[np.ndarray]) -> Spacing:
    """The regular spacing of one or many series: the most frequent distance from one time to the next.

    Dates that are all the same day of the month, or its last where it has no such day, are spaced in months; days that
    leave out every Saturday and Sunday, in business days; all others in seconds, or parts of them. Times ascend.

    Raises:
        DataError: no series has two times.
    """
    if not any(len(each) > 1 for each in times):
        raise DataError("expected at least two times in a series, to see how far apart they are")
    every = np.concatenate(list(times))
    if every.dtype.kind != "M":
        return Spacing("number", _most_frequent(times))
    days = every.astype("datetime64[D]")
    monthly = [each.astype("datetime64[M]").astype(np.int64) for each in times]
    if all(np.all(np.diff(each) > 0) for each in monthly) and (offset := _day_of_month(every)) is not None:
        return Spacing("month", _most_frequent(monthly), offset)
    code = np.datetime_data(every.dtype)[0]
    unit = next(name for name, (of, _) in _UNITS.items() if of == code)
    step = _most_frequent(times)
    weekday = (days.astype(np.int64) + 3) % 7  # 0 is Monday
    full_weeks = len(np.unique(weekday)) == 5 and weekday.max() == 4
    if unit == "second" and step == _DAY and full_weeks and np.all(every == days):
        return Spacing("business day", 1)
    return Spacing(unit, step)  # type: ignore[arg-type]


def _day_of_month(times: np.ndarray) -> int | None:
    """The offset of `Spacing` where all times are the same day of the month, or its last where it has no such day."""
    months = times.astype("datetime64[M]")
    days = times.astype("datetime64[D]")
    day = (days - months.astype("datetime64[D]")).astype(np.int64)
    last = ((months + 1).astype("datetime64[D]") - 1 - months.astype("datetime64[D]")).astype(np.int64)
    within = times - days
    if np.any(within != within[0]) or np.any(day != np.minimum(day.max(), last)):
        return None
    seconds = int(within[0].astype("timedelta64[s]").astype(np.int64))
    if within[0] != np.timedelta64(seconds, "s"):
        return None
    if np.all(day == last) and day.max() >= 29 and seconds == 0:  # the 30th of June, of September: months' ends
        return -1
    return int(day.max()) * _DAY + seconds


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
    if spacing.unit == "business day" or spacing.seconds <= _DAY:
        names += [f"weekday_{index + 1}" for index in range(7)]
    if spacing.unit in _UNITS and spacing.seconds < _DAY:
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
    times = spacing.clock(ticks).astype("datetime64[s]")
    days = times.astype("datetime64[D]")
    year = 2 * np.pi * (days - times.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) / 365.25
    columns = [np.sin(year), np.cos(year)]
    if "weekday_1" in names:
        columns += list(np.eye(7)[(days.astype(np.int64) + 3) % 7].T)
    if "day_sin1" in names:
        day = 2 * np.pi * (times.astype(np.int64) % _DAY) / _DAY
        columns += [wave(turn * day) for turn in (1, 2) for wave in (np.sin, np.cos)]
    return np.stack(columns, axis=1).astype(np.float32)
