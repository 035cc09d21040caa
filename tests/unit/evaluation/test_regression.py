"""Figures of regression, beside scikit-learn's."""

import numpy as np
import pytest

from ostinato.data.labelled.sequences import Scale
from ostinato.tasks.regress.figures import errors, regression_figures, tell_no_better

metrics = pytest.importorskip("sklearn.metrics")

DRAW = np.random.default_rng(3)
MEASURED = DRAW.normal([5.0, -200.0], [2.0, 60.0], (40, 2))
FOUND = MEASURED + DRAW.normal(0, [1.0, 90.0], (40, 2))
SCALE = Scale((4.5, -190.0), (2.5, 50.0))


def test_each_target_as_scikit_learn_has_it():
    own = errors(MEASURED, FOUND)
    raw = {"multioutput": "raw_values"}
    np.testing.assert_allclose(own["mae"], metrics.mean_absolute_error(MEASURED, FOUND, **raw))
    np.testing.assert_allclose(own["rmse"], metrics.root_mean_squared_error(MEASURED, FOUND, **raw))
    np.testing.assert_allclose(own["r2"], metrics.r2_score(MEASURED, FOUND, **raw))


def test_over_all_and_beside_the_mean():
    found = regression_figures(MEASURED, FOUND, SCALE, ("a", "b"))
    mean = np.tile(SCALE.mean, (40, 1))
    assert found["examples"] == 40
    assert found["r2"] == pytest.approx(metrics.r2_score(MEASURED, FOUND))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(MEASURED, FOUND))
    assert found["mean_r2"] == pytest.approx(metrics.r2_score(MEASURED, mean))
    assert found["mean_rmse"] == pytest.approx(metrics.root_mean_squared_error(MEASURED, mean))
    assert found["scaled_rmse"] == pytest.approx(
        metrics.mean_squared_error(MEASURED / [2.5, 50.0], FOUND / [2.5, 50.0]) ** 0.5
    )
    assert found["targets"]["b"]["mean_mae"] == pytest.approx(np.abs(MEASURED[:, 1] + 190).mean())


@pytest.mark.parametrize(("found", "r2"), [([3.0, 3.0], 1.0), ([3.0, 4.0], 0.0)])
def test_a_target_that_never_changes(found, r2):
    same, found = np.full((2, 1), 3.0), np.array(found)[:, None]
    assert errors(same, found)["r2"][0] == r2 == metrics.r2_score(same, found)


def test_large_and_small_numbers_neither_overflow_nor_vanish():
    for size in (1e250, 1e-250):
        own = errors(MEASURED * size, FOUND * size)
        np.testing.assert_allclose(own["r2"], errors(MEASURED, FOUND)["r2"])
        np.testing.assert_allclose(own["rmse"], errors(MEASURED, FOUND)["rmse"] * size)


def test_no_better_than_the_mean_is_told():
    mean = np.tile(SCALE.mean, (40, 1))
    with pytest.warns(UserWarning, match="no better than the training data's mean"):
        tell_no_better(regression_figures(MEASURED, mean, SCALE, ("a", "b")))
