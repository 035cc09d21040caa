"""The tagger as an estimator: what users do with one."""

import pickle

import numpy as np
import pytest
import torch

sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402

import ostinato  # noqa: E402
from ostinato.core.errors import ConfigError, DataError  # noqa: E402
from ostinato.sklearn import SequenceTagger  # noqa: E402

SMALL = {"hidden": 8, "embed": 4, "char_hidden": 0, "dropout": 0.0, "epochs": 20, "lr": 0.02, "batch": 8}
SMALL |= {"random_state": 1, "options": {"threads": 1}}
X = [["the", "cat", "sat"], ["a", "dog", "ran", "far"], ["the", "dog"], ["a", "cat", "ran"]] * 10
TAG = {"the": "D", "a": "D", "cat": "N", "dog": "N", "sat": "V", "ran": "V", "far": "A"}
Y = [[TAG[word] for word in sentence] for sentence in X]


@pytest.fixture(scope="module")
def tagger():
    return SequenceTagger(**SMALL).fit(X, Y)


def test_it_learns(tagger):
    assert tagger.score(X, Y) == 1.0
    assert tagger.predict([["a", "cat"], [], ["the", "dog", "sat"]]) == [["D", "N"], [], ["D", "N", "V"]]
    assert tagger.classes_.tolist() == ["A", "D", "N", "V"]


def test_probabilities(tagger):
    found = tagger.predict_proba([["a", "cat"], [], ["the", "dog", "sat"]])
    assert [each.shape for each in found] == [(2, 4), (0, 4), (3, 4)]
    for each, tags in zip(found, tagger.predict([["a", "cat"], [], ["the", "dog", "sat"]]), strict=True):
        np.testing.assert_allclose(each.sum(1), 1, rtol=1e-5)
        assert tagger.classes_[each.argmax(1)].tolist() == tags


def test_labels_of_any_kind_come_back_as_they_were():
    numbers = [np.array([{"D": 10, "N": 9, "V": 7, "A": -3}[tag] for tag in own]) for own in Y]
    tagger = SequenceTagger(**SMALL).fit([np.array(own) for own in X], numbers)
    assert tagger.classes_.tolist() == [-3, 7, 9, 10]
    assert tagger.score(X, numbers) == 1.0
    assert tagger.predict([["a", "cat"]]) == [[10, 9]]
    assert tagger.predict_proba([["a", "cat"]])[0].argmax(1).tolist() == [3, 2]


def test_it_is_the_commands_model(tagger):
    assert isinstance(tagger.run_, ostinato.Run)
    assert tagger.run_.config["task"] == "tag"
    assert tagger.run_.config["model"]["hidden_size"] == 8
    names = [["B-X", "I-X", "O"]] * 20
    crf = SequenceTagger(**SMALL).fit([["new", "york", "is"]] * 20, names)
    assert crf.run_.config["model"]["head"] == "crf"


def test_the_same_seed_gives_the_same_model_and_leaves_others_numbers_alone(tagger):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    again = SequenceTagger(**SMALL).fit(X, Y)
    assert torch.equal(before, torch.get_rng_state())
    for name, tensor in again.run_.model.state_dict().items():
        assert torch.equal(tensor, tagger.run_.model.state_dict()[name]), name
    other = SequenceTagger(**SMALL | {"random_state": np.random.RandomState(3)}).fit(X, Y)
    assert not torch.equal(other.run_.model.output.weight, tagger.run_.model.output.weight)


def test_a_label_that_is_only_held_out_is_known():
    rare = SequenceTagger(**SMALL | {"epochs": 1, "validation_fraction": 0.5, "random_state": 0})
    found = rare.fit([*X[:3], ["a", "cat"]], [*Y[:3], ["D", "RARE"]])
    assert "RARE" in found.classes_
    assert found.predict_proba([["a"]])[0].shape == (1, len(found.classes_))


def test_pickled(tagger):
    again = pickle.loads(pickle.dumps(tagger))
    assert again.predict(X) == tagger.predict(X)


@pytest.mark.slow
def test_in_a_pipeline_and_a_grid_search():
    texts = [" ".join(own).upper() for own in X]
    split = FunctionTransformer(lambda texts: [text.lower().split() for text in texts])
    pipeline = make_pipeline(split, SequenceTagger(**SMALL))
    search = GridSearchCV(pipeline, {"sequencetagger__epochs": [1, 20]}, cv=2).fit(texts, Y)
    assert search.best_params_ == {"sequencetagger__epochs": 20}
    assert search.predict(["A DOG SAT"]) == [["D", "N", "V"]]
    assert cross_val_score(SequenceTagger(**SMALL), X, Y, cv=2).min() > 0.5


def test_parameters_are_the_commands_and_none_is_its_default():
    tagger = clone(SequenceTagger(hidden=7, options={"zoneout": 0.1, "epochs": 1}))
    config = tagger.fit(X, Y).run_.config
    assert config["model"]["hidden_size"] == 7
    assert config["model"]["zoneout"] == 0.1
    assert config["model"]["embed_size"] == 100  # the command's default


@pytest.mark.parametrize(
    ("parameters", "X", "y", "error", "expected"),
    [
        ({}, ["the cat"], [["D", "N"]], DataError, "split texts first"),
        ({}, [["the", "cat"]], [["D"]], DataError, "sequence 0: expected one label a token, got 1 for 2"),
        ({}, [["the"]], [["D"], ["N"]], DataError, "got 2 for 1"),
        ({}, [[]], [[]], DataError, "at least one token"),
        ({}, [["a"], ["b"]], [["D"], ["D"]], DataError, "one class there is nothing to learn"),
        ({}, [["a"]], None, DataError, "requires y to be passed"),
        ({}, [["a"]], ["D"], DataError, "y: expected a sequence of labels for each"),
        ({}, [["a", None]], [["D", "N"]], DataError, "one that is missing"),
        ({}, [["a", float("nan")]], [["D", "N"]], DataError, "one that is missing"),
        ({}, np.array([[1, np.inf]]), [["D", "N"]], ValueError, "infinity"),
        ({}, [["a", ""]], [["D", "N"]], DataError, "got an empty one"),
        ({"options": {"hiden": 3}}, X, Y, ConfigError, "unknown option 'hiden': did you mean 'hidden'"),
        ({"options": {"valid": "more.conllu"}}, X, Y, ConfigError, "options: 'valid' is about files"),
        ({"hidden": 0}, X, Y, ConfigError, "hidden: expected at least 1, got 0"),
        ({"cell": "lstn"}, X, Y, ConfigError, "did you mean 'lstm'"),
    ],
)
def test_refused(parameters, X, y, error, expected):
    with pytest.raises(error, match=expected):
        SequenceTagger(**parameters).fit(X, y)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        SequenceTagger().predict(X)


def test_labels_of_two_kinds_are_refused():
    with pytest.raises(DataError, match="y: expected labels that are all texts or all numbers, got both"):
        SequenceTagger().fit([["a", "b"]], [[1, "x"]])
