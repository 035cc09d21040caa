"""Forecasts from tables as strangers have them: what is read and what is written, against values made here."""

import csv
import io
import math
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import ostinato

TINY = ("--window", 14, "--horizon", 3, "--epochs", 1, "--hidden", 4, "--threads", 1)
ROWS = 60


def predicted(cli, lines, *words, target="v", time="t", then=()):
    """Train on a table and predict from it; the rows of forecasts."""
    Path("t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    trained = cli("train", "forecast", "t.csv", "--target", target, *(("--time", time) if time else ()), *words, *TINY,
                  "--out", "run", "--overwrite")  # fmt: skip
    assert trained.status == 0, trained.err
    found = cli("predict", "run", "t.csv", *then)
    assert found.status == 0, found.err
    return list(csv.DictReader(io.StringIO(found.out)))


def test_forecasts_have_the_digits_of_the_data(cli, work):
    values = [12_345_100 + 20 * math.sin(n) for n in range(ROWS)]
    rows = predicted(cli, ["t,v", *(f"{n},{value!r}" for n, value in enumerate(values))])
    again = ostinato.load("run").predict("t.csv")
    for row, answer in zip(rows, again, strict=True):
        assert {name: float(cell) for name, cell in row.items() if name != "t"} == {
            name: cell for name, cell in answer.items() if name != "t"
        }
    assert len({row["v"] for row in rows}) == 3
    assert all(abs(float(row["v"]) - 12_345_100) < 60 for row in rows)


def test_semicolons_decimal_commas_and_the_day_first_go_with_the_run(cli, work):
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(ROWS)]
    lines = ["tag;umsatz", *(f"{day:%d.%m.%Y};{1000 + n % 7},5" for n, day in enumerate(days))]
    rows = predicted(cli, lines, "--separator", ";", "--decimal", ",", target="umsatz", time="tag")
    assert [row["tag"] for row in rows] == ["01.03.2024", "02.03.2024", "03.03.2024"]
    assert all(1000 < float(row["umsatz"]) < 1008 for row in rows)
    plain = ["tag,umsatz", *(f"{day},{1000 + n % 7}.5" for n, day in enumerate(days))]
    Path("plain.csv").write_text("\n".join(plain), encoding="utf-8")
    other = cli("predict", "run", "plain.csv", "--separator", ",", "--decimal", ".")
    assert other.status == 0, other.err
    assert list(csv.DictReader(io.StringIO(other.out))) == rows
    refused = cli("predict", "run", "plain.csv")
    assert refused.status == 2
    assert '--separator ","' in refused.err
    pandas = ostinato.load("run").reading(separator=",", decimal=".").predict("plain.csv")
    assert [row["umsatz"] for row in pandas] == [float(row["umsatz"]) for row in rows]


def test_columns_by_number_and_lines_of_comment(cli, work):
    lines = ["# made by hand", *(f"{n % 5},{n}" for n in range(ROWS)), "# end"]
    rows = predicted(cli, lines, "--no-header", "--comment", "#", target="1", time="2")
    assert [row["2"] for row in rows] == ["60", "61", "62"]


def test_a_name_that_holds_a_comma(cli, work):
    lines = ['"v, total"', *(str(n % 5) for n in range(ROWS))]
    (first, *_) = predicted(cli, lines, target='"v, total"', time=None)
    assert list(first)[1] == "v, total"
    sizes = {"window": 14, "horizon": 3, "epochs": 1, "hidden": 4, "threads": 1}
    run = ostinato.train("forecast", "t.csv", out="other", target=["v, total"], **sizes)
    assert run.config["options"]["target"] == '"v, total"'


@pytest.mark.parametrize("first", [datetime(2024, 1, 1), datetime(2023, 2, 1)], ids=["winter", "into summer"])
def test_local_midnights(cli, work, first):
    start = first.replace(tzinfo=ZoneInfo("Europe/Amsterdam"))
    days = [start + timedelta(days=n) for n in range(ROWS + 3)]
    rows = predicted(cli, ["t,v", *(f"{day},{n % 7}" for n, day in enumerate(days[:ROWS]))])
    assert [row["t"] for row in rows] == [str(day) for day in days[ROWS:]]


def test_counts_are_never_forecast_below_zero(cli, work):
    counts = [max(0, round(2 * math.sin(n))) for n in range(ROWS)]
    lines = ["v", *map(str, counts)]
    for transform in ("auto", "log"):
        rows = predicted(cli, lines, "--transform", transform, time=None)
        assert min(float(row["v_low_95"]) for row in rows) == 0
    rows = predicted(cli, lines, "--transform", "none", "--floor", "none", time=None)
    assert min(float(row["v_low_95"]) for row in rows) < 0


@pytest.mark.parametrize("unit", [1e-300, 1e-18, 1e300])
def test_any_unit_will_do(cli, work, unit):
    """What is forecast of a series in another unit is the forecast in that unit."""
    values = [5.0 + math.sin(n) for n in range(ROWS)]
    plain = predicted(cli, ["v", *map(repr, values)], "--transform", "none", time=None)
    other = predicted(cli, ["v", *(repr(unit * value) for value in values)], "--transform", "none", time=None)
    for one, two in zip(plain, other, strict=True):
        for name in ("v", "v_low_95", "v_high_80"):
            assert float(two[name]) / unit == pytest.approx(float(one[name]), rel=1e-5)
