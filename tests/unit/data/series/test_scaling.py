"""Scaling against plain loops."""

from dataclasses import asdict

import numpy as np
import pytest

from ostinato.data.series.scaling import (
    Transform,
    in_float32,
    mean_and_spread,
    seasonal_naive_error,
    spread_around_windows,
)

MONTHS = np.arange(96)
GROWING = np.exp(0.02 * MONTHS) * (10 + 3 * np.sin(2 * np.pi * MONTHS / 12))
EVEN = 100 + MONTHS + 3 * np.sin(2 * np.pi * MONTHS / 12)


def test_the_logarithm_is_taken_where_the_spread_grows_with_the_level():
    assert Transform.choose([GROWING], 12).log
    assert Transform.choose([1000 * GROWING, GROWING], 12).log
    assert not Transform.choose([EVEN], 12).log
    assert not Transform.choose([GROWING - 11], 12).log  # some values are negative
    assert not Transform.choose([GROWING], 12, log=False).log
    assert Transform.choose([EVEN], 12, log=True).log
    assert not Transform.choose([np.zeros(50)], 12, log=True).log
    assert not Transform.choose([GROWING[:20]], 12).log  # too short to tell


def test_it_is_undone():
    values = np.array([0.0, 1.0, 5.0, np.nan])
    transform = Transform.choose([values], 2, log=True)
    assert transform.shift == pytest.approx(0.2)
    np.testing.assert_allclose(transform.undo(transform.apply(values)), values, atol=1e-12)
    np.testing.assert_allclose(transform.apply(values), np.log(values + 0.2))
    assert np.isfinite(transform.apply(np.array([-7.0])))  # lower than anything in training
    assert Transform(**asdict(transform)) == transform


def test_the_spread_is_that_around_each_windows_mean():
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=(50, 2)), axis=0) * [1, 1000]
    values[20, 1] = np.nan
    for target, found in enumerate(spread_around_windows(values, 7)):
        known = values[:, target][np.isfinite(values[:, target])]
        squares = [np.mean((known[t : t + 7] - known[t : t + 7].mean()) ** 2) for t in range(len(known) - 6)]
        assert found == pytest.approx(np.sqrt(np.mean(squares)))


def test_what_never_changes_has_no_spread():
    for values in (np.full((20, 1), 5e6), np.full((20, 1), 0.1), np.zeros((20, 1)), np.array([[3.0]])):
        assert np.isnan(spread_around_windows(values, 4)).tolist() == [True]
    assert mean_and_spread(np.array([0.1, 0.1, np.nan, 0.1])) == (0.1, 0.1)
    assert mean_and_spread(np.zeros(3)) == (0, 1)
    assert mean_and_spread(np.full(3, np.nan)) == (0, 1)


@pytest.mark.parametrize("unit", [1e-290, 1e-18, 1, 1e18, 1e290])
@pytest.mark.parametrize("level", [0, 1e9])
def test_a_spread_is_found_whatever_the_unit_and_the_level(unit, level):
    """Steps of whole numbers, so that a level of 1e9 keeps them to the last bit."""
    steps = np.random.default_rng(0).integers(0, 9, size=40).astype(np.float64)
    mean, spread = mean_and_spread(unit * (level + steps))
    assert (mean / unit, spread / unit) == pytest.approx((level + steps.mean(), steps.std()), rel=1e-6)
    squares = [np.var(steps[t : t + 5]) for t in range(36)]
    (found,) = spread_around_windows(unit * (level + steps)[:, None], 5)
    assert found / unit == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6)


def test_what_lies_absurdly_far_out_does_not_become_infinite():
    assert in_float32(np.array([1e300, -1e300, 2.5])).tolist() == [1e9, -1e9, 2.5]


def test_the_seasonal_naive_error():
    values = np.array([[1.0], [2], [4], [np.nan], [9], [10]])
    assert seasonal_naive_error(values, 2).tolist() == [pytest.approx((3 + 5) / 2)]
    assert np.isnan(seasonal_naive_error(values, 6)[0])


@pytest.mark.parametrize(
    ("values", "log", "floor", "found"),
    [
        ([3.0, 0.0, 7.0], False, "auto", 0),  # counts
        ([3.5, 0.0, 7.0], False, "auto", None),
        ([3.5, 0.0, 7.0], True, "auto", 0),
        ([3.5, -1.0, 7.0], None, "auto", None),
        ([3.0, -1.0, 7.0], None, "auto", None),
        ([3.5, 0.5, 7.0], False, "zero", 0),
        ([3.0, 0.0, 7.0], True, "none", None),
        ([3.0, 0.0, 7.0], False, "none", None),
    ],
)
def test_what_cannot_be_negative_is_not_forecast_so(values, log, floor, found):
    transform = Transform.choose([np.array(values)], 2, log, floor)
    assert transform.floor == found
    low = transform.undo(np.array([-9.0, 1.0]))
    assert (low.min() >= 0) == (found == 0 or (transform.log and transform.shift == 0))
    assert low[1] == pytest.approx(np.e - transform.shift if transform.log else 1)
