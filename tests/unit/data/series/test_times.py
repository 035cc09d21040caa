"""Times against Python's calendar and dates written out by hand."""

import calendar as months
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.series.dates import read_times
from ostinato.data.series.times import Spacing, calendar, calendar_names, infer_spacing, spacing_of


def where(row):
    return f"t.csv, line {row + 2}"


def read(*texts):
    return read_times({"time": list(texts)}, where).clock


@pytest.mark.parametrize(
    ("texts", "words", "then"),
    [
        (["1949-01", "1949-02", "1949-03"], "1 month", ["1949-04", "1949-05"]),
        (["2020-01-31", "2020-02-29", "2020-03-31"], "1 month", ["2020-04-30", "2020-05-31"]),
        (["2020-01-15", "2020-04-15", "2020-07-15"], "3 months", ["2020-10-15", "2021-01-15"]),
        (["2023-12-30", "2023-12-31", "2024-01-01"], "1 day", ["2024-01-02", "2024-01-03"]),
        (["2024-02-27", "2024-02-28"], "1 day", ["2024-02-29", "2024-03-01"]),
        (["2024-01-04", "2024-01-11", "2024-01-18"], "7 days", ["2024-01-25", "2024-02-01"]),
        (["2024-01-01 22:00", "2024-01-01 23:00"], "1 hour", ["2024-01-02 00:00", "2024-01-02 01:00"]),
        (["2024-01-01T00:00:00", "2024-01-01T00:00:30"], "30 seconds", ["2024-01-01 00:01:00", "2024-01-01 00:01:30"]),
        (["2024/01/01 00:15", "2024/01/01 00:30"], "15 minutes", ["2024-01-01 00:45", "2024-01-01 01:00"]),
    ],
)
def test_spacing_is_found_and_goes_on(texts, words, then):
    times = read(*texts)
    spacing = infer_spacing([times])
    assert spacing.describe() == words
    ticks = spacing.ticks(times)
    np.testing.assert_array_equal(spacing.times(ticks), times)
    assert spacing.written(ticks[-1] + spacing.step * np.arange(1, 3)) == then


def test_numbers_stay_numbers():
    times = read(10, 20, 30)
    spacing = infer_spacing([times])
    assert (spacing.unit, spacing.step) == ("number", 10)
    assert spacing.written(times[-1] + spacing.step * np.arange(1, 3)) == ["40", "50"]
    assert calendar(spacing, times).shape == (3, 0)


def test_dates_without_hyphens():
    times = read(20240130, 20240131, 20240201)
    spacing = infer_spacing([times])
    assert spacing.describe() == "1 day"
    assert spacing.written(spacing.ticks(times[-1:]) + spacing.step) == ["2024-02-02"]
    assert infer_spacing([read(202411, 202412, 202501)]).describe() == "1 month"
    for numbers in [(20240131, 20240132), (202412, 202413), (190012, 190000), (2023, 2024), (10000101, 10000102)]:
        assert read(*numbers).dtype == np.int64


def test_seconds_are_written_where_there_are_any():
    times = read("2024-01-01 12:00:30", "2024-01-01 12:10:30", "2024-01-01 12:20:30")
    spacing = infer_spacing([times])
    assert spacing.written(spacing.ticks(times[-1:]) + spacing.step) == ["2024-01-01 12:30:30"]


def test_working_days_go_on_over_the_weekend():
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(40)]
    working = [str(day) for day in days if day.weekday() < 5]
    times = read(*working)
    spacing = infer_spacing([times])
    ticks = spacing.ticks(times)
    assert spacing.unit == "business day"
    assert set(np.diff(ticks)) == {1}
    assert working[-1] == "2024-02-09"  # a Friday
    assert spacing.written(ticks[-1] + np.arange(1, 3)) == ["2024-02-12", "2024-02-13"]


def test_parts_are_joined():
    columns = {"Year": ["2010", "2010"], "month": [1, 1], "Day": [31, 31], "HOUR": ["22", "23"]}
    times = read_times(columns, where).clock
    assert [str(time) for time in times] == ["2010-01-31T22:00:00", "2010-01-31T23:00:00"]
    columns = {"date": ["2010-01-31", "2010-01-31"], "clock": ["22:30", "23:00"]}
    assert str(read_times(columns, where).clock[0]) == "2010-01-31T22:30:00"
    assert infer_spacing([read_times({"year": [1990, 1991]}, where).clock]).describe() == "12 months"


def test_what_is_no_time_is_refused_with_its_line():
    with pytest.raises(DataError, match=r"t\.csv, line 3: '2020-12-32' in column time is no time; expected ISO 8601"):
        read("2020-12-30", "2020-12-32")
    with pytest.raises(DataError, match=r"line 3: year 2010, month 13 is no time"):
        read_times({"year": [2010, 2010], "month": [1, 13]}, where)
    with pytest.raises(DataError, match="at least two times"):
        infer_spacing([read("2020-01-01")])


def test_the_calendar_of_a_month_is_one_of_twelve():
    spacing = Spacing("month", 1)
    features = calendar(spacing, spacing.ticks(read("1999-12", "2000-01", "2000-07")))
    assert features.argmax(axis=1).tolist() == [11, 0, 6]
    assert features.sum() == 3
    quarters = calendar(Spacing("month", 3), spacing.ticks(read("1999-10", "2000-01", "2000-04")))
    assert quarters.argmax(axis=1).tolist() == [3, 0, 1]


def test_the_calendar_of_an_hour_against_pythons():
    spacing = Spacing("second", 3600)
    names = calendar_names(spacing)
    times = read("2024-03-01 06:00", "2021-07-04 18:00", "1969-12-31 00:00")
    features = dict(zip(names, calendar(spacing, spacing.ticks(times)).T, strict=True))
    for row, day in enumerate((date(2024, 3, 1), date(2021, 7, 4), date(1969, 12, 31))):
        weekday = months.weekday(day.year, day.month, day.day)
        assert [features[f"weekday_{n + 1}"][row] for n in range(7)] == [float(n == weekday) for n in range(7)]
        angle = 2 * np.pi * (day - date(day.year, 1, 1)).days / 365.25
        assert features["year_sin"][row] == pytest.approx(np.sin(angle), abs=1e-6)
    np.testing.assert_allclose(features["day_sin1"], [1, -1, 0], atol=1e-6)
    np.testing.assert_allclose(features["day_cos2"], [-1, -1, 1], atol=1e-6)


def go_on(texts, steps=2, then=None):
    """The spacing in words, and the times after the last, as they are written."""
    times = read_times({"time": list(texts)}, where)
    spacing = spacing_of(times, [np.arange(len(texts))])
    ticks = spacing.ticks(spacing.on_axis(times))
    np.testing.assert_array_equal(spacing.times(ticks), spacing.on_axis(times))
    assert spacing.written(ticks) == [str(text) for text in texts]
    assert Spacing(**asdict(spacing)) == spacing
    return spacing, spacing.written(ticks[-1] + spacing.step * np.arange(1, steps + 1))


@pytest.mark.parametrize(
    ("texts", "words", "then"),
    [
        (["2022-06-01", "2022-07-01"], "1 month", ["2022-08-01", "2022-09-01"]),
        (["2022-06", "2022-07"], "1 month", ["2022-08", "2022-09"]),
        (["2022-06-01 00:00:00", "2022-06-02 00:00:00"], "1 day", ["2022-06-03 00:00:00", "2022-06-04 00:00:00"]),
        (["2022-06-01T00:00Z", "2022-06-01T01:00Z"], "1 hour", ["2022-06-01T02:00Z", "2022-06-01T03:00Z"]),
        (["20220630", "20220701"], "1 day", ["20220702", "20220703"]),
        (["30.12.2024", "31.12.2024"], "1 day", ["01.01.2025", "02.01.2025"]),
        (["31/12/2024 10:00", "31/12/2024 10:30"], "30 minutes", ["31/12/2024 11:00", "31/12/2024 11:30"]),
        (["12/30/2024", "12/31/2024"], "1 day", ["01/01/2025", "01/02/2025"]),
        (["2022-09-29 10:00:00.000", "2022-09-29 10:00:01.500"], "1.5 seconds",
         ["2022-09-29 10:00:03.000", "2022-09-29 10:00:04.500"]),
        (["1969-12-31T23:59:59.75", "1970-01-01T00:00:00.00"], "0.25 seconds",
         ["1970-01-01T00:00:00.25", "1970-01-01T00:00:00.50"]),
        (["2024-01-01 00:00:00.000000100", "2024-01-01 00:00:00.000000350"], "2.5e-07 seconds",
         ["2024-01-01 00:00:00.000000600", "2024-01-01 00:00:00.000000850"]),
        (["2024-01-30", "2024-02-29", "2024-03-30"], "1 month", ["2024-04-30", "2024-05-30"]),
        (["2023-01-29", "2023-02-28", "2023-03-29"], "1 month", ["2023-04-29", "2023-05-29"]),
        (["2024-06-30", "2024-09-30"], "3 months", ["2024-12-31", "2025-03-31"]),
        (["9007199254740993", "9007199254740994"], "1 number", ["9007199254740995", "9007199254740996"]),
        (["1700000000123456789", "1700000000123456791"], "2 numbers", ["1700000000123456793", "1700000000123456795"]),
    ],
)  # fmt: skip
def test_times_go_on_as_they_came(texts, words, then):
    spacing, found = go_on(texts)
    assert (spacing.describe(), found) == (words, then)


def in_amsterdam(first, step, count):
    """Local times with their offsets, by Python's own zones."""
    start = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo("Europe/Amsterdam"))
    if step >= timedelta(days=1):  # by the clock on the wall
        return [str(start + n * step) for n in range(count)]
    return [str((start.astimezone(UTC) + n * step).astimezone(start.tzinfo)) for n in range(count)]


@pytest.mark.parametrize(
    ("first", "step", "words"),
    [
        ("2024-01-30", timedelta(days=1), "1 day"),  # all in winter
        ("2023-03-01", timedelta(days=1), "1 day"),
        ("2023-03-01", timedelta(days=7), "7 days"),
        ("2023-03-25 12:00", timedelta(hours=1), "1 hour"),
        ("2023-10-28 12:00", timedelta(minutes=30), "30 minutes"),  # two o'clock is there twice
    ],
)
def test_local_times_go_on_over_changed_clocks(first, step, words):
    texts = in_amsterdam(first, step, 60)
    spacing, found = go_on(texts[:50], steps=10)
    assert (spacing.describe(), found) == (words, texts[50:])


def test_local_months_are_months():
    texts = [f"2023-{month:02d}-01 00:00:00+0{1 + (4 <= month <= 10)}:00" for month in range(1, 13)]
    spacing, found = go_on(texts[:10])
    assert (spacing.describe(), found) == ("1 month", texts[10:])


def test_the_calendar_of_local_times_is_local():
    """Midnight of a Monday in Amsterdam is a Sunday in UTC."""
    texts = in_amsterdam("2023-07-01", timedelta(hours=1), 60)
    times = read_times({"t": texts}, where)
    spacing = spacing_of(times, [np.arange(60)])
    features = dict(zip(calendar_names(spacing), calendar(spacing, spacing.ticks(times.instants)).T, strict=True))
    assert texts[48] == "2023-07-03 00:00:00+02:00"
    assert (features["weekday_7"][47], features["weekday_1"][48]) == (1, 1)
    np.testing.assert_allclose(features["day_cos1"][48], 1, atol=1e-6)


def test_offsets_of_no_zone_go_on_with_the_last():
    texts = [f"2024-01-01 {n + n % 3:02d}:00:00+0{n % 3}:00" for n in range(6)]
    times = read_times({"t": texts}, where)
    with pytest.warns(UserWarning, match=r"fit no time zone; what is forecast gets the last, \+02:00"):
        spacing = spacing_of(times, [np.arange(6)])
    assert (spacing.describe(), spacing.zone) == ("1 hour", "+02:00")


def test_dates_that_were_no_text_are_written_no_longer_than_needed():
    for cells, expected in (
        ([date(2024, 1, 1), date(2024, 1, 2)], "2024-01-03"),
        ([datetime(2024, 1, 1), datetime(2024, 2, 1)], "2024-03-01"),
        ([datetime(2024, 1, 1, 10), datetime(2024, 1, 1, 11)], "2024-01-01 12:00"),
        (list(np.array(["2024-01-01T10:00:00.5", "2024-01-01T10:00:01"], "datetime64[ns]")), "2024-01-01 10:00:01.5"),
    ):
        times = read_times({"t": cells}, where)
        spacing = spacing_of(times, [np.arange(2)])
        last = spacing.ticks(times.clock)[-1:]
        assert spacing.written(last + spacing.step) == [expected]


def test_a_format_may_be_said():
    times = read_times({"t": ["1 Feb 24", "2 Feb 24"]}, where, "%d %b %y")
    spacing = spacing_of(times, [np.arange(2)])
    assert spacing.written(spacing.ticks(times.clock)[-1:] + 1 * spacing.step) == ["03 Feb 24"]
    assert str(read_times({"t": ["01/02/2024"]}, where, "%d/%m/%Y").clock[0])[:10] == "2024-02-01"
    assert str(read_times({"t": ["01/02/2024"]}, where, "%m/%d/%Y").clock[0])[:10] == "2024-01-02"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["01/02/2024", "02/02/2024"],
            r"line 2: '01/02/2024' .* may stand first: neither number .* --date-format %d/%m",
        ),
        (["13/02/2024", "02/13/2024"], r"line 2: .* both the first and the second number go beyond 12"),
        (["2024-01-01", "2024-01-02 00:00+01:00"], r"line 3: .* some times have an offset from UTC and some have none"),
        (["2024-01-01 00:00:00.0000000001"], r"line 2: .* down to a nanosecond"),
    ],
)
def test_times_that_may_mean_several_things_are_refused(texts, message):
    with pytest.raises(DataError, match=message):
        read(*texts)


def test_the_ends_of_the_calendar():
    assert go_on(["1000-01-01T00:00:00.25", "1000-01-01T00:00:00.50"])[1][0] == "1000-01-01T00:00:00.75"
    days = read_times({"t": ["9999-12-30", "9999-12-31"]}, where)
    spacing = spacing_of(days, [np.arange(2)])
    assert spacing.written(spacing.ticks(days.clock)[-1:] + spacing.step)[0].startswith("10000-01-01")
    with pytest.raises(DataError, match="nanoseconds are read from 1678 to 2261"):
        read("1000-01-01 00:00:00.000000001")
