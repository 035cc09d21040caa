"""Figures of forecasts against plain loops over every point."""

import math

import numpy as np
import pytest

from ostinato.data.series import Columns, read_series
from ostinato.evaluation.forecast import accuracy, coverage, evaluate_forecast, windowed

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
    (series,), _ = read_series({"y": y}, Columns(("y",)), str)
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
    found = evaluate_forecast(point, (point - 5, point + 5), _Windowed(truth), scale)
    assert (found["horizon"], found["windows"]) == (H, N)
    assert found["naive_mase"] == accuracy(truth + 1, truth, scale)["mase"] != found["mase"]
    assert found["last_value_mae"] == pytest.approx(2)
    assert found["coverage_80"] == pytest.approx(np.mean(np.abs(point - truth)[np.isfinite(truth)] <= 5))
    assert "coverage_80" not in evaluate_forecast(point, None, _Windowed(truth), scale)


class _Windowed:
    def __init__(self, truth):
        self.truth, self.seasonal, self.last = truth, truth + 1, truth - 2


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_a_forecast_that_is_no_number_is_not_left_out(numbers, number):
    point, truth, scale = numbers
    point[0, 1, 0] = number
    found = accuracy(point, truth, scale)
    assert all(1e100 < value < math.inf for value in found.values()), found
