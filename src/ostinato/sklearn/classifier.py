"""Many to one, as an estimator."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from ostinato.core.errors import DataError
from ostinato.data.labelled.examples import Raw
from ostinato.data.labelled.reading import LabelledColumns
from ostinato.sklearn.inputs import answers_to, require_target, sequences_of, takes_sequences
from ostinato.sklearn.training import SequenceEstimator, train


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceClassifier(ClassifierMixin, SequenceEstimator):  # type: ignore[misc]
    """A label for each sequence: what `ostinato train classify` trains.

    A sequence is a text, a list of tokens (which are read as the text that they make with blanks between them: in lower
    case, and split where words are), or an array of numbers `[T, D]` (or `[T]`), whose length may differ from
    one to the next; an array `[N, T, D]` holds sequences of one length. A table of numbers `[N, T]`, as scikit-learn
    has it, holds in each row a sequence of T numbers; then T is held to afterwards, as scikit-learn expects. A missing
    number (NaN) is taken as its channel's mean. Parameters that are None have the command's default; `ostinato train
    classify --help` says which.

    All other parameters are those of `SequenceEstimator`; `validation_fraction` is taken of every class alike.

    Args:
        embed: width of the tokens' embedding.
        pooling: "last", "mean", "max", "attention" or "concat".
        bidirectional: read in both directions.

    Attributes:
        classes_: the labels, sorted.
        run_: model, tokenizer or scale, and configuration; its folder is gone.
        n_features_in_: T, where X was a table of numbers.
    """

    embed: int | None = None
    pooling: str | None = None
    bidirectional: bool | None = None

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from sequences and their labels.

        Args:
            X: N sequences.
            y: N labels.

        Raises:
            DataError: sequences and labels that do not match, or fewer than two different labels.
            ConfigError: a parameter that cannot be.
            ValueError: a table or labels that scikit-learn refuses, in its words.
        """
        require_target(self, y)
        inputs = sequences_of(self, X, reset=True)
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        if len(labels) != len(inputs):
            raise DataError(f"y: expected one label for each of {len(inputs)} sequences, got {len(labels)}")
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(
                f"y: expected at least two classes to tell apart, got one class: {self.classes_.tolist()[0]!r}"
            )
        text = self.classes_.dtype.kind in "US"
        names = [str(label) if text else f"{number:09d}" for number, label in enumerate(self.classes_)]
        whole = Raw("X", inputs, [names[number] for number in numbers], "X[{}]".format, None, "")
        self.run_ = train(self, LabelledColumns(), whole)
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """The probability of each label, `[N, classes]`, the columns as `classes_`.

        Raises:
            DataError: texts where `fit` had numbers, or numbers where it had texts.
        """
        return np.array([[*answer["probabilities"].values()] for answer in answers_to(self, X)], np.float32)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable labels, `[N]`."""
        best = self.predict_proba(X).argmax(axis=1)
        found: npt.NDArray[Any] = self.classes_[best]
        return found

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: three dimensions and text are fine, and so are missing numbers."""
        return takes_sequences(super().__sklearn_tags__())
