"""The classifier as an estimator: what users do with one."""

import pickle

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402

from ostinato.core.errors import DataError  # noqa: E402
from ostinato.sklearn import SequenceClassifier  # noqa: E402

SMALL = {"hidden": 8, "embed": 4, "dropout": 0.0, "epochs": 15, "lr": 0.02, "batch": 8, "random_state": 1}
SMALL |= {"options": {"threads": 1, "word_dropout": 0.0}}
TEXTS = ["a good film", "it was bad", "good", "so bad a film", "really good", "bad bad bad"] * 8
MOODS = np.array(["up", "down"] * 24)


def waves(number=48, channels=2):
    """Rising and falling series, of unequal length."""
    draw = np.random.default_rng(0)
    signs = np.arange(number) % 2 * 2 - 1
    lengths = draw.integers(4, 9, number)
    pairs = zip(signs, lengths, strict=True)
    return [sign * np.linspace(0, 1, T)[:, None] + draw.normal(0, 0.1, (T, channels)) for sign, T in pairs], signs


@pytest.mark.parametrize("X", [TEXTS, [text.split() for text in TEXTS]], ids=["texts", "tokens"])
def test_texts(X):
    classifier = SequenceClassifier(**SMALL).fit(X, MOODS)
    assert classifier.classes_.tolist() == ["down", "up"]
    assert classifier.score(X, MOODS) == 1.0
    probabilities = classifier.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert (classifier.classes_[probabilities.argmax(1)] == MOODS).all()
    assert (pickle.loads(pickle.dumps(classifier)).predict_proba(X) == probabilities).all()
    assert classifier.run_.config["task"] == "classify"
    with pytest.raises(DataError, match="expected texts or tokens, as in fit, got numbers"):
        classifier.predict([[1.0, 2.0]])


def test_a_level_far_above_its_variation_changes_nothing():
    X, y = waves()
    for level, unit in ((5_712_345, 0.1), (1e9, 1)):
        high = [level + unit * steps for steps in X]
        assert SequenceClassifier(**SMALL).fit(high, y).score(high, y) == 1.0


def test_numbers_of_unequal_length():
    X, y = waves()
    classifier = SequenceClassifier(**SMALL).fit(X, y)
    assert classifier.classes_.tolist() == [-1, 1]
    assert classifier.score(X, y) == 1.0
    assert classifier.predict(X[:3]).tolist() == [-1, 1, -1]


def test_three_dimensions_and_a_grid_search():
    X, y = waves()
    whole = np.stack([steps[:4] for steps in X])
    pipeline = make_pipeline(FunctionTransformer(lambda x: x * 2), SequenceClassifier(**SMALL))
    search = GridSearchCV(pipeline, {"sequenceclassifier__epochs": [15]}, cv=2).fit(whole, y)
    assert search.best_score_ > 0.9


def test_a_table_has_a_sequence_in_each_row_and_may_lack_numbers():
    X, y = waves(channels=1)
    rows = np.stack([steps[:4, 0] for steps in X])
    once = SMALL | {"epochs": 1}
    classifier = SequenceClassifier(**once).fit(rows, y)
    assert classifier.n_features_in_ == 4
    same = SequenceClassifier(**once).fit([steps[:4] for steps in X], y)
    np.testing.assert_array_equal(classifier.predict_proba(rows), same.predict_proba([steps[:4] for steps in X]))
    assert not hasattr(same, "n_features_in_")
    np.testing.assert_array_equal(classifier.predict(X), same.predict(X))  # of any length, as they are no table
    assert not hasattr(classifier.fit(list(rows), y), "n_features_in_")  # again, on sequences
    rows[0, 1] = np.nan
    assert np.isfinite(SequenceClassifier(**once).fit(rows, y).predict_proba(rows)).all()


def test_the_same_seed_gives_the_same_answers():
    X, y = waves()
    one, other = (SequenceClassifier(**SMALL | {"epochs": 1}).fit(X, y).predict_proba(X) for _ in range(2))
    assert (one == other).all()


@pytest.mark.parametrize(
    ("X", "y", "expected"),
    [
        ([], [], "expected a list of sequences"),
        ("a text", ["a"], "expected a list of sequences"),
        (TEXTS, MOODS[:-1], "y: expected one label for each of 48 sequences"),
        ([[[1.0]], [[1.0, 2.0]]], [0, 1], "arrays .T, D. of the same D"),
        (TEXTS, ["one"] * 48, "at least two classes to tell apart, got one class: 'one'"),
        (TEXTS, None, "requires y to be passed"),
        ([np.ones(3), np.array([1, np.inf])], [0, 1], "X.1.: expected finite numbers"),
        ([np.ones(3), np.array([1, 2j])], [0, 1], "X.1.: expected an array of real numbers"),
        ([np.ones(3), [1, None, {}]], [0, 1], "X.1.: expected an array of real numbers"),
    ],
)
def test_refused(X, y, expected):
    with pytest.raises(DataError, match=expected):
        SequenceClassifier(**SMALL).fit(X, y)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        SequenceClassifier().predict(TEXTS)


def test_sequences_without_tokens():
    X = [[], *[text.split() for text in TEXTS]]
    classifier = SequenceClassifier(**SMALL).fit(X, ["up", *MOODS])
    assert classifier.predict([[]]).shape == (1,)
    assert classifier.predict([[], ["good"]]).tolist()[1] == "up"
