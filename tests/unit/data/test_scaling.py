"""Scaling against plain loops."""

import numpy as np
import pytest

from ostinato.data.scaling import Transform, seasonal_naive_error, spread_around_windows

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
    assert Transform(**transform.to_json()) == transform


def test_the_spread_is_that_around_each_windows_mean():
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=(50, 2)), axis=0) * [1, 1000]
    values[20, 1] = np.nan
    for target, found in enumerate(spread_around_windows(values, 7)):
        known = values[:, target][np.isfinite(values[:, target])]
        squares = [np.mean((known[t : t + 7] - known[t : t + 7].mean()) ** 2) for t in range(len(known) - 6)]
        assert found == pytest.approx(np.sqrt(np.mean(squares)))


def test_a_series_that_never_changes_has_spread_one():
    assert spread_around_windows(np.full((20, 1), 5e6), 4).tolist() == [1]
    assert spread_around_windows(np.zeros((20, 1)), 4).tolist() == [1]
    assert spread_around_windows(np.array([[3.0]]), 4).tolist() == [1]


def test_the_seasonal_naive_error():
    values = np.array([[1.0], [2], [4], [np.nan], [9], [10]])
    assert seasonal_naive_error(values, 2).tolist() == [pytest.approx((3 + 5) / 2)]
    assert np.isnan(seasonal_naive_error(values, 6)[0])
