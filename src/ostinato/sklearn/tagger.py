"""Many to many, aligned, as an estimator."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ostinato.core.errors import DataError
from ostinato.data.sources.encodings import whole_characters
from ostinato.data.sources.memory import is_missing
from ostinato.data.text.conll import Tagged
from ostinato.sklearn.inputs import is_table, require_target
from ostinato.sklearn.training import SequenceEstimator, asked_of_task, train
from ostinato.tasks.estimators import Tags


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceTagger(SequenceEstimator):
    """A label for every token of a sequence: what `ostinato train tag` trains.

    Parameters that are None have the command's default; `ostinato train tag --help` says which.

    All other parameters are those of `SequenceEstimator`.

    Args:
        embed: width of the tokens' embedding.
        char_hidden: units of the layer over a token's characters, each direction; 0 leaves spelling out.
        word_dropout: how readily tokens are unknown in training.
        head: "softmax", "crf", or "auto": crf where the labels are BIO.

    Attributes:
        classes_: the labels, sorted.
        run_: model, vocabulary and configuration; its folder is gone.
    """

    embed: int | None = None
    char_hidden: int | None = None
    word_dropout: float | None = None
    head: str | None = None

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from sequences and their labels.

        Args:
            X: sequences of tokens: strings, or anything whose `str` tells it from others.
            y: as many sequences of labels, each as long as its tokens.

        Raises:
            DataError: sequences and labels that do not match, or nothing to learn from.
            ConfigError: a parameter that cannot be.
            ValueError: an array that is sparse, complex, infinite or one-dimensional, in scikit-learn's words.
        """
        require_target(self, y)
        words, labels = _tokens(X), _labels(y)
        _check(words, labels)
        self.classes_ = np.unique(np.array([*chain.from_iterable(labels)]))
        if len(self.classes_) < 2:
            raise DataError(
                f"y: every token has the label {self.classes_.tolist()[0]!r}: with one class there is nothing to learn"
            )
        text = self.classes_.dtype.kind in "US"
        self._names = [str(label) if text else str(number) for number, label in enumerate(self.classes_)]
        numbers = {label: number for number, label in enumerate(self.classes_.tolist())}
        tags = [[self._names[numbers[_plain(label)]] for label in own] for own in labels]
        whole = Tagged([*filter(None, words)], [*filter(None, tags)], (), "", None, 1, {})
        self.run_ = train(self, None, whole)
        return self

    def predict(self, X: Any) -> list[list[Any]]:
        """The most probable labels: as many sequences of them, each as long as its tokens."""
        check_is_fitted(self)
        labels = dict(zip(self._names, self.classes_.tolist(), strict=True))
        task: Tags = asked_of_task(self)
        return [[labels[tag] for tag in own] for own in task.tags(self.run_, _tokens(X))]

    def predict_proba(self, X: Any) -> list[npt.NDArray[np.float32]]:
        """The probability of each label: for each sequence an array `[T, K]`, its columns as `classes_`.

        With a CRF these are the marginals: of a token's label, whatever the others are.
        """
        check_is_fitted(self)
        task: Tags = asked_of_task(self)
        words = _tokens(X)
        found = task.probabilities(self.run_, words, self._names)
        return np.split(found, np.cumsum([len(own) for own in words]))[: len(words)]

    def score(self, X: Any, y: Any) -> float:
        """Share of the tokens that get the right label."""
        predicted = self.predict(X)
        labels = [[_plain(label) for label in own] for own in _labels(y)]
        _check(predicted, labels)
        pairs = list(zip(chain.from_iterable(labels), chain.from_iterable(predicted), strict=True))
        return sum(one == other for one, other in pairs) / max(len(pairs), 1)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: X is no table of features, and y has a label for every token."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.required = True
        tags.target_tags.one_d_labels = False
        return tags


def _plain(label: Any) -> Any:
    """A NumPy scalar as Python's own."""
    return label.item() if isinstance(label, np.generic) else label


def _tokens(X: Any) -> list[list[str]]:
    if is_table(X):
        check_array(X, dtype=None, input_name="X")
    X = np.asarray(X) if hasattr(X, "__array__") else X
    if isinstance(X, str) or any(isinstance(own, str) or not hasattr(own, "__len__") for own in X):
        raise DataError("X: expected sequences of tokens, such as [['the', 'cat'], ['a', 'dog']]; split texts first")
    found = [[whole_characters(str(token)) for token in own] for own in X]
    if any(not token for own in found for token in own):
        raise DataError("X: expected tokens of at least one character, got an empty one")
    for row, own in enumerate(X):
        if any(is_missing(token) for token in own):
            raise DataError(f"X[{row}]: expected tokens, got one that is missing (None or NaN)")
    return found


def _labels(y: Any) -> list[list[Any]]:
    if isinstance(y, str) or any(isinstance(own, str) or not hasattr(own, "__len__") for own in y):
        raise DataError("y: expected a sequence of labels for each sequence of tokens, one label a token")
    return [list(own) for own in y]


def _check(words: Sequence[Sequence[Any]], labels: Sequence[Sequence[Any]]) -> None:
    if len(words) != len(labels):
        raise DataError(f"expected as many sequences of labels as of tokens, got {len(labels)} for {len(words)}")
    for number, (one, other) in enumerate(zip(words, labels, strict=True)):
        if len(one) != len(other):
            raise DataError(f"sequence {number}: expected one label a token, got {len(other)} for {len(one)}")
    if not any(labels):
        raise DataError("expected at least one token with its label, got none")
    if len({isinstance(label, str) for own in labels for label in own}) > 1:
        raise DataError("y: expected labels that are all texts or all numbers, got both")
