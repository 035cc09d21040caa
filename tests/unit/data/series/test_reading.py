"""Series from small tables, each laid out by hand."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.series.reading import SeriesColumns, numbers, read_series
from ostinato.data.tables.reading import read_table


def where(row):
    return f"t.csv, line {row + 2}"


def read(table, **columns):
    names = {role: (value,) if isinstance(value, str) else value for role, value in columns.items()}
    return read_series(table, SeriesColumns(**names), where)


def test_one_series_with_a_gap_and_a_missing_value():
    table = {"day": ["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06"], "y": ["1", "NA", "3", "4"]}
    (series,), spacing = read(table, target="y", time="day")
    assert spacing.describe() == "1 day"
    np.testing.assert_array_equal(series.target[:, 0], [1, np.nan, np.nan, np.nan, 3, 4])
    assert (series.gaps, series.missing) == (2, 3)


def test_leading_rows_without_target_go_and_trailing_ones_give_covariates():
    table = {"y": [np.nan, 2.0, 3.0, np.nan, np.nan], "price": [1.0, 2.0, 3.0, 4.0, 5.0], "sky": list("abcde")}
    (series,), spacing = read(table, target="y", future="price", past="sky")
    assert spacing.unit == "row"
    assert series.first == 1
    np.testing.assert_array_equal(series.target[:, 0], [2, 3])
    np.testing.assert_array_equal(series.covariates["price"], [2, 3, 4, 5])
    assert series.covariates["sky"].tolist() == list("bcde")


def test_many_series_mixed_row_by_row():
    table = {
        "shop": ["b", "a", "b", "a", "a", "empty"],
        "month": ["2020-01", "2020-03", "2020-02", "2020-04", "2020-06", "2020-01"],
        "y": [1, 10, 2, 20, 40, None],
    }
    series, _ = read(table, target="y", time="month", id="shop")
    assert [each.key for each in series] == ["b", "a"]
    np.testing.assert_array_equal(series[0].target[:, 0], [1, 2])
    np.testing.assert_array_equal(series[1].target[:, 0], [10, 20, np.nan, 40])
    assert series[1].first - series[0].first == 2


def test_several_targets():
    (series,), _ = read({"a": [1, 2, 3], "b": [4, None, 6]}, target=("a", "b"))
    np.testing.assert_array_equal(series.target, [[1, 4], [2, np.nan], [3, 6]])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["2024-01-01", "2024-01-03", "2024-01-02"], r"line 4: time 2024-01-02 comes after 2024-01-03.*sort the rows"),
        (["2024-01-01", "2024-01-02", "2024-01-02"], r"line 4: time 2024-01-02 is there twice.*one row.*--id"),
        (["2024-01-01", "2024-01-02", "2024-01-03 12:00"], r"line 4: .* does not fit the spacing of 1 day"),
    ],
)
def test_times_that_cannot_be_are_refused_with_their_line(times, message):
    if len(times[-1]) > 10:
        times = ["2023-12-31", *times]
        message = message.replace("4", "5", 1)
    with pytest.raises(DataError, match=message):
        read({"t": times, "y": [1.0] * len(times)}, target="y", time="t")


def test_a_few_times_very_far_apart_are_refused():
    times = [0, 1, 2, 3, 100_000]
    with pytest.raises(DataError, match=r"line 6: at the spacing of 1 number .* 100,001 rows .* where there are 5"):
        read({"t": times, "y": [1.0] * 5}, target="y", time="t")


def test_targets_that_are_no_numbers_are_refused_with_their_line():
    with pytest.raises(DataError, match=r"line 3: expected a number in column 'y', got 'two'"):
        read({"y": ["1", "two", "3"]}, target="y")
    with pytest.raises(DataError, match=r"line 3: column 'y' is infinite"):
        read({"y": ["1", "inf", "3"]}, target="y")
    with pytest.raises(DataError, match=r"column y: expected numbers, every value is missing"):
        read({"y": ["", "nan", "NULL"]}, target="y")


def test_columns_that_are_not_there_or_twice():
    with pytest.raises(DataError, match=r"--past: no column 'wind'; there are 'y', 'sun'"):
        read({"y": [1], "sun": [1]}, target="y", past="wind")
    with pytest.raises(DataError, match=r"'y' is named twice"):
        read({"y": [1]}, target="y", past="y")
    with pytest.raises(DataError, match="found none"):
        read({"y": []}, target="y")


def test_categories_are_what_they_are():
    """Whatever they look like, and whatever else the table holds."""
    table = {"y": [1.0, 2.0, 3.0, 4.0], "event": ["none", "", "christmas", "NA"], "hall": ["0", "1_2", "0", "2"]}
    (series,), _ = read(table, target="y", past=("event", "hall"))
    assert series.covariates["event"].tolist() == ["none", None, "christmas", "NA"]
    assert series.covariates["hall"].tolist() == ["0", "1_2", "0", "2"]
    later = {"y": [1.0, 2.0], "event": ["none", "none"], "hall": [0.0, 2]}
    columns, text = SeriesColumns(("y",), past=("event", "hall")), {"event": True, "hall": True}
    (series,), _ = read_series(later, columns, where, text=text)
    assert series.covariates["hall"].tolist() == ["0", "2"]
    with pytest.raises(DataError, match=r"t.csv, line 2: expected a number in column 'event', got 'a'"):
        read_series({**later, "event": ["a", "b"]}, columns, where, text={"event": False, "hall": True})


@pytest.mark.parametrize("word", ["", " ", "NA", "n/a", "NaN", "null", "None", "?", None, math.nan])
def test_what_counts_as_missing(word):
    assert np.isnan(numbers([word, "1"], "y", where)[0])


def again(table, spacing):
    return read_series(table, SeriesColumns(("y",), ("t",)), where, spacing)


def test_a_table_may_show_more_of_its_zone_than_training_did():
    """Trained in winter, read in spring: days stay days, and what is written has the zone's own offsets."""
    winter = {"t": [f"2024-03-{day} 00:00:00+01:00" for day in range(22, 30)], "y": [1.0] * 8}
    (_,), spacing = read(winter, target="y", time="t")
    assert spacing.zone == "+01:00"
    later = [*winter["t"], "2024-03-30 00:00:00+01:00", "2024-03-31 00:00:00+01:00", "2024-04-01 00:00:00+02:00"]
    (series,), found = again({"t": later, "y": [1.0] * 11}, spacing)
    assert len(series) == 11
    assert found.written(np.array([series.first, series.first + 11 * found.step])) == [
        "2024-03-22 00:00:00+01:00",
        "2024-04-02 00:00:00+02:00",
    ]
    with pytest.raises(DataError, match="column t: expected times with an offset from UTC, as in training"):
        again({"t": ["2024-03-30", "2024-03-31"], "y": [1.0, 2.0]}, spacing)


def test_fractions_of_a_second_are_not_cut_off():
    (_,), spacing = read({"t": ["2024-01-01 00:00:01", "2024-01-01 00:00:02"], "y": [1.0, 2.0]}, target="y", time="t")
    with pytest.raises(DataError, match=r"line 3: time 2024-01-01 00:00:02.5\d* does not fit the spacing of 1 second"):
        again({"t": ["2024-01-01 00:00:01", "2024-01-01 00:00:02.5"], "y": [1.0, 2.0]}, spacing)
    (series,), spacing = read({"second": ["0", "0.25", "0.5"], "year": [2024] * 3, "y": [1.0] * 3},
                              target="y", time=("year", "second"))  # fmt: skip
    assert (len(series), spacing.describe()) == (3, "0.25 seconds")


def test_parquets_zones_and_fractions(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    start = datetime(2023, 3, 24, 23, tzinfo=UTC)  # midnight in Amsterdam
    days = [datetime(2023, 3, 25 + n, tzinfo=ZoneInfo("Europe/Amsterdam")) for n in range(5)]
    fine = [1_000_000_000 * 1_700_000_000 + 100 * n for n in range(5)]
    columns = {
        "day": arrow.array(days, arrow.timestamp("us", "Europe/Amsterdam")),
        "fine": arrow.array(fine, arrow.timestamp("ns")),
        "y": arrow.array([1.0] * 5),
    }
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    assert days[0] == start
    table = read_table(tmp_path / "t.parquet").columns
    (series,), spacing = read(table, target="y", time="day")
    assert (len(series), spacing.describe()) == (5, "1 day")
    assert spacing.written(np.array([series.first + 5 * spacing.step])) == ["2023-03-30 00:00+02:00"]
    (series,), spacing = read(table, target="y", time="fine")
    assert (len(series), spacing.describe()) == (5, "1e-07 seconds")


def test_whole_numbers_are_the_same_series_whatever_they_are_kept_as():
    found, _ = read({"s": [1, 2.0, 1.0, 2], "y": [1.0, 2.0, 3.0, 4.0]}, target="y", id="s")
    assert [(each.key, each.target[:, 0].tolist()) for each in found] == [("1", [1, 3]), ("2", [2, 4])]
    with pytest.raises(DataError, match=r"line 3: expected the id of a series in column 's', got nothing"):
        read({"s": ["a", math.nan], "y": [1.0, 2.0]}, target="y", id="s")


@pytest.mark.parametrize("text", [None, {"p": False}])
def test_an_infinite_covariate_is_refused_in_training_as_later(text):
    table = {"y": [1.0, 2.0, 3.0], "p": ["1", "inf", "3"]}
    with pytest.raises(DataError, match=r"line 3: column 'p' is infinite"):
        read_series(table, SeriesColumns(("y",), past=("p",)), where, text=text)
