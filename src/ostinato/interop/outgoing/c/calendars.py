"""The calendar as features, in C, as `data.series.times.calendar` has them."""

from ostinato.data.series.times import Spacing, calendar_names
from ostinato.interop.outgoing.c.text import function


def width(spacing: Spacing) -> int:
    """How many there are."""
    return len(calendar_names(spacing))


def meaning(spacing: Spacing) -> str:
    """What a time is."""
    if spacing.unit == "month":
        return "months since January 1970"
    where = f" by the clock of {spacing.zone}" if spacing.zone else ""
    return f"seconds since 1970{where}, whole days where days are counted"


def function_of(spacing: Spacing) -> str:
    """A function that writes the features to the rows of the workspace's `known`."""
    if spacing.unit == "month":
        count = width(spacing)
        lines = [
            "const int month = (int)((times[r] % 12 + 12) % 12);",
            f"for (int c = 0; c < {count}; ++c) x[c] = month / {spacing.step} == c ? 1.0f : 0.0f;",
        ]
        return _HEAD + _over_rows(lines)
    names = calendar_names(spacing)
    lines = [
        "const int64_t day = times[r] >= 0 ? times[r] / 86400 : -((86399 - times[r]) / 86400);",
        "const double year = 6.283185307179586 * (double)day_of_year(day) / 365.25;",
        "*x++ = (float)sine_double(year);",
        "*x++ = (float)sine_double(year + 1.5707963267948966);",
    ]
    if "weekday_1" in names:
        lines.append("for (int c = 0; c < 7; ++c) *x++ = (day % 7 + 10) % 7 == c ? 1.0f : 0.0f; /* from Monday on */")
    if "day_sin1" in names:
        lines += [
            "for (int turn = 1; turn <= 2; ++turn) {",
            "    const double part = turn * 6.283185307179586 * (double)(times[r] - day * 86400) / 86400.0;",
            "    *x++ = (float)sine_double(part);",
            "    *x++ = (float)sine_double(part + 1.5707963267948966);",
            "}",
        ]
    return _SINE + "\n\n" + _DAY_OF_YEAR + "\n\n" + _HEAD + _over_rows(lines)


_HEAD = "/* What the calendar says of each row. */\n"


def _over_rows(lines: list[str]) -> str:
    return function("static void read_calendar(struct @_workspace *room, const int64_t *times, int rows)", [
        "for (int r = rows - @@_WINDOW; r < rows + @@_HORIZON; ++r) {",
        "    float *x = room->known[r - (rows - @@_WINDOW)];",
        *(f"    {line}" for line in lines),
        "}",
    ])  # fmt: skip


_SINE = """\
/* Of an angle from 0 to 16: its series, within half a turn of 0. */
static double sine_double(double x)
{
    double term, sum;
    while (x > 3.141592653589793) x -= 6.283185307179586;
    term = sum = x;
    for (int n = 2; n <= 22; n += 2) {
        term *= -x * x / (n * (n + 1));
        sum += term;
    }
    return sum;
}"""

_DAY_OF_YEAR = """\
/* Days since the year began, of days since 1970: the calendar in eras of 400 years that begin in March. */
static int64_t day_of_year(int64_t day)
{
    const int64_t shifted = day + 719468;
    const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const int64_t of_era = shifted - era * 146097;
    const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t from_march = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t year = year_of_era + (from_march >= 306 ? 1 : 0);
    const int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return from_march >= 306 ? from_march - 306 : from_march + 59 + leap;
}"""
