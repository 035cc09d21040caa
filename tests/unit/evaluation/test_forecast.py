"""Figures of forecasts against plain loops over every point."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from ostinato.data.series.reading import SeriesColumns, read_series
from ostinato.tasks.forecast.figures import CRPS_SHARES, Said, accuracy, coverage, crps, evaluate_forecast, windowed

N, H, K = 5, 4, 2


@pytest.fixture
def numbers():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(N, H, K)) * 10
    truth[1, 2, 0] = truth[3] = np.nan
    truth[0, 0, 1] = 0
    return rng.normal(size=(N, H, K)) * 10, truth, rng.uniform(1, 2, size=(N, K))


def test_every_figure_in_a_loop(numbers):
    point, truth, scale = numbers
    scale[2, 1] = 0  # a series whose naive forecast is never wrong has no scale
    sums = {name: [] for name in ("mae", "rmse", "mape", "smape", "mase")}
    for n, h, k in np.ndindex(N, H, K):
        f, y = point[n, h, k], truth[n, h, k]
        if math.isnan(y):
            continue
        sums["mae"].append(abs(f - y))
        sums["rmse"].append((f - y) ** 2)
        sums["smape"].append(200 * abs(f - y) / (abs(f) + abs(y)))
        if y:
            sums["mape"].append(100 * abs((f - y) / y))
        if scale[n, k]:
            sums["mase"].append(abs(f - y) / scale[n, k])
    expected = {name: sum(values) / len(values) for name, values in sums.items()}
    expected["rmse"] = math.sqrt(expected["rmse"])
    assert accuracy(point, truth, scale) == pytest.approx(expected)


def test_without_a_scale_or_a_target_there_is_no_figure():
    assert accuracy(np.ones((1, 1, 1)), np.zeros((1, 1, 1)), np.zeros((1, 1))) == {
        "mae": 1, "rmse": 1, "mape": None, "smape": 200, "mase": None,
    }  # fmt: skip
    nothing = accuracy(np.ones((1, 1, 1)), np.full((1, 1, 1), np.nan), np.ones((1, 1)))
    assert set(nothing.values()) == {None}
    assert accuracy(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)), np.ones((1, 1)))["smape"] == 0


def test_coverage_counts_known_targets():
    low, high = np.array([0.0, 0, 0, 0]), np.array([1.0, 1, 1, 1])
    assert coverage(low, high, np.array([0.5, 1.0, 2.0, np.nan])) == pytest.approx(2 / 3)
    assert coverage(low, high, np.full(4, np.nan)) is None


@pytest.mark.parametrize("season", [1, 3, 7])
def test_the_naive_forecasts_in_a_loop(season):
    rng = np.random.default_rng(0)
    y = rng.normal(size=20)
    y[[4, 11]] = np.nan
    (series,), _ = read_series({"y": y}, SeriesColumns(("y",)), str)
    places = [(0, origin) for origin in range(2, 17)]
    found = windowed([series], places, H, season)
    last = [y[t] if np.isfinite(y[t]) else y[t - 1] for t in range(20)]
    for n, (_, origin) in enumerate(places):
        for h in range(H):
            t = origin + h
            while t >= origin:
                t -= season
            expected = last[t] if t >= 0 else last[origin - 1]
            assert found.seasonal[n, h, 0] == expected
            assert found.last[n, h, 0] == last[origin - 1]
    np.testing.assert_array_equal(found.truth[0, :, 0], y[2:6])


def test_the_object_of_evaluate(numbers):
    point, truth, scale = numbers
    quantiles = point[..., None] + np.linspace(-5, 5, 20)
    said = Said(point, {"80": (point - 5, point + 5), "95": (point - 9, point + 9)}, quantiles)
    found = evaluate_forecast(said, _Windowed(truth), scale, ("a", "b"))
    assert (found["horizon"], found["windows"]) == (H, N)
    assert found["naive_mase"] == accuracy(truth + 1, truth, scale)["mase"] != found["mase"]
    assert found["last_value_mae"] == pytest.approx(2)
    assert found["coverage_80"] == pytest.approx(np.mean(np.abs(point - truth)[np.isfinite(truth)] <= 5))
    assert found["coverage_95"] == pytest.approx(np.mean(np.abs(point - truth)[np.isfinite(truth)] <= 9))
    for k, name in enumerate("ab"):
        error = np.abs(point - truth)[..., k]
        assert found["targets"][name]["mae"] == pytest.approx(np.nanmean(error))
        assert found["targets"][name]["coverage_80"] == pytest.approx(np.mean(error[np.isfinite(error)] <= 5))
    assert [row["step"] for row in found["by_step"]] == [1, 2, 3, 4]
    for step, row in enumerate(found["by_step"]):
        assert row["mae"] == pytest.approx(np.nanmean(np.abs(point - truth)[:, step]))
        assert row["naive_mae"] == pytest.approx(1)
        assert row["crps"] == pytest.approx(np.nanmean(crps(quantiles, truth)[:, step]))
    alone = evaluate_forecast(Said(point[..., :1]), _Windowed(truth[..., :1]), scale[:, :1], ("a",))
    assert not {"coverage_80", "crps", "targets"} & set(alone)


def test_crps_is_that_of_an_ensemble_of_the_quantiles():
    """E|X - y| - E|X - X'| / 2 over the members, which is how scores of ensembles are defined (Gneiting, Raftery)."""
    rng = np.random.default_rng(0)
    members, truth = np.sort(rng.normal(size=(50, 20))), rng.normal(size=50)
    between = np.abs(members[:, :, None] - members[:, None, :]).mean(axis=(1, 2))
    expected = np.abs(members - truth[:, None]).mean(axis=1) - between / 2
    np.testing.assert_allclose(crps(members, truth), expected, rtol=1e-12)


def test_crps_of_a_normal_distribution_is_the_closed_form():
    normal = NormalDist(3, 2)
    quantiles = np.array([normal.inv_cdf(share) for share in CRPS_SHARES])
    for y in (-2.0, 2.5, 3.0, 7.0):
        z = (y - 3) / 2
        expected = 2 * (z * (2 * NormalDist().cdf(z) - 1) + 2 * NormalDist().pdf(z) - 1 / math.sqrt(math.pi))
        assert crps(quantiles, np.array(y)) == pytest.approx(expected, rel=0.02)


def test_crps_of_a_sure_forecast_is_its_absolute_error():
    assert crps(np.full((1, 20), 4.0), np.array([1.5])) == pytest.approx([2.5])


class _Windowed:
    def __init__(self, truth):
        self.truth, self.seasonal, self.last = truth, truth + 1, truth - 2


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_a_forecast_that_is_no_number_is_not_left_out(numbers, number):
    point, truth, scale = numbers
    point[0, 1, 0] = number
    found = accuracy(point, truth, scale)
    assert all(1e100 < value < math.inf for value in found.values()), found
