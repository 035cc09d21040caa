"""Forecasts from the command line, against figures computed here from what predict writes."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.data.tables.reading import read_table
from tests.end_to_end.test_json import faults
from tests.support import metrics

ROWS, TRAINED, W, H, M = 96, 80, 12, 4, 6
SIZES = ("--window", W, "--horizon", H, "--season", M)
TINY = ("--hidden", 8, "--epochs", 1, "--threads", 1, "--lr", 0.01)


def series(rows=ROWS, seed=0):
    """A season on a trend, with noise; two values missing."""
    rng = np.random.default_rng(seed)
    t = np.arange(rows)
    y = 50 + 0.3 * t + 8 * np.sin(2 * np.pi * t / M) + rng.normal(size=rows)
    y[[30, 93]] = np.nan
    return y


def month(t):
    return f"{1990 + t // 12}-{t % 12 + 1:02d}"


def write(path, columns):
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            rows.writerow("" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row)


@pytest.fixture
def table(work):
    y = series()
    columns = {"month": [month(t) for t in range(ROWS)], "y": y.tolist()}
    write("all.csv", columns)
    write("train.csv", {name: column[:TRAINED] for name, column in columns.items()})
    return columns


def of(result, schema=None):
    assert result.status == 0, result.err
    found = json.loads(result.out)
    if schema is not None:
        assert not faults(found, schema)
    return found


def rows_of(result):
    assert result.status == 0, result.err
    return list(csv.DictReader(io.StringIO(result.out)))


def trained(cli, *more, source="train.csv", out="run", target="y", time="month", tiny=TINY):
    words = ["train", "forecast", source, "--out", out, "--target", target, *SIZES, *tiny, *more, "--json"]
    return of(cli(*words, *(("--time", time) if time else ())), "train-forecast")


def by_hand(cli, table):
    """Every figure, from one forecast at a time that predict writes for the table cut off before it."""
    y = table["y"]
    pairs = [abs(y[t] - y[t - M]) for t in range(M, TRAINED)]
    scale = np.nanmean(pairs)
    errors, naive, squares, shares, covered = [], [], [], [], []
    for origin in range(TRAINED, ROWS - H + 1):
        write("cut.csv", {name: column[:origin] for name, column in table.items()})
        forecast = rows_of(cli("predict", "run", "cut.csv"))
        assert [row["month"] for row in forecast] == [month(t) for t in range(origin, origin + H)]
        for h, row in enumerate(forecast):
            t = origin + h
            if math.isnan(y[t]):
                continue
            error = abs(float(row["y"]) - y[t])
            errors.append(error)
            squares.append(error**2)
            shares.append(error / abs(y[t]))
            before = y[t - M] if not math.isnan(y[t - M]) else y[t - M - 1]
            naive.append(abs(before - y[t]))
            covered.append(float(row["y_low_80"]) <= y[t] <= float(row["y_high_80"]))
    return {
        "windows": ROWS - TRAINED - H + 1,
        "mae": np.mean(errors),
        "rmse": np.sqrt(np.mean(squares)),
        "mape": 100 * np.mean(shares),
        "mase": np.mean(errors) / scale,
        "naive_mase": np.mean(naive) / scale,
        "coverage_80": np.mean(covered),
    }


def test_evaluate_is_what_one_would_compute_from_predict(cli, table, work):
    said = trained(cli)
    found = of(cli("evaluate", "run", "all.csv", "--threads", 1, "--json"), "evaluate-forecast")
    expected = by_hand(cli, table)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    best = min((line for line in metrics(work / "run") if "valid_loss" in line), key=lambda line: line["valid_loss"])
    assert (said["valid_loss"], said["valid_mase"]) == (best["valid_loss"], best["valid_mase"])
    assert sorted(item.name for item in (work / "run").iterdir()) == [
        "README.md", "checkpoint", "config.json", "forecast.png", "metrics.jsonl", "model.safetensors", "series.json",
    ]  # fmt: skip


@pytest.mark.slow
def test_it_learns_what_the_simple_forecasts_cannot_know(cli, work):
    """A price known in advance moves the target, and nothing before tells."""
    price = np.random.default_rng(0).choice([0.0, 1.0], size=200)
    write("t.csv", {"price": price.tolist(), "y": (20 - 10 * price).tolist()})
    write("train.csv", {"price": price[:160].tolist(), "y": (20 - 10 * price[:160]).tolist()})
    trained(
        cli, "--future", "price", "--head", "point", "--transform", "none", time=None, tiny=("--epochs", 8, *TINY[4:])
    )
    found = of(cli("evaluate", "run", "t.csv", "--json"))
    assert found["windows"] == 200 - 160 - H + 1
    assert found["mase"] < 0.1 * found["naive_mase"]


def test_targets_in_other_units_give_forecasts_in_those(cli, table):
    """Scaling is undone: a thousand times the target is a thousand times the forecast."""
    trained(cli, "--transform", "none")
    write("big.csv", {**table, "y": [1000 * value for value in table["y"]]})
    write("train-big.csv", {name: column[:TRAINED] for name, column in table.items()} | {
        "y": [1000 * value for value in table["y"][:TRAINED]]
    })  # fmt: skip
    trained(cli, "--transform", "none", source="train-big.csv", out="big")
    small, big = rows_of(cli("predict", "run", "all.csv")), rows_of(cli("predict", "big", "big.csv"))
    for one, other in zip(small, big, strict=True):
        for name in ("y", "y_low_80", "y_high_95"):
            assert float(other[name]) == pytest.approx(1000 * float(one[name]), rel=2e-3)


@pytest.fixture
def shops(work):
    """Two shops, row by row; weather with gaps, prices known ahead, a category, missing months, a second target."""
    rng = np.random.default_rng(1)
    columns = {name: [] for name in ("shop", "year", "month", "y", "z", "sky", "price", "town")}
    for t in range(70):
        for shop, town, level in (("b", "Ulm", 1000.0), ("a", "Köln, Porz", 10.0)):
            if shop == "a" and t in (20, 21, 22):
                continue
            ended = t >= 66  # only what is known ahead
            y = level * (3 + np.sin(2 * np.pi * t / M) + 0.1 * rng.normal())
            row = (shop, 2000 + t // 12, t % 12 + 1, math.nan if ended else y, math.nan if ended else 5.0 + t % 3)
            row += (math.nan if t % 9 == 0 else rng.choice(["blue", "grey"]), rng.uniform(), town)
            for name, cell in zip(columns, row, strict=True):
                columns[name].append(cell)
    write("shops.csv", columns)
    return columns


@pytest.mark.parametrize("head", ["point", "quantile", "gaussian", "student"])
@pytest.mark.parametrize("decoding", ["direct", "autoregressive"])
@pytest.mark.slow
def test_many_series_with_everything(cli, shops, work, head, decoding):
    what = ("--id", "shop", "--past", "sky", "--future", "price", "--static", "town")
    how = ("--head", head, "--decoding", decoding)
    trained(cli, *what, *how, source="shops.csv", target="y,z", time="year,month")
    config = json.loads((work / "run/config.json").read_text())
    assert config["data"]["train"] | {"sha256": "", "files": []} == {
        "files": [], "sha256": "", "series": 2, "rows": 132, "gaps": 3, "missing": 6,
        "first": "2000 1", "last": "2005 6",
    }  # fmt: skip
    forecast = rows_of(cli("predict", "run", "shops.csv"))
    times = [(row["shop"], row["year"], row["month"]) for row in forecast]
    assert times == [(shop, "2005", str(m)) for shop in ("b", "a") for m in (7, 8, 9, 10)]
    for row in forecast:
        level = 1000 if row["shop"] == "b" else 10
        assert level < float(row["y"]) < 6 * level  # each series on its own scale
        if head == "point":
            assert "y_low_80" not in row
        else:
            low, high = float(row["z_low_80"]), float(row["z_high_80"])
            assert float(row["z_low_95"]) <= low <= float(row["z"]) <= high <= float(row["z_high_95"])
    assert ostinato.load("run").predict("shops.csv")[0]["y"] == pytest.approx(float(forecast[0]["y"]), rel=1e-5)


def test_figures_of_several_targets(cli, shops):
    trained(cli, "--id", "shop", source="shops.csv", target="y,z", time="year,month")
    assert cli("evaluate", "run", "shops.csv").status == 2  # nothing new there
    grown = {
        name: [20.0 if cell != cell else cell for cell in shops[name]] for name in ("shop", "year", "month", "y", "z")
    }
    write("grown.csv", grown)
    shown = cli("evaluate", "run", "grown.csv")
    assert shown.status == 0, shown.err
    assert "targets y" in shown.out
    assert "mae" in shown.out
    assert set(of(cli("evaluate", "run", "grown.csv", "--json"), "evaluate-forecast")["targets"]) == {"y", "z"}


def test_a_short_series_beside_longer_ones(cli, work):
    """Its windows to validate on must not reach into its neighbours."""
    rows = {"long": 60, "short": W + 1, "tiny": 6}
    columns = {"shop": [], "month": [], "y": []}
    for shop, count in rows.items():
        columns["shop"] += [shop] * count
        columns["month"] += [month(t) for t in range(count)]
        columns["y"] += [float(t % 5 + (1000 if shop == "tiny" else 0)) for t in range(count)]
    write("shops.csv", columns)
    trained(cli, "--id", "shop", source="shops.csv", time="month")
    assert (work / "run/forecast.png").is_file()
    config = json.loads((work / "run/config.json").read_text())
    assert config["data"]["train"]["last"] == month(59)


def long_table(rows, level=100.0):
    """A series of so many rows for each shop."""
    columns = {"shop": [], "month": [], "y": []}
    for shop, count in rows.items():
        columns["shop"] += [shop] * count
        columns["month"] += [month(t) for t in range(count)]
        columns["y"] += [level + t % 5 + 0.1 * math.sin(t) for t in range(count)]
    return columns


def test_a_series_that_is_too_short_keeps_no_other_from_its_forecast(cli, work):
    write("shops.csv", long_table({"new": 5, "a": 60, "newer": 3, "b": 50}))
    trained(cli, "--id", "shop", source="shops.csv", time="month")
    result = cli("predict", "run", "shops.csv", "--json")
    rows = list(csv.DictReader(io.StringIO(result.err[result.err.index("shop,") :])))
    assert {row["shop"] for row in rows if row["month"]} == {"a", "b"}
    assert of(result, "predict")["answers"] == 2 * H == len(rows)
    assert "shops.csv: not forecast: series 'new' has 5 rows; expected at least 12, the window of run" in result.err
    assert "series 'newer' has 3 rows" in result.err
    write("new.csv", long_table({"new": 5, "newer": 3}))
    alone = cli("predict", "run", "new.csv")
    assert alone.status == 2
    assert "new.csv: series 'new' has 5 rows; expected at least 12" in alone.err
    assert "(and 1 more series)" in alone.err


def test_a_series_without_its_future_keeps_no_other_from_its_forecast(cli, shops):
    trained(cli, "--id", "shop", "--future", "price", source="shops.csv", time="year,month")
    kept = [row for row, (shop, y) in enumerate(zip(shops["shop"], shops["y"], strict=True)) if shop == "a" or y == y]
    write("part.csv", {name: [column[row] for row in kept] for name, column in shops.items()})
    result = cli("predict", "run", "part.csv")
    assert {row["shop"] for row in rows_of(result)} == {"a"}
    assert "not forecast: --future price: expected its values of series 'b'" in result.err


def test_several_columns_tell_the_series_apart(cli, work):
    columns = long_table({"a": 40, "b,c": 40, "b": 40})
    columns["town"] = ["x"] * 80 + ["c,x"] * 40  # joined by a comma, the last two would be one
    write("shops.csv", columns)
    trained(cli, "--id", "shop,town", source="shops.csv", time="month")
    found = rows_of(cli("predict", "run", "shops.csv"))
    assert list(found[0])[:3] == ["shop", "town", "month"]
    assert [(row["shop"], row["town"]) for row in found[::H]] == [("a", "x"), ("b,c", "x"), ("b", "c,x")]


def test_intervals_and_steps_as_asked_for(cli, table, work):
    trained(cli)
    plain = rows_of(cli("predict", "run", "all.csv"))
    found = rows_of(cli("predict", "run", "all.csv", "--levels", "99,50,80", "--steps", 2 * H + 1))
    assert list(found[0]) == ["month", "y", *(f"y_{end}_{level}" for level in (50, 80, 99) for end in ("low", "high"))]
    assert [row["month"] for row in found] == [month(ROWS + h) for h in range(2 * H + 1)]
    for row, before in zip(found[:H], plain, strict=True):
        assert {name: row[name] for name in ("month", "y", "y_low_80")} == {
            name: before[name] for name in ("month", "y", "y_low_80")
        }
    for row in found:
        ends = [float(row[f"y_low_{level}"]) for level in (99, 80, 50)] + [float(row["y"])]
        ends += [float(row[f"y_high_{level}"]) for level in (50, 80, 99)]
        assert ends == sorted(ends)
    run = ostinato.load("run")
    python = run.predict("all.csv", levels=(50, 80, 99), steps=2 * H + 1)
    assert [row["y_high_99"] for row in python] == [float(row["y_high_99"]) for row in found]
    for words, mention in (
        (("--levels", "50,100"), "--levels 50,100: expected percents between 0 and 100"),
        (("--levels", "high"), "--levels high: expected percents"),
        (("--steps", 0), "--steps: expected at least 1, got 0"),
    ):
        result = cli("predict", "run", "all.csv", *words)
        assert result.status == 2
        assert mention in result.err
    trained(cli, "--head", "point", out="point")
    assert "--levels: a point forecast has no intervals" in cli("predict", "point", "all.csv", "--levels", 50).err


def test_answers_are_written_by_the_ending(cli, table, work):
    trained(cli)
    rows = ostinato.load("run").predict("all.csv")
    for ending in ("csv", "tsv", "jsonl", "parquet", "csv.gz", "tab"):
        written_as(cli, ending, rows)
    assert (work / "out.csv.gz").read_bytes().startswith(b"\x1f\x8b")


def written_as(cli, ending, rows):
    said = of(cli("predict", "run", "all.csv", "--output", f"out.{ending}", "--json"), "predict")
    assert (said["answers"], said["lines"]) == (H, H)
    again = read_table(f"out.{ending}")
    assert list(again.columns) == list(rows[0])
    for name in rows[0]:
        column = [row[name] for row in rows]
        assert (again.texts(name) if name == "month" else again.numbers(name).tolist()) == column


def test_a_backtest_is_written_beside_what_came(cli, table, work):
    trained(cli)
    said = of(cli("evaluate", "run", "all.csv", "--output", "back.parquet", "--json", "--threads", 1))
    rows = read_table("back.parquet")
    assert list(rows.columns) == ["month", "step", "y", "y_actual", "y_low_80", "y_high_80", "y_low_95", "y_high_95"]
    assert len(rows) == said["windows"] * H
    error = np.abs(rows.numbers("y") - rows.numbers("y_actual"))
    assert np.nanmean(error) == pytest.approx(said["mae"])
    inside = (rows.numbers("y_low_95") <= rows.numbers("y_actual")) & (
        rows.numbers("y_actual") <= rows.numbers("y_high_95")
    )
    assert np.mean(inside[np.isfinite(error)]) == pytest.approx(said["coverage_95"])
    steps = rows.numbers("step")
    for row in said["by_step"]:
        assert np.nanmean(error[steps == row["step"]]) == pytest.approx(row["mae"])
    assert rows.texts("month")[: H + 1] == [*(month(TRAINED + h) for h in range(H)), month(TRAINED + 1)]


def test_several_seasons(cli, work):
    """A day of 6 rows within a week of 42: the second season is seen too, and errors are measured by the first."""
    t = np.arange(800)
    rng = np.random.default_rng(0)
    day, week = 5 * np.sin(2 * np.pi * t / 6), 10.0 * (t % 42 >= 30)
    y = 50 + day + week * (1 + np.sin(2 * np.pi * t / 6)) + 0.3 * rng.normal(size=len(t))
    write("all.csv", {"y": y.tolist()})
    write("train.csv", {"y": y[:700].tolist()})
    errors = {}
    for season in ("6", "6,42"):
        words = (
            "train",
            "forecast",
            "train.csv",
            "--out",
            f"run{season}",
            "--target",
            "y",
            "--window",
            12,
            "--horizon",
            6,
        )
        assert cli(*words, "--season", season, *TINY, "--transform", "none").status == 0
        found = of(cli("evaluate", f"run{season}", "all.csv", "--json"))
        errors[season] = found["mae"]
        assert found["naive_mae"] == pytest.approx(np.mean(np.abs(
                [y[o + h] - y[o + h - 6] for o in range(700, 795) for h in range(6)]
            )))  # fmt: skip
    assert errors["6,42"] < 0.2 * errors["6"]
    for season, mention in (
        ("6,6", "expected different seasons"),
        ("0", "expected at least 1"),
        ("6,x", "such as 24,168"),
    ):
        result = cli("train", "forecast", "train.csv", "--out", "x", "--target", "y", *SIZES[:4], "--season", season)
        assert result.status == 2
        assert mention in result.err


def test_what_is_known_ahead_has_to_be_there(cli, shops):
    trained(cli, "--id", "shop", "--future", "price", source="shops.csv", time="year,month")
    short = {
        name: [cell for cell, y in zip(column, shops["y"], strict=True) if y == y] for name, column in shops.items()
    }
    write("short.csv", short)
    result = cli("predict", "run", "short.csv")
    assert result.status == 2
    assert (
        "--future price: expected its values of series 'b' for the 4 rows after 2005-06, up to 2005-10, got 0"
        in result.err
    )


def test_rows_without_times(cli, table):
    """The same rows again are known by their values and places; those that stand elsewhere are taken for new."""
    trained(cli, time=None)
    assert of(cli("evaluate", "run", "all.csv", "--json"))["windows"] == ROWS - TRAINED - H + 1
    write("tail.csv", {name: column[TRAINED - 20 :] for name, column in table.items()})
    result = cli("evaluate", "run", "tail.csv", "--json")
    assert (of(result)["windows"], of(result)["known_rows"]) == (ROWS - TRAINED + 20 - W - H + 1, 0)
    assert "tail.csv: without --time: the rows are not those trained on, by value and place" in result.err
    assert rows_of(cli("predict", "run", "all.csv"))[0]["row"] == str(ROWS + 1)
    revised = [*table["y"][:7], 55.0, *table["y"][8:]]
    write("revised.csv", {"y": revised})
    result = cli("evaluate", "run", "revised.csv", "--json")
    found = of(result, "evaluate-forecast")
    assert (found["windows"], found["known_rows"]) == (ROWS - TRAINED - H + 1, TRAINED)
    said = f"revised.csv: without --time: the first {TRAINED} rows are taken for those trained on, though some values"
    assert said in result.err
    write("cut.csv", {"y": revised[:60]})
    assert f"4 rows or more after the last one given to train (row {TRAINED})" in cli("evaluate", "run", "cut.csv").err


def test_rows_before_or_after_those_given_are_all_new(cli, table):
    trained(cli)
    write("later.csv", {name: column[TRAINED:] for name, column in table.items()})
    assert cli("evaluate", "run", "later.csv", "--json").status == 0  # 16 rows: one window
    earlier = {"month": [f"{1970 + t // 12}-{t % 12 + 1:02d}" for t in range(30)], "y": table["y"][:30]}
    write("earlier.csv", earlier)
    assert of(cli("evaluate", "run", "earlier.csv", "--json"))["windows"] == 30 - W - H + 1


def test_validation_and_test_tables(cli, table):
    said = trained(cli, "--valid", "all.csv", "--test", "all.csv")
    assert said["test"] == of(cli("evaluate", "run", "all.csv", "--json"))


@pytest.mark.slow
def test_training_again_on_the_same_rows_gives_the_same_forecast(cli, table):
    trained(cli)
    write("one.csv", {name: column[: TRAINED + H] for name, column in table.items()})
    once = of(cli("evaluate", "run", "one.csv", "--threads", 1, "--json"))
    again = of(cli("evaluate", "run", "one.csv", "--threads", 1, "--retrain", "--json"))
    assert once == again
    assert again["windows"] == 1
    write("two.csv", {name: column[: TRAINED + H + 9] for name, column in table.items()})
    two = of(cli("evaluate", "run", "two.csv", "--threads", 1, "--json"))
    more = of(cli("evaluate", "run", "two.csv", "--threads", 1, "--retrain", "--json"))
    assert two["naive_mase"] == more["naive_mase"]
    assert two["mase"] != more["mase"]


def test_lists_in_python_are_commas_in_commands(shops, work):
    names = {"target": ["y", "z"], "id": ["shop", "town"], "time": ("year", "month"), "season": [6, 9]}
    run = ostinato.train(
        "forecast", "shops.csv", out="run", window=6, horizon=2, epochs=1, hidden=4, threads=1, **names
    )
    assert run.codec.columns.target == ("y", "z")
    assert run.codec.columns.id == ("shop", "town")
    assert run.codec.shape.seasons == (6, 9)
    assert run.config["options"]["target"] == "y,z"
    assert run.predict("shops.csv")[2]["town"] == "Köln, Porz"


def test_a_picture_of_series_that_go_on(cli, shops, work):
    trained(cli, "--id", "shop", source="shops.csv", target="y,z", time="year,month")
    said = of(cli("plot", "run", "shops.csv", "--out", "on.svg", "--steps", 7, "--levels", 50, "--json"), "plot")
    assert said == {"run": "run", "task": "forecast", "series": ["b", "a"], "out": "on.svg"}
    drawn = (work / "on.svg").read_text()
    for text in (
        "y of b",
        "z of b",
        "y of a",
        "z of a",
        "beyond the end (50 %)",
        f"forecast of the last {H} rows (50 %)",
    ):
        assert drawn.count(f"<!-- {text} -->") == 1
    assert "2 of 2 series: 7 steps from 12" in drawn
    assert of(cli("plot", "run", "shops.csv", "--out", "a.png", "--series", "a", "--json"))["series"] == ["a"]
    assert ostinato.load("run").plot("shops.csv", "b.png", series=["b"], steps=3) == {"series": ["b"]}
    for words, mention in (
        (("--out", "x.doc"), "--out x.doc: expected the name of a picture that ends with .png or .svg"),
        (("--out", "x.png", "--series", "c"), "--series: no series to go on with is 'c'"),
        (("--out", "shops.csv/x.png"), "--out shops.csv/x.png: cannot be written"),
    ):
        result = cli("plot", "run", "shops.csv", *words)
        assert result.status == 2
        assert mention in result.err


def test_a_wide_table_is_the_long_one(cli, work):
    """Each column a series: the forecasts are those of the same numbers below each other."""
    y, z = series().tolist(), (1000 - 5 * series(seed=1)).tolist()
    months = [month(t) for t in range(ROWS)]
    price = np.random.default_rng(2).uniform(size=ROWS).tolist()
    write("wide.csv", {"north": y, "month": months, "south, far": [*z[:-3], *[math.nan] * 3], "price": price})
    long = {"series": ["north"] * ROWS + ["south, far"] * ROWS, "month": months * 2, "price": price * 2}
    write("long.csv", {**long, "value": y + z[:-3] + [math.nan] * 3})
    trained(cli, "--past", "price", "--id", "series", source="long.csv", target="value", out="long")
    words = ("train", "forecast", "wide.csv", "--out", "wide", "--wide", "--past", "price", "--time", "month", *SIZES)
    assert cli(*words, *TINY).status == 0
    wide, long = (cli("predict", run, f"{run}.csv") for run in ("wide", "long"))
    assert wide.out == long.out
    first = rows_of(wide)
    assert [(row["series"], row["month"]) for row in first[::H]] == [
        ("north", month(ROWS)), ("south, far", month(ROWS - 3))
    ]  # fmt: skip
    config = json.loads((work / "wide/config.json").read_text())
    assert config["data"]["train"]["series"] == 2
    assert cli(*words, *TINY, "--target", "north", "--overwrite").status == 0
    assert {row["series"] for row in rows_of(cli("predict", "wide", "wide.csv"))} == {"north"}
    write("text.csv", {"month": months, "a": y, "note": ["x"] * ROWS})
    for more, mention in (
        (("text.csv", "--time", "month"), "text.csv: line 2: expected a number in column 'note', got 'x'"),
        (("wide.csv", "--time", "month", "--id", "north"), "--id: in a --wide table each column is a series"),
        (("wide.csv", "--target", "east"), "wide.csv: no column 'east'"),
    ):
        result = cli("train", "forecast", more[0], "--out", "x", "--wide", *SIZES, *more[1:])
        assert result.status == 2
        assert mention in result.err
    assert "--target: expected the columns to forecast; or --wide" in cli(
        "train", "forecast", "wide.csv", "--out", "x", *SIZES
    ).err  # fmt: skip


@pytest.mark.slow
def test_refit_learns_from_the_rows_held_out(cli, work):
    """A level that only the held-out rows have: the last fit knows it, the first does not."""
    rng = np.random.default_rng(0)
    shape = np.where(np.arange(200) < 170, rng.choice([0.0, 1.0], 200), rng.choice([5.0, 6.0], 200))
    y = (40 - 5 * shape).tolist()
    write("train.csv", {"price": shape.tolist(), "y": y})
    write("next.csv", {"price": [*shape.tolist(), 6.0, 5.0, 6.0, 5.0], "y": [*y, *[math.nan] * H]})
    words = ("--future", "price", "--head", "point", "--transform", "none")
    errors = {}
    for name, more in (("once", ()), ("again", ("--refit",))):
        trained(
            cli, *words, *more, time=None, out=name, tiny=("--hidden", 8, "--epochs", 6, "--threads", 1, "--lr", 0.03)
        )
        found = ostinato.load(name).predict("next.csv")
        errors[name] = np.mean([abs(row["y"] - true) for row, true in zip(found, (10, 15, 10, 15), strict=True)])
    assert errors["again"] < 0.8 * errors["once"], errors
    assert (work / "once/series.json").read_bytes() == (work / "again/series.json").read_bytes()
    assert (work / "once/config.json").read_text() != (work / "again/config.json").read_text()
    assert "then trained again for as many steps on all rows" in (work / "again/README.md").read_text()
    before = (work / "again/model.safetensors").read_bytes()
    (work / "again/README.md").unlink()  # as where it was killed before its end
    resumed = cli("train", "forecast", "train.csv", "--out", "again", "--resume")
    assert resumed.status == 0, resumed.err
    assert (work / "again/model.safetensors").read_bytes() == before
    result = cli(
        "train", "forecast", "train.csv", "--target", "y", *SIZES, "--refit", "--valid", "next.csv", "--out", "x"
    )
    assert "--refit learns from rows held out of DATA, but with --valid none are" in result.err


@pytest.mark.slow
def test_killed_and_resumed_it_ends_in_the_same_weights(spawn, cli, table, work):
    # a late spawn: what it forks from must not have many threads of torch
    words = [
        "train",
        "forecast",
        "train.csv",
        "--target",
        "y",
        "--time",
        "month",
        *SIZES,
        "--hidden",
        8,
        "--threads",
        1,
    ]
    words += ["--epochs", 6, "--save-every", 0, "--out"]
    assert cli(*words, "whole").status == 0
    command = spawn(*words, "run")
    latest = work / "run/checkpoint/latest.json"
    command.wait_until(lambda: latest.exists() and (work / "run/model.safetensors").exists())
    command.kill()
    assert cli(*words, "run", "--resume").status == 0
    for name in ("model.safetensors", "series.json"):
        assert (work / "run" / name).read_bytes() == (work / "whole" / name).read_bytes()
    assert metrics(work / "run") == metrics(work / "whole")


def bad(name, columns):
    return lambda: write(name, columns)


TIMES = [month(t) for t in range(ROWS)]
VALUES = series().tolist()


@pytest.mark.parametrize(
    ("words", "mentions", "prepare"),
    [
        (["all.csv", "--target", "z"], ["all.csv: no column 'z'", "there are month, y"], None),
        (["all.csv", "--target", "y", "--past", "wind"], ["no column 'wind'"], None),
        (["all.csv", "--target", "y,"], ["--target: expected names of columns"], None),
        (["all.csv", "--target", "y", "--past", "y"], ["column 'y' is named twice"], None),
        (["all.csv", "--target", "month"], ["all.csv: line 2", "number in column 'month', got '1990-01'"], None),
        (
            ["all.csv", "--target", "y", "--horizon", "97"],
            ["expected a series of at least 206 rows", "the longest has 96"],
            None,
        ),
        (["all.csv", "--target", "y", "--window", "1"], ["--window: expected at least 2, got 1"], None),
        (["all.csv", "--target", "y", "--horizon", "0"], ["--horizon: expected at least 1, got 0"], None),
        (["all.csv", "--target", "y", "--head", "cauchy"], ["cauchy"], None),
        (["all.csv", "all.csv", "--target", "y"], ["DATA: expected one table, got 2"], None),
        (["gone.csv", "--target", "y"], ["gone.csv: no such file"], None),
        (
            ["bad.csv", "--target", "y", "--time", "month"],
            ["bad.csv: line 4", "1990-02-01 comes after 1990-03-01", "sort the rows by time"],
            bad("bad.csv", {"month": ["1990-01", "1990-03", "1990-02"], "y": [1.0, 2.0, 3.0]}),
        ),
        (
            ["bad.csv", "--target", "y", "--time", "month"],
            ["bad.csv: line 4", "1990-02-01 is there twice", "--id"],
            bad("bad.csv", {"month": ["1990-01", "1990-02", "1990-02"], "y": [1.0, 2.0, 3.0]}),
        ),
        (
            ["bad.csv", "--target", "y", "--time", "month"],
            ["bad.csv: line 3", "'Feb 90' in column month is no time", "ISO 8601"],
            bad("bad.csv", {"month": ["1990-01", "Feb 90", "1990-03"], "y": [1.0, 2.0, 3.0]}),
        ),
        (
            ["bad.csv", "--target", "y"],
            ["bad.csv: line 3", "expected a number in column 'y', got 'many'"],
            bad("bad.csv", {"y": ["1", "many"], "x": ["", ""]}),
        ),
        (
            ["bad.csv", "--target", "y"],
            ["bad.csv: column y: expected numbers, every value is missing"],
            bad("bad.csv", {"y": ["NaN", "NaN"], "x": ["", ""]}),
        ),
        (
            ["all.csv", "--target", "y", "--time", "month", "--test", "train.csv", "--valid", "gone.csv"],
            ["gone.csv: no such file"],
            None,
        ),
        (
            ["all.csv", "--target", "y", "--time", "month", "--test", "train.csv"],
            ["train.csv: expected 4 rows or more after the last one given to train (1997-12)"],
            None,
        ),
    ],
    ids=lambda value: None if not isinstance(value, list) else " ".join(value)[:60],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(cli, table, work, words, mentions, prepare):
    if prepare:
        prepare()
    sizes = [word for pair in zip(SIZES[::2], SIZES[1::2], strict=True) if pair[0] not in words for word in pair]
    result = cli("train", "forecast", *words, *sizes, "--out", "run")
    assert result.status == 2
    assert "Traceback" not in result.err
    for mention in mentions:
        assert mention in result.err
    assert not (work / "run/config.json").exists()


def test_mistakes_after_training(cli, table, work):
    trained(cli)
    for words, mention in (
        (
            ("evaluate", "run", "train.csv"),
            "train.csv: expected 4 rows or more after the last one given to train (1996-08)",
        ),
        (("evaluate", "run", "all.csv", "--beam", 3), "--beam: a run of task 'forecast' has no use for it"),
        (("predict", "run", "few.csv"), "few.csv: the series has 5 rows; expected at least 12, the window of run"),
        (("predict", "run", "other.csv"), "column month: expected dates, as in training"),
        (("generate", "run"), "a run of task 'forecast' writes no text"),
    ):
        write("few.csv", {name: column[:5] for name, column in table.items()})
        write("other.csv", {"month": list(range(20)), "y": list(range(20))})
        result = cli(*words)
        assert (result.status, "Traceback" in result.err) == (2, False)
        assert mention in result.err
    (work / "run/series.json").write_text('{"columns": {}}')
    result = cli("evaluate", "run", "all.csv")
    assert result.status == 2
    assert "series.json: damaged" in result.err
