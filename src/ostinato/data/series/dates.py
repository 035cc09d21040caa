"""Times as tables have them: read from text, numbers or dates, and written again as they came."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np

from ostinato.core.errors import DataError
from ostinato.data.series.zones import zone_of

#: Columns that together are a time, from the longest unit to the shortest.
PARTS = ("year", "month", "day", "hour", "minute", "second")

#: A column of a table.
Column: TypeAlias = Sequence[Any] | np.ndarray

#: Names a row, for messages.
Where: TypeAlias = Callable[[int], str]

_NANO = 1_000_000_000
_DIGITS = str.maketrans("123456789", "000000000")
_CLOCK = r"(?P<clock>(?P<mark>[T ])0?0:00(?P<second>:00(?:[.,](?P<fraction>0+))?)?)?(?P<zone>Z| ?[+-]00:?00(?::00)?)?"
_YEAR_FIRST = re.compile(r"0000(?P<sep>[-/.])00?(?:(?P=sep)00?)?" + _CLOCK)
_YEAR_LAST = re.compile(r"00?(?P<sep>[-/.])00?(?P=sep)0000" + _CLOCK)


@dataclass(frozen=True)
class Times:
    """The times of a table's rows.

    Attributes:
        clock: `[T]` datetime64 as the clock on the wall shows them, in seconds, microseconds or nanoseconds, whichever
            they need; int64 where they are numbers.
        shifts: `[T]` seconds that the clock is ahead of UTC; None of times without a zone.
        format: how they came, as `write_time` takes it; empty where they are numbers.
    """

    clock: np.ndarray
    shifts: np.ndarray | None = None
    format: str = ""

    @property
    def dated(self) -> bool:
        """Whether they are dates, not numbers."""
        return self.clock.dtype.kind == "M"

    @property
    def instants(self) -> np.ndarray:
        """In UTC, where they have a zone; else as they are."""
        return self.clock if self.shifts is None else self.clock - self.shifts.astype("timedelta64[s]")

    def zone(self, prefer: str = "") -> str:
        """A zone that has the offsets they have, the one preferred where it does; empty where they have none."""
        if self.shifts is None:
            return ""
        return zone_of(self.instants.astype("datetime64[s]").astype(np.int64), self.shifts, prefer)


def read_times(columns: Mapping[str, Column], where: Where, format: str = "") -> Times:
    """One time a row, from one column or from several that belong together.

    Columns called year, month, day, hour, minute and second (in any case) are numbers; other columns are joined with a
    blank between them. Times are ISO 8601 (1949-01, 2024-02-29, 2024-02-29 13:30:00.25+01:00) or dates whose year
    stands last: with points the day stands first, otherwise a day beyond the twelfth tells. A single column of whole
    numbers stays numbers, unless its name is year or all of them are dates, 20240229, or months, 202402, of the years
    1900 to 2100.

    Args:
        columns: the time columns by name, in their order.
        where: names a row, for messages.
        format: how times that are not ISO 8601 are written, as `datetime.strptime` takes it.

    Raises:
        DataError: a time that cannot be read, and its row.
    """
    names = [name.strip().lower() for name in columns]
    if all(name in PARTS for name in names) and "year" in names:
        return _from_parts(dict(zip(names, columns.values(), strict=True)), where)
    if len(columns) == 1 and (numbers := whole_numbers(column := next(iter(columns.values())))) is not None:
        if format and format not in ("%Y%m%d", "%Y%m"):
            return _from_text([str(number) for number in column], ",".join(columns), where, format)
        compact = _compact_dates(numbers)
        return Times(numbers) if compact is None else compact
    joined = [" ".join(_text(part) for part in row) for row in zip(*columns.values(), strict=True)]
    found = _from_text(joined, ",".join(columns), where, format)
    if len(columns) == 1 and not isinstance(next(iter(next(iter(columns.values()))), None), str):
        return Times(found.clock, found.shifts, _least_format(found))  # not text: they came without any format
    return found


def write_time(time: np.datetime64, format: str, offset: str = "") -> str:
    """A time in the format that others came in, as `datetime.strftime` has it; `%3f` is a fraction of three digits,
    `%z` the offset from UTC."""
    moment: datetime | int = time.astype("datetime64[us]").item()
    if isinstance(moment, int):  # beyond the year 9999, where Python's calendar ends
        return str(np.datetime_as_string(time)).replace("T", " ") + offset
    nanoseconds = int(_nanoseconds_of(np.array([time]))[0])
    known = {"%Y": f"{moment.year:04d}", "%z": offset, "%m": f"{moment.month:02d}", "%d": f"{moment.day:02d}"}

    def part(match: re.Match[str]) -> str:
        code = match[0]
        if code.endswith("f"):
            return f"{nanoseconds:09d}"[: int(code[1:-1] or 6)]
        return known[code] if code in known else moment.strftime(code)

    return re.sub(r"%\d?[A-Za-z]", part, format).replace("%%", "%")


def whole_numbers(column: Column) -> np.ndarray | None:
    """The column as int64, to the last digit; None where it is anything else."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        return column.astype(np.int64)
    try:
        return np.array([_whole(value) for value in column], np.int64) if len(column) else None
    except (TypeError, ValueError, OverflowError):
        return None


def looks_like_a_date(text: str) -> bool:
    """Whether a text has the shape of a date, be it one or not."""
    shape = text.strip().translate(_DIGITS)
    return bool(_YEAR_FIRST.fullmatch(shape) or _YEAR_LAST.fullmatch(shape))


def _whole(value: Any) -> int:
    if isinstance(value, str):
        if "_" in value:  # which Python takes for a number
            raise ValueError(value)
        try:
            return int(value)
        except ValueError:
            value = float(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if not isinstance(value, float | np.floating) or not float(value).is_integer():
        raise ValueError(value)
    return int(value)


def _compact_dates(numbers: np.ndarray) -> Times | None:
    """Numbers such as 20240229 or 202402 as dates; None where one of them is no date."""
    if len(numbers) < 2:
        return None
    months_alone = numbers.max() < 10_000_000
    days = numbers * 100 + 1 if months_alone else numbers  # a month by its first day
    years, months = days // 10_000, days // 100 % 100
    if years.min() < 1900 or years.max() > 2100 or months.min() < 1 or months.max() > 12:
        return None
    first = (12 * (years - 1970) + months - 1).astype("datetime64[M]")
    dates = first.astype("datetime64[D]") + (days % 100 - 1)
    same = (days % 100 > 0) & (dates.astype("datetime64[M]") == first)
    return Times(dates.astype("datetime64[s]"), None, "%Y%m" if months_alone else "%Y%m%d") if same.all() else None


def _from_parts(columns: Mapping[str, Column], where: Where) -> Times:
    count = len(columns["year"])
    parts = [columns.get(name, [0 if name in PARTS[3:] else 1] * count) for name in PARTS]
    found = []
    for row, (*whole, second) in enumerate(zip(*parts, strict=True)):
        try:
            seconds = float(second)
            if not 0 <= seconds < 60:
                raise ValueError("second must be in 0..59")
            found.append(datetime(*map(_whole, whole)) + timedelta(seconds=seconds))  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError) as error:
            given = ", ".join(f"{name} {columns[name][row]}" for name in columns)
            raise DataError(f"{where(row)}: {given} is no time ({error})") from None
    return Times(_as_fine_as_needed(np.array(found, "datetime64[us]")))


def _from_text(texts: list[str], title: str, where: Where, format: str) -> Times:
    shapes = {text.translate(_DIGITS) for text in texts}
    order = _order(texts, shapes, title, where, format)
    moments: list[datetime] = []
    shifts: list[int | None] = []
    for row, text in enumerate(texts):
        moment = _read(text, order, format)
        if moment is None:
            raise DataError(f"{where(row)}: {text!r} in column {title} is no time; {_expected(format)}")
        offset = moment.utcoffset()
        moments.append(moment.replace(tzinfo=None))
        shifts.append(None if offset is None else int(offset.total_seconds()))
    if len({shift is None for shift in shifts}) > 1:
        row = shifts.index(None) or next(row for row, shift in enumerate(shifts) if shift is not None)
        raise DataError(
            f"{where(row)}: {texts[row]!r} in column {title}: some times have an offset from UTC and some have none; "
            "give all of them one, or none"
        )
    clock = np.array(moments, "datetime64[us]")
    if any(re.search(r"[.,]0{7,}", shape) for shape in shapes):
        years = clock.astype("datetime64[Y]").astype(np.int64) + 1970
        beyond = (years < 1678) | (years > 2261)  # what nanoseconds in 64 bits can say
        nanoseconds = _nanoseconds(texts, title, where)
        if np.any(beyond & (nanoseconds > np.timedelta64(0))):
            row = int(beyond.argmax())
            raise DataError(f"{where(row)}: {texts[row]!r} in column {title}: nanoseconds are read from 1678 to 2261")
        if not beyond.any():
            clock = clock.astype("datetime64[ns]") + nanoseconds
    shifted = None if None in shifts else np.array(shifts, np.int64)
    known = [_format_of(shape, order) for shape in shapes]
    return Times(_as_fine_as_needed(clock), shifted, (max(known, key=len) if all(known) else "") or format)


def _expected(format: str) -> str:
    if format:
        return f"expected --date-format {format!r}, or ISO 8601"
    return (
        "expected ISO 8601, such as 1949-01, 2024-02-29 or 2024-02-29 13:30, or whole numbers; --date-format "
        '"%d %b %Y" says how they are written otherwise'
    )


def _read(text: str, order: str, format: str) -> datetime | None:
    """A time, with its offset where it has one; None where it is none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    head, sign, rest = text.partition("T") if "T" in text else text.partition(" ")
    for sep in "/.-":
        if len(parts := head.split(sep)) == 3:
            year, month, day = parts if len(parts[0]) == 4 else reversed(parts) if order == "dmy" else (
                parts[2], parts[0], parts[1])  # fmt: skip
            head = f"{year}-{month:0>2}-{day:0>2}"
            break
    rest = f"0{rest}" if rest[1:2] == ":" else rest
    iso = head + sign + re.sub(r" (?=[+-])", "", rest).replace(",", ".")
    for candidate in (iso, iso.replace("/", "-") + "-01"):
        try:
            return datetime.fromisoformat(candidate)
        except ValueError:
            continue
    try:
        return datetime.strptime(text, format) if format else None
    except ValueError:
        return None


def _order(texts: list[str], shapes: set[str], title: str, where: Where, format: str) -> str:
    """Whether the day or the month stands first in dates whose year stands last: "dmy" or "mdy"."""
    found = {match["sep"] for shape in shapes if (match := _YEAR_LAST.fullmatch(shape))}
    if "%d" in format and "%m" in format and "%Y" in format:
        return "dmy" if format.index("%d") < format.index("%m") else "mdy"
    if not found or found == {"."}:
        return "dmy"
    dates = [re.match(r"(\d+)[-/.](\d+)[-/.]\d{4}", text) for text in texts]
    first = any(int(match[1]) > 12 for match in dates if match)
    second = any(int(match[2]) > 12 for match in dates if match)
    if first == second:
        row = next(row for row, match in enumerate(dates) if match)
        why = "both the first and the second number go beyond 12" if first else "neither number goes beyond 12"
        raise DataError(
            f"{where(row)}: {texts[row]!r} in column {title}: the day or the month may stand first: {why}; say by "
            "--date-format %d/%m/%Y or --date-format %m/%d/%Y"
        )
    return "dmy" if first else "mdy"


def _format_of(shape: str, order: str) -> str:
    """The format of a text by its shape, in which all digits are 0; empty where it is another."""
    year_first, year_last = _YEAR_FIRST.fullmatch(shape), _YEAR_LAST.fullmatch(shape)
    match = year_first or year_last
    if match is None:
        return ""
    sep = match["sep"]
    if year_first:
        format = sep.join(("%Y", "%m", "%d")[: 1 + shape.split(" ")[0].split("T")[0].count(sep)])
    else:
        format = sep.join(("%d", "%m", "%Y") if order == "dmy" else ("%m", "%d", "%Y"))
    if match["clock"]:
        format += f"{match['mark']}%H:%M"
        format += ":%S" if match["second"] else ""
        format += f".%{min(len(match['fraction']), 9)}f" if match["fraction"] else ""
    zone = match["zone"] or ""
    return format + ("Z" if zone == "Z" else "%z" if zone else "")


def _least_format(times: Times) -> str:
    """No longer than the times need: dates alone where all of them begin a day."""
    zone = "" if times.shifts is None else "%z"
    seconds, nanoseconds = times.clock.astype("datetime64[s]").astype(np.int64), _nanoseconds_of(times.clock)
    if not np.any(nanoseconds) and not np.any(seconds % 86_400) and not zone:
        return "%Y-%m-%d"
    if not np.any(nanoseconds) and not np.any(seconds % 60):
        return f"%Y-%m-%d %H:%M{zone}"
    digits = next(digits for digits in range(10) if not np.any(nanoseconds % 10 ** (9 - digits)))
    return f"%Y-%m-%d %H:%M:%S{f'.%{digits}f' if digits else ''}{zone}"


def _nanoseconds_of(clock: np.ndarray) -> np.ndarray:
    """Nanoseconds into the second."""
    per_second = {"s": 1, "us": 10**6, "ns": 10**9}[np.datetime_data(clock.dtype)[0]]
    return np.asarray(clock.astype(np.int64) % per_second * (_NANO // per_second))


def _as_fine_as_needed(clock: np.ndarray) -> np.ndarray:
    for unit in ("s", "us"):
        coarse = clock.astype(f"datetime64[{unit}]")
        if np.array_equal(coarse.astype(clock.dtype), clock):
            return coarse
    return clock


def _nanoseconds(texts: list[str], title: str, where: Where) -> np.ndarray:
    """What lies beyond microseconds, which Python's own reader leaves out."""
    found = np.zeros(len(texts), np.int64)
    for row, text in enumerate(texts):
        fraction = match[1] if (match := re.search(r"[.,](\d+)", text)) else ""
        if fraction[9:].strip("0"):
            raise DataError(f"{where(row)}: {text!r} in column {title}: times are read down to a nanosecond")
        found[row] = int(f"{fraction[6:9]:0<3}")
    return found.astype("timedelta64[ns]")


def _text(part: Any) -> str:
    if isinstance(part, date | np.datetime64):
        return str(part)
    return str(part).strip()
