"""The regressor as an estimator: what users do with one."""

import pickle

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.metrics import r2_score  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402

from ostinato.core.errors import DataError  # noqa: E402
from ostinato.sklearn import SequenceRegressor  # noqa: E402

SMALL = {"hidden": 8, "embed": 4, "dropout": 0.0, "epochs": 15, "lr": 0.02, "batch": 8, "random_state": 1}
SMALL |= {"options": {"threads": 1, "word_dropout": 0.0}}
TEXTS = ["a good film", "it was bad", "good", "so bad a film", "good, really good", "bad bad bad"] * 8
STARS = np.array([1, -1, 1, -1, 2, -3] * 8) * 0.5 + 3


def slopes(number=48):
    """Straight lines of unequal length, and how steep they are."""
    draw = np.random.default_rng(0)
    steep = draw.normal(0, 100, number)
    return [slope * np.linspace(0, 1, draw.integers(4, 9))[:, None] for slope in steep], steep


@pytest.mark.parametrize("X", [TEXTS, [text.split() for text in TEXTS]], ids=["texts", "tokens"])
def test_texts(X):
    regressor = SequenceRegressor(**SMALL).fit(X, STARS)
    said = regressor.predict(X)
    assert said.shape == (48,)
    assert 0.8 < regressor.score(X, STARS) == pytest.approx(r2_score(STARS, said))
    assert (pickle.loads(pickle.dumps(regressor)).predict(X) == said).all()
    assert regressor.run_.config["task"] == "regress"
    assert regressor.predict([[]]).shape == (1,)
    with pytest.raises(DataError, match="expected texts or tokens, as in fit, got numbers"):
        regressor.predict([[1.0, 2.0]])


def test_several_targets_are_told_apart():
    X, steep = slopes()
    y = np.stack([steep, 1e6 - 3 * steep], axis=1)
    regressor = SequenceRegressor(**SMALL | {"epochs": 25}).fit(X, y)
    said = regressor.predict(X)
    assert said.shape == (48, 2)
    assert (
        0.8 < regressor.score(X, y) == pytest.approx((r2_score(steep, said[:, 0]) + r2_score(y[:, 1], said[:, 1])) / 2)
    )
    np.testing.assert_allclose(said.mean(0), y.mean(0), rtol=0.02, atol=20)
    assert SequenceRegressor(**SMALL | {"epochs": 1}).fit(X, y[:, :1]).predict(X).shape == (48, 1)


def test_a_grid_search_over_losses_in_a_pipeline():
    X, steep = slopes()
    whole = np.stack([steps[-4:] for steps in X])
    pipeline = make_pipeline(FunctionTransformer(lambda x: x * 2), SequenceRegressor(**SMALL))
    search = GridSearchCV(pipeline, {"sequenceregressor__loss": ["mse", "huber"]}, cv=2).fit(whole, steep)
    assert search.best_score_ > 0.5
    means = search.cv_results_["mean_test_score"]
    assert means[0] != means[1]


@pytest.mark.parametrize(
    ("X", "y", "expected"),
    [
        ("a text", [1.0], "expected a list of sequences"),
        (TEXTS, STARS[:-1], "y: expected targets for each of 48 sequences, got 47"),
        (TEXTS, np.ones(48), "expected different numbers to learn, got 1 as 'y' of all 48 examples"),
        (TEXTS[:1], [1.0], "y: expected targets that differ, got one sample"),
        (TEXTS, None, "requires y to be passed"),
    ],
)
def test_refused(X, y, expected):
    with pytest.raises(DataError, match=expected):
        SequenceRegressor(**SMALL).fit(X, y)


def test_what_scikit_learn_refuses():
    with pytest.raises(ValueError, match="Input y contains NaN"):
        SequenceRegressor(**SMALL).fit(TEXTS, [np.nan, *STARS[1:]])
    with pytest.raises(NotFittedError):
        SequenceRegressor().predict(TEXTS)
