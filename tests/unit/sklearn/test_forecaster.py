"""The forecaster as an estimator: against the command on the same data, and against sums done here."""

import csv
import pickle

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

import ostinato  # noqa: E402
from ostinato.core.errors import ConfigError, DataError  # noqa: E402
from ostinato.sklearn import Forecaster  # noqa: E402

W, H, M, T = 8, 3, 4, 70
SIZES = {"window": W, "horizon": H, "season": M}
SMALL = {**SIZES, "hidden": 8, "epochs": 2, "lr": 0.01, "random_state": 1, "options": {"threads": 1}}


def season(rows=T, seed=0, level=20):
    draw = np.random.default_rng(seed)
    return level + 5 * np.sin(2 * np.pi * np.arange(rows) / M) + draw.normal(size=rows)


def priced(rows=120):
    """A price known in advance moves the target, and nothing before tells."""
    price = np.random.default_rng(0).choice([0.0, 1.0], size=rows)
    return price[:, None], 20 - 10 * price


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(**SMALL).fit(y=season())


def test_it_is_the_commands_forecast(fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    later = season(T + 10)
    for name, rows in (("train.csv", T), ("all.csv", T + 10)):
        with open(name, "w", newline="") as file:
            csv.writer(file).writerows([["y"], *([value] for value in later[:rows])])
    options = {"hidden": 8, "epochs": 2, "lr": 0.01, "threads": 1, "seed": 1}
    run = ostinato.train("forecast", "train.csv", out="run", target="y", **SIZES, **options)
    rows = run.predict("train.csv")
    np.testing.assert_allclose(fitted.predict(), [row["y"] for row in rows], rtol=1e-6)
    ends = [[row["y_low_80"], row["y_high_80"]] for row in rows]
    np.testing.assert_allclose(fitted.predict_quantiles(quantiles=(0.1, 0.9)), ends, rtol=1e-6)
    mine, theirs = fitted.backtest(None, later[T:]), run.evaluate("all.csv")
    for one, other in zip(mine.pop("by_step"), theirs.pop("by_step"), strict=True):
        assert one == pytest.approx(other, rel=1e-6)
    assert mine == pytest.approx({name: theirs[name] for name in mine}, rel=1e-6)


def test_score_is_minus_the_mase_of_forecasts_made_step_by_step(fitted):
    past, new = season(), season(T + 10)[T:]
    errors = []
    for step in range(len(new) - H + 1):
        known = pickle.loads(pickle.dumps(fitted))
        if step:
            known.update(None, new[:step])
        errors.append(np.abs(known.predict() - new[step : step + H]))
    expected = -np.mean(errors) / np.mean(np.abs(past[M:] - past[:-M]))
    assert fitted.score(None, new) == pytest.approx(expected, rel=1e-6)
    once = -np.mean(np.abs(fitted.predict(steps=2) - new[:2])) / np.mean(np.abs(past[M:] - past[:-M]))
    assert fitted.score(None, new[:2]) == pytest.approx(once, rel=1e-6)  # fewer steps than the horizon


def test_beyond_the_horizon_it_takes_its_forecasts_for_what_came(fitted):
    found = fitted.predict(steps=2 * H + 1)
    np.testing.assert_array_equal(found[:H], fitted.predict())
    after = pickle.loads(pickle.dumps(fitted)).update(None, found[:H])
    np.testing.assert_allclose(found[H : 2 * H], after.predict(), rtol=1e-6)
    spread = fitted.predict_quantiles(steps=2 * H + 1)
    np.testing.assert_array_equal(spread[:H], fitted.predict_quantiles())
    np.testing.assert_allclose(spread[:, 1], found, rtol=1e-6)  # float32; AMX sums blocks of other sizes otherwise
    assert (np.diff(spread, axis=1) > 0).all()


def test_covariates_known_in_advance():
    X, y = priced()
    forecaster = Forecaster(window=4, horizon=4, hidden=8, epochs=8, lr=0.05, head="point", random_state=1, batch=16)
    forecaster.set_params(options={"threads": 1, "transform": "none"}).fit(X[:100], y[:100])
    np.testing.assert_allclose(forecaster.predict(X[100:]), y[100:], atol=2.5)  # prices apart by 10
    assert forecaster.n_features_in_ == 1
    with pytest.raises(ValueError, match="X has 2 features, but Forecaster is expecting 1"):
        forecaster.predict(np.ones((4, 2)))
    with pytest.raises(DataError, match="expected the 1 covariates of the steps after the end"):
        forecaster.predict()
    with pytest.raises(DataError, match="a point forecast has no quantiles"):
        forecaster.predict_quantiles(X[100:104])


def test_several_targets_and_several_series():
    both = np.stack([season(), season(seed=1, level=200)], axis=1)
    found = Forecaster(**SMALL).fit(y=both).predict()
    assert found.shape == (H, 2)
    np.testing.assert_allclose(found.mean(axis=0), [20, 200], rtol=0.3)
    forecaster = Forecaster(**SMALL).fit(y=[both[:, 0], both[:50, 1]])
    one, other = forecaster.predict(steps=H + 1)
    assert (one.shape, other.shape) == ((H + 1,), (H + 1,))
    assert [np.mean(one), np.mean(other)] == pytest.approx([20, 200], rel=0.3)
    assert [each.shape for each in forecaster.predict_quantiles()] == [(H, 3), (H, 3)]
    assert np.isfinite(forecaster.score(None, [season(T + 5)[T:], season(55, seed=1, level=200)[50:]]))
    with pytest.raises(DataError, match="expected 2 series, as in fit, got 1"):
        forecaster.score(None, [season(5)])


def test_no_columns_are_no_covariates_and_a_missing_target_weighs_nothing(fitted):
    empty = np.empty((T, 0))
    again = Forecaster(**SMALL).fit(empty, season())
    np.testing.assert_array_equal(again.predict(np.empty((5, 0))), fitted.predict(steps=5))
    missing = season()
    missing[[10, 30]] = np.nan
    assert np.isfinite(Forecaster(**SMALL).fit(y=missing).predict()).all()
    assert fitted.backtest(None, [20.0, np.nan, 20.0])["mae"] == pytest.approx(
        np.mean(np.abs(fitted.predict()[[0, 2]] - 20)), rel=1e-6
    )


def test_quantiles_ascend_around_the_median(fitted):
    found = fitted.predict_quantiles(quantiles=(0.1, 0.5, 0.9))
    assert (np.diff(found, axis=1) > 0).all()
    np.testing.assert_array_equal(found[:, 1], fitted.predict())
    with pytest.raises(DataError, match="expected shares between 0 and 1"):
        fitted.predict_quantiles(quantiles=(10, 90))
    tails = fitted.predict_quantiles(quantiles=(0.001, 0.01, 0.025, 0.975, 0.99, 0.999))
    assert (np.diff(tails, axis=1) > 0).all()


def test_several_seasons_are_the_commands():
    fitted = Forecaster(horizon=2, season=(4, 12), hidden=4, epochs=1, random_state=1, options={"threads": 1})
    shape = fitted.fit(y=season()).run_.codec.shape
    assert (shape.window, shape.seasons) == (10, (4, 12))
    assert fitted.predict().shape == (2,)


def test_the_same_seed_gives_the_same_forecast_and_forecasting_changes_nothing(fitted):
    before = fitted.predict()
    fitted.score(None, season(5))
    np.testing.assert_array_equal(fitted.predict(), before)
    np.testing.assert_array_equal(clone(fitted).fit(y=season()).predict(), before)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(), before)
    assert not np.array_equal(clone(fitted).set_params(random_state=2).fit(y=season()).predict(), before)


@pytest.mark.slow
def test_in_a_pipeline_and_a_search_over_time():
    X, y = priced(60)
    small = {"window": 4, "horizon": 4, "hidden": 4, "lr": 0.05, "head": "point", "batch": 32, "random_state": 1}
    pipeline = make_pipeline(StandardScaler(), Forecaster(**small, options={"threads": 1, "transform": "none"}))
    cut = TimeSeriesSplit(2, test_size=8)
    search = GridSearchCV(pipeline, {"forecaster__epochs": [1, 9]}, cv=cut).fit(X, y)
    assert search.best_params_ == {"forecaster__epochs": 9}
    assert search.predict(X[:6]).shape == (6,)
    best = search.best_estimator_.set_params(forecaster__epochs=1)
    scores = cross_val_score(best, X, y, cv=cut)
    np.testing.assert_array_equal(scores, [search.cv_results_[f"split{fold}_test_score"][0] for fold in range(2)])
    errors = cross_val_score(best, X, y, cv=cut, scoring="neg_mean_absolute_error")
    train, test = next(cut.split(X))
    by_hand = -np.abs(clone(best).fit(X[train], y[train]).predict(X[test]) - y[test]).mean()
    assert errors[0] == pytest.approx(by_hand)


def test_what_the_command_can_be_told():
    forecaster = Forecaster(season=12, validation_fraction=0, head="gaussian", decoding="autoregressive", epochs=1)
    forecaster.set_params(hidden=4, options={"threads": 1, "zoneout": 0.1}).fit(y=season())
    config = forecaster.run_.config
    assert config["options"]["window"] == 24  # two seasons
    assert (config["model"]["head"], config["model"]["autoregressive"], config["model"]["zoneout"]) == (
        "gaussian",
        True,
        0.1,
    )
    assert config["data"]["held_out"] is False


def test_options_stand_above_parameters():
    forecaster = Forecaster(**SMALL).set_params(window=10, options={"window": 12, "horizon": 2, "threads": 1})
    options = forecaster.fit(y=season()).run_.config["options"]
    assert (options["window"], options["horizon"]) == (12, 2)
    with pytest.raises(ValueError, match="minimum of 14 is required"):
        forecaster.fit(y=season(13))


@pytest.mark.parametrize(
    ("parameters", "X", "y", "error", "expected"),
    [
        ({}, None, None, DataError, "Forecaster requires y to be passed"),
        ({}, None, season(10), ValueError, "minimum of 11 is required by Forecaster"),
        ({}, None, season(13), DataError, "expected a series of at least 14 rows"),
        ({}, np.ones((T - 1, 1)), season(), ValueError, "inconsistent numbers of samples"),
        ({}, np.full((T, 1), np.nan), season(), ValueError, "Input X contains NaN"),
        ({}, None, np.full(T, np.nan), DataError, "every value of a target is missing"),
        ({}, None, [season(), np.ones((T, 2))], DataError, "y: expected series"),
        ({}, np.ones((T, 1)), [season()], DataError, "X: expected a list of arrays, one a series"),
        ({}, [np.ones((T, 1))], season(), DataError, "X: expected one array, as y is one"),
        ({}, [np.ones((T, 1))], [season(), season()], DataError, "X: expected 2 arrays, one a series, got 1"),
        ({"horizon": 0}, None, season(), ConfigError, "horizon: expected at least 1"),
        ({"head": "median"}, None, season(), ConfigError, "head"),
    ],
)
def test_refused(parameters, X, y, error, expected):
    with pytest.raises(error, match=expected):
        Forecaster(**SMALL | parameters).fit(X, y)


def test_steps_that_cannot_be(fitted):
    for steps in (0, 4):
        with pytest.raises(DataError, match="steps: expected 1 or more, as many as X has rows"):
            fitted.predict(np.empty((2, 0)), steps=steps)


def test_not_fitted():
    for call in (Forecaster().predict, Forecaster().predict_quantiles):
        with pytest.raises(NotFittedError):
            call()
    with pytest.raises(NotFittedError):
        Forecaster().score(None, season(5))
