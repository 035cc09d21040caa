"""Times against Python's calendar and dates written out by hand."""

import calendar as months
from datetime import date, timedelta

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.times import Spacing, calendar, calendar_names, infer_spacing, read_times


def where(row):
    return f"t.csv, line {row + 2}"


def read(*texts):
    return read_times({"time": list(texts)}, where)


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
        (["2024-01-01T00:00+02:00", "2024-01-01T01:00+02:00"], "1 hour", ["2024-01-01 00:00", "2024-01-01 01:00"]),
    ],
)
def test_spacing_is_found_and_goes_on(texts, words, then):
    times = read(*texts)
    spacing = infer_spacing([times])
    assert spacing.describe() == words
    ticks = spacing.ticks(times)
    np.testing.assert_array_equal(spacing.times(ticks), times)
    # hours after zoned ones: UTC is two hours behind +02:00
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
    times = read_times(columns, where)
    assert [str(time) for time in times] == ["2010-01-31T22:00:00", "2010-01-31T23:00:00"]
    columns = {"date": ["2010-01-31", "2010-01-31"], "clock": ["22:30", "23:00"]}
    assert str(read_times(columns, where)[0]) == "2010-01-31T22:30:00"
    assert infer_spacing([read_times({"year": [1990, 1991]}, where)]).describe() == "12 months"


def test_what_is_no_time_is_refused_with_its_line():
    with pytest.raises(DataError, match=r"t\.csv, line 3: '31\.12\.2020' in column time is no time; expected ISO 8601"):
        read("2020-12-30", "31.12.2020")
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
