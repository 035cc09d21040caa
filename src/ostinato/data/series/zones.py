"""Time zones of which a table shows no more than offsets from UTC."""

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Where zones are looked for first: of several with the same offsets, one is as good as another.
_AREAS = ("Europe/", "America/", "Asia/", "Australia/", "Africa/", "Pacific/", "Atlantic/")


def zone_of(instants: np.ndarray, shifts: np.ndarray, prefer: str = "") -> str:
    """A zone in which local times are ahead of UTC by `shifts`, `[T]` seconds, at `instants`, `[T]` seconds since 1970.

    It is the one preferred where that fits; else "+01:00" where all offsets are the same, otherwise a name such as
    "Europe/Amsterdam". Where none fits, it is the last offset, with a warning.
    """
    order = np.argsort(instants, kind="stable")
    instants, shifts = instants[order], shifts[order]
    changed = np.flatnonzero(np.diff(shifts))
    ends = np.unique(np.r_[0, changed, changed + 1, len(shifts) - 1])  # the first and the last time with each offset
    seen = list(zip(instants[ends].tolist(), shifts[ends].tolist(), strict=True))
    if prefer and _fits(prefer, seen):
        return prefer
    last = offset_text(int(shifts[-1]))
    if not len(changed):
        return last
    found = next((name for name in _names() if _fits(name, seen)), None)
    if found is None:
        remedy = "" if available_timezones() else "; pip install tzdata, as this system has no time zones"
        warnings.warn(
            f"the times' offsets from UTC fit no time zone; what is forecast gets the last, {last}{remedy}",
            stacklevel=2,
        )
    return found or last


def offset_text(shift: int) -> str:
    """An offset as ISO 8601 has it: 3600 is "+01:00"."""
    hours, rest = divmod(abs(shift), 3600)
    text = f"{'-' if shift < 0 else '+'}{hours:02d}:{rest // 60:02d}"
    return text if rest % 60 == 0 else f"{text}:{rest % 60:02d}"


def shifts_at(zone: str, instants: np.ndarray) -> np.ndarray:
    """Seconds that local time is ahead of UTC, `[T]`, at instants `[T]` in seconds since 1970."""
    if (fixed := _fixed(zone)) is not None:
        return np.full(len(instants), fixed)
    days, which = np.unique(instants // _DAY, return_inverse=True)
    ends = np.array([[_shift(zone, day * _DAY), _shift(zone, (day + 1) * _DAY)] for day in days.tolist()])
    ends = ends.reshape(-1, 2)
    found = ends[which, 0]
    for row in np.flatnonzero(ends[which, 0] != ends[which, 1]):  # of the days on which clocks are put forward or back
        found[row] = _shift(zone, int(instants[row]))
    return np.asarray(found)


def shift_of_local(zone: str, local: datetime) -> int:
    """Seconds that a local time is ahead of UTC; of a time that is there twice, at the first."""
    if (fixed := _fixed(zone)) is not None:
        return fixed
    offset = local.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    return int((offset or timedelta(0)).total_seconds())


def _fits(zone: str, seen: list[tuple[int, int]]) -> bool:
    return all(_shift(zone, instant) == shift for instant, shift in seen)


def _shift(zone: str, instant: int) -> int:
    if (fixed := _fixed(zone)) is not None:
        return fixed
    try:
        offset = (_EPOCH + timedelta(seconds=instant)).astimezone(ZoneInfo(zone)).utcoffset()
    except OverflowError:  # at the ends of Python's calendar
        return 0
    return int((offset or timedelta(0)).total_seconds())


@cache
def _fixed(zone: str) -> int | None:
    """The seconds of "+01:00"; None of a name."""
    if zone[:1] not in ("+", "-"):
        return None
    hours, minutes, seconds = (*map(int, zone[1:].split(":")), 0)[:3]
    return (-1 if zone[0] == "-" else 1) * (3600 * hours + 60 * minutes + seconds)


def _names() -> Iterator[str]:
    known = available_timezones()
    for area in _AREAS:
        yield from sorted(name for name in known if name.startswith(area))
