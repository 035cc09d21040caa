"""Intervals that follow what comes: coverage where a static quantile loses it, and nothing known too soon."""

import numpy as np
import pytest

from ostinato.tasks.forecast.conformal import Calibration
from ostinato.tasks.forecast.following import followed

LEVELS = (80.0, 95.0)


def by_the_paper(known, residuals, origins, level, delay, step_size=0.6):
    """One step, one target, distinct origins: Gibbs and Candes' update (2021, equation 2), written from the text;
    outcomes come `delay` later."""
    target, alpha = 1 - level / 100, 1 - level / 100
    pool, thresholds, folded = list(known), [], 0
    for now, _ in enumerate(residuals):
        while origins[folded] + delay < origins[now]:
            error = float(residuals[folded] > thresholds[folded])
            alpha = alpha + len(pool) ** -step_size * (target - error)
            pool.append(residuals[folded])
            folded += 1
        thresholds.append(np.interp((len(pool) + 1) * (1 - alpha), np.arange(len(pool)) + 1, sorted(pool)))
    return np.array(thresholds)


@pytest.mark.parametrize("h", [0, 2])
def test_it_is_the_papers_update(h):
    draw = np.random.default_rng(3)
    known, residuals = np.abs(draw.normal(size=30)), np.abs(draw.normal(size=(80, 3, 1))) * 1.5
    origins = 7 + 2 * np.arange(80)
    calibration = Calibration([[np.sort(known)]] * 3)
    for level in LEVELS:
        found = followed(calibration, residuals, origins, (level,), 2)[:, h, 0, 0]
        np.testing.assert_allclose(found, by_the_paper(known, residuals[:, h, 0], origins, level, 2 * h))


@pytest.mark.parametrize("factor", [0.4, 2.5])
@pytest.mark.parametrize("level", LEVELS)
def test_coverage_holds_where_the_series_has_changed(factor, level):
    """Errors of another size than in the held-out windows: the static interval misses its level by far."""
    draw = np.random.default_rng(0)
    known = np.sort(np.abs(draw.normal(size=60)))
    residuals = np.abs(draw.normal(size=(600, 4, 1))) * factor
    calibration = Calibration([[known]] * 4)
    static = (residuals <= calibration.factors(level)).mean()
    adapted = followed(calibration, residuals, np.arange(600), (level,), 1)[..., 0]
    assert abs(static - level / 100) > 0.04
    assert abs((residuals <= adapted).mean() - level / 100) < 0.03


def test_of_few_residuals_the_share_and_no_more_lies_within():
    """Evenly distributed ones; the next larger of 11 residuals would hold 10 of 12."""
    draw, K = np.random.default_rng(4), 20_000
    calibration = Calibration([list(np.sort(draw.random((K, 11)), axis=1))])
    outcomes = draw.random((1, 1, K))
    within = outcomes <= followed(calibration, outcomes, np.array([0]), (80.0,), 1)[..., 0]
    assert within.mean() == pytest.approx(0.8, abs=0.01)


def test_only_what_came_before_counts():
    draw = np.random.default_rng(1)
    calibration = Calibration([[np.sort(np.abs(draw.normal(size=20)))]] * 3)
    residuals = np.abs(draw.normal(size=(30, 3, 1)))
    before = followed(calibration, residuals, np.arange(30), LEVELS, 1)
    for h in range(3):
        other = residuals.copy()
        other[10, h] = 50.0
        changed = (followed(calibration, other, np.arange(30), LEVELS, 1) != before).any((1, 2, 3))
        assert not changed[: 10 + h + 1].any()
        assert changed[10 + h + 1]


def test_windows_of_several_series_are_told_at_once_and_what_is_missing_counts_nothing():
    calibration = Calibration([[np.array([1.0, 2.0, 3.0, 4.0])]])
    residuals = np.array([5.0, np.nan, 0.5, np.nan, 9.0])[:, None, None]
    found = followed(calibration, residuals, np.array([0, 0, 0, 1, 1]), (80.0,), 1)[:, 0, 0, 0]
    # one of two known missed: 0.2 + 4^-0.6 (0.2 - 0.5) is 0.07, and 7 * 0.93 beyond the 6 there are
    assert found.tolist() == [4.0, 4.0, 4.0, 5.0, 5.0]
    nothing = followed(calibration, np.full((2, 1, 1), np.nan), np.array([0, 5]), (80.0,), 1)
    assert nothing.ravel().tolist() == [4.0, 4.0]


def test_levels_lie_within_each_other():
    draw = np.random.default_rng(2)
    calibration = Calibration([[np.sort(np.abs(draw.normal(size=19)))]])
    found = followed(calibration, draw.exponential(size=(200, 1, 1)), np.arange(200), (50.0, 80.0, 95.0), 1)
    assert (np.diff(found, axis=-1) >= 0).all()
