"""Calibrated intervals: the quantile by its definition, coverage by counting, and what a run makes of them."""

import csv
import json
import math

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import ostinato
from ostinato.cli.main import main
from ostinato.core.errors import ConfigError, RunFolderError
from ostinato.data.series.scaling import Transform
from ostinato.tasks.forecast.conformal import Calibration, conformal_quantile, windows_for
from ostinato.tasks.forecast.decoding import Forecast

PLAIN = (Transform(),)


@pytest.mark.parametrize("n", [1, 4, 19, 20, 39])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.95])
def test_of_any_numbers_the_share_promised_lies_within(n, share):
    """Each of n + 1 numbers held out in turn: exchangeable as nothing else, so that the share is exact (Lei et al.
    2018, theorem 2), ceil((n + 1) p) of n + 1."""
    numbers = np.random.default_rng(n).normal(size=n + 1)
    within = sum(numbers[i] <= conformal_quantile(np.sort(np.delete(numbers, i)), share) for i in range(n + 1))
    rank = math.ceil(round((n + 1) * share, 9))
    assert within == (rank if rank <= n else n)


@pytest.mark.parametrize("n", [40, 60, 333])
def test_the_quantile_is_that_of_mapie(n):
    """`make check-all` installs it."""
    regression = pytest.importorskip("mapie.regression", reason="mapie is not installed")
    draw = np.random.default_rng(n)
    X, residuals = draw.normal(size=(n, 1)), draw.normal(size=n)
    model = LinearRegression().fit(X, X[:, 0])  # predicts X itself
    split = regression.SplitConformalRegressor(model, confidence_level=[0.8, 0.9, 0.95], prefit=True)
    split.conformalize(X, X[:, 0] + residuals)
    _, intervals = split.predict_interval(np.zeros((1, 1)))
    for place, share in enumerate((0.8, 0.9, 0.95)):
        ours = conformal_quantile(np.sort(np.abs(residuals)), share)
        np.testing.assert_allclose(intervals[0, :, place], [-ours, ours], atol=1e-12)


def test_how_many_windows_a_level_takes():
    assert [windows_for([level]) for level in (50, 80, 90, 95, 99)] == [1, 4, 9, 19, 99]
    assert windows_for((80, 95)) == 19


def noise(n=400, H=3, seed=0):
    """Targets whose spread grows from step to step and is twice as wide above as below, and forecasts that claim half
    of it."""
    draw = np.random.default_rng(seed)
    size = np.arange(1, H + 1)[:, None] * draw.uniform(0.5, 2, size=(n, 1, 1))
    point = draw.normal(size=(n, H, 1)) * 10
    raw = draw.normal(size=(n, H, 1))
    truth = point + size * np.where(raw > 0, 2 * raw, raw)
    return Forecast(point, np.stack([point - size / 2, point + size], -1)), truth


def test_each_step_is_covered_as_promised_and_both_sides_keep_their_proportion():
    found, truth = noise()
    calibration = Calibration.of(found, truth, PLAIN)
    other, came = noise(4_000, seed=1)
    padded = Forecast(other.point, np.concatenate([np.zeros((4_000, 3, 1, 4)), other.quantiles], -1))
    said = calibration.apply(padded, (80.0, 95.0), PLAIN).quantiles
    for place, level in enumerate((0.8, 0.95)):
        low, high = said[..., 2 * place], said[..., 2 * place + 1]
        np.testing.assert_allclose(((low <= came) & (came <= high)).mean(0)[:, 0], level, atol=0.045)
        np.testing.assert_allclose(high - other.point, 2 * (other.point - low))
    inside = (said[..., 2] < said[..., 0]) & (said[..., 1] < said[..., 3])
    assert inside.all()


def test_what_is_missing_counts_nothing_and_no_end_is_below_the_floor():
    found, truth = noise(50)
    truth[:7, 1] = np.nan
    calibration = Calibration.of(found, truth, PLAIN)
    assert [len(row[0]) for row in calibration.residuals] == [50, 43, 50]
    assert calibration.windows == 43
    floored = calibration.apply(found, (), (Transform(floor=0.0),)).quantiles
    assert floored.shape[-1] == 0
    wide = Forecast(found.point, np.concatenate([np.zeros((50, 3, 1, 2)), found.quantiles], -1))
    assert calibration.apply(wide, (95.0,), (Transform(floor=0.0),)).quantiles[..., 0].min() == 0.0


def test_a_point_forecast_is_scaled_by_its_size_where_logarithms_are_taken():
    truth = np.array([[[110.0]], [[180.0]], [[330.0]]])
    found = Forecast(np.array([[[100.0]], [[200.0]], [[300.0]]]), None)
    assert np.allclose(Calibration.of(found, truth, (Transform(log=True),)).residuals[0][0], 0.1)
    assert Calibration.of(found, truth, PLAIN).residuals[0][0].tolist() == [10.0, 20.0, 30.0]
    said = Calibration([[np.array([0.1])]]).apply(found, (80.0,), (Transform(log=True),)).quantiles
    np.testing.assert_allclose(said[:, 0, 0], [[90, 110], [180, 220], [270, 330]])


def test_further_steps_have_the_last_ones_factors():
    calibration = Calibration([[np.array([1.0])], [np.array([3.0])]])
    said = calibration.apply(Forecast(np.zeros((1, 4, 1)), None), (80.0,), PLAIN).quantiles
    assert said[0, :, 0, 1].tolist() == [1, 3, 3, 3]


def test_what_is_kept_reads_back_as_it_was():
    found, truth = noise(9)
    calibration = Calibration.of(found, truth, PLAIN)
    again = Calibration.from_json(calibration.to_json(), "x")
    for one, other in zip(calibration.residuals, again.residuals, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    for damaged in ("", "[]", "[[[1.0]],[[]]]", '[["a"]]', "[[[1.0],[2.0]],[[1.0]]]"):
        with pytest.raises(RunFolderError, match="x: damaged"):
            Calibration.from_json(damaged, "x")


def table(path, rows):
    draw = np.random.default_rng(0)
    values = 10 + np.sin(np.arange(rows) / 3) + draw.normal(0, 0.3, rows)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("load",), *((f"{value:.4f}",) for value in values)])


TINY = {"target": "load", "window": 8, "horizon": 3, "hidden": 4, "epochs": 2, "threads": 1, "dropout": 0.0}


@pytest.mark.parametrize("head", ["point", "gaussian"])
def test_a_run_gives_calibrated_intervals(head, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table("all.csv", 200)
    table("known.csv", 150)
    run = ostinato.train("forecast", "known.csv", out="run", head=head, interval="0.8,0.95", test="all.csv", **TINY)
    kept = Calibration.from_json((tmp_path / "run/intervals.json").read_text(), "")
    assert len(kept.residuals) == 3
    assert kept.windows == 19
    assert 0.5 < run.test["coverage_80"] <= run.test["coverage_95"] <= 1
    assert (run.test.get("crps") is None) == (head == "point")
    rows = list(run.predict("all.csv"))
    assert {"load_low_80", "load_high_80", "load_low_95", "load_high_95"} < rows[0].keys()
    (ninety,) = {tuple(row) for row in run.predict("all.csv", levels="90", steps=5)}
    assert "load_low_90" in ninety
    if head == "point":
        known = [row["load_high_95"] - row["load"] for row in run.predict("known.csv")]
        np.testing.assert_allclose(known, kept.factors(95.0)[:, 0], rtol=1e-4)
        told = [row["load_high_80"] - row["load"] for row in rows]  # fifty rows more, which training was not given
        assert not np.allclose(told, kept.factors(80.0)[:, 0], rtol=1e-3)
    assert main(["plot", "run", "all.csv", "--out", "p.png"]) == 0
    assert main(["evaluate", "run", "all.csv", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["coverage_95"] == run.test["coverage_95"]
    (tmp_path / "run/intervals.json").write_text("[]")
    with pytest.raises(RunFolderError, match=r"intervals\.json: damaged"):
        list(ostinato.load("run").predict("all.csv"))
    (tmp_path / "run/intervals.json").unlink()
    with pytest.raises(RunFolderError, match="without it the run has no intervals"):
        ostinato.load("run").evaluate("all.csv")


def test_too_few_windows_are_told_and_levels_that_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table("short.csv", 40)
    with pytest.warns(UserWarning, match=r"--interval: 14 held-out windows, and 95 % takes 19"):
        ostinato.train("forecast", "short.csv", out="run", interval="0.95", **TINY)
    for wrong in ("95", "0", "x", "0.8,1"):
        with pytest.raises(ConfigError, match=f"--interval {wrong}: expected numbers between 0 and 1"):
            ostinato.train("forecast", "short.csv", out="no", interval=wrong, **TINY)
