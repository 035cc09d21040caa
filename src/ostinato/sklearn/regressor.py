"""Many to one, of real numbers, as an estimator."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils import check_array

from ostinato.core.errors import DataError
from ostinato.data.labelled.examples import Raw
from ostinato.data.labelled.reading import LabelledColumns
from ostinato.sklearn.inputs import answers_to, require_target, sequences_of, takes_sequences
from ostinato.sklearn.training import SequenceEstimator, train


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceRegressor(RegressorMixin, SequenceEstimator):  # type: ignore[misc]
    """One or several real numbers for each sequence: what `ostinato train regress` trains.

    X is as `SequenceClassifier` has it. Parameters that are None have the command's default; `ostinato train regress
    --help` says which.

    All other parameters are those of `SequenceEstimator`.

    Args:
        embed: width of the tokens' embedding.
        pooling: "last", "mean", "max", "attention" or "concat".
        bidirectional: read in both directions.
        loss: "mse" or "huber".

    Attributes:
        run_: model, tokenizer or scale, and configuration; its folder is gone.
        n_features_in_: T, where X was a table of numbers.
    """

    embed: int | None = None
    pooling: str | None = None
    bidirectional: bool | None = None
    loss: str | None = None

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from sequences and their numbers.

        Args:
            X: N sequences.
            y: targets `[N]` or `[N, K]`.

        Raises:
            DataError: sequences and targets that do not match, or a target that is the same everywhere.
            ConfigError: a parameter that cannot be.
            ValueError: a table or targets that scikit-learn refuses, in its words.
        """
        require_target(self, y)
        inputs = sequences_of(self, X, reset=True)
        targets = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if len(targets) != len(inputs):
            raise DataError(f"y: expected targets for each of {len(inputs)} sequences, got {len(targets)}")
        if len(targets) < 2:
            raise DataError("y: expected targets that differ, got one sample")
        count = 1 if targets.ndim == 1 else targets.shape[1]
        names = "y" if count == 1 else ",".join(f"y{number}" for number in range(count))
        whole = Raw("X", inputs, [None] * len(inputs), "X[{}]".format, None, "", targets=targets.reshape(-1, count))
        self._shape = targets.shape[1:]
        self.run_ = train(self, LabelledColumns(names), whole)
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Numbers, `[N]` or `[N, K]` as in `fit`.

        Raises:
            DataError: texts where `fit` had numbers, or numbers where it had texts.
        """
        answers = answers_to(self, X)
        return np.array([[*answer.values()] for answer in answers]).reshape(len(answers), *self._shape)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: besides sequences, several targets are fine."""
        tags = takes_sequences(super().__sklearn_tags__())
        tags.target_tags.multi_output = True
        return tags
