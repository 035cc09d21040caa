"""Many to one, as an estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ostinato.api.tasks.classify import class_scores, prepare_labelled
from ostinato.config.tasks.classify import TrainClassify
from ostinato.core.errors import DataError
from ostinato.data.labelled import Columns, Raw
from ostinato.sklearn.training import options_of, train


class SequenceClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A label for each sequence: what `ostinato train classify` trains.

    A sequence is a text, a list of tokens, or an array of numbers `[T, D]` (or `[T]`), whose length may differ from
    one to the next; an array `[N, T, D]` holds sequences of one length. Parameters that are None have the command's
    default; `ostinato train classify --help` says which.

    Args:
        cell: recurrent cell.
        layers: recurrent layers.
        hidden: units of each layer and direction.
        embed: width of the tokens' embedding.
        pooling: "last", "mean", "max" or "attention".
        bidirectional: read in both directions.
        dropout: share set to zero in training.
        epochs: passes over the data.
        time_limit: seconds to train, at most.
        batch: sequences a step.
        lr: learning rate.
        weight_decay: strength of AdamW's decay.
        validation_fraction: share of every class held out to choose the best weights by; 0 chooses by what is trained
            on.
        random_state: seed, or RandomState, of every random number.
        verbose: whether to show progress.
        options: any other option of the command, by name: `{"level": "char", "threads": 1}`.

    Attributes:
        classes_: the labels, sorted.
        run_: model, tokenizer or scale, and configuration; its folder is gone.
    """

    def __init__(
        self,
        *,
        cell: str | None = None,
        layers: int | None = None,
        hidden: int | None = None,
        embed: int | None = None,
        pooling: str | None = None,
        bidirectional: bool | None = None,
        dropout: float | None = None,
        epochs: int | None = None,
        time_limit: float | None = None,
        batch: int | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        verbose: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.cell = cell
        self.layers = layers
        self.hidden = hidden
        self.embed = embed
        self.pooling = pooling
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.epochs = epochs
        self.time_limit = time_limit
        self.batch = batch
        self.lr = lr
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose
        self.options = options

    def fit(self, X: Sequence[Any], y: Sequence[Any]) -> Self:
        """Learn from sequences and their labels.

        Args:
            X: N sequences.
            y: N labels.

        Raises:
            DataError: sequences and labels that do not match, or fewer than two different labels.
            ConfigError: a parameter that cannot be.
        """
        inputs = _sequences(X)
        labels = np.asarray(y)
        if labels.shape != (len(inputs),):
            raise DataError(f"y: expected one label for each of {len(inputs)} sequences, got shape {labels.shape}")
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        text = self.classes_.dtype.kind in "US"
        names = [str(label) if text else f"{number:09d}" for number, label in enumerate(self.classes_)]
        options = options_of(self, TrainClassify)
        whole = _raw(inputs, [names[number] for number in numbers])
        prepared = prepare_labelled(options, Columns(), whole, share=self.validation_fraction)
        self._is_text = isinstance(inputs[0], str)
        self.run_ = train(options, prepared, verbose=self.verbose)
        return self

    def predict_proba(self, X: Sequence[Any]) -> npt.NDArray[np.float32]:
        """The probability of each label, `[N, classes]`, the columns as `classes_`."""
        check_is_fitted(self)
        inputs = _sequences(X)
        if isinstance(inputs[0], str) != self._is_text:
            kinds = ("texts or tokens", "numbers") if self._is_text else ("numbers", "texts or tokens")
            raise DataError(f"X: expected {kinds[0]}, as in fit, got {kinds[1]}")
        encoded = self.run_.codec.encode(_raw(inputs, [None] * len(inputs)))
        found: npt.NDArray[np.float32] = torch.from_numpy(class_scores(self.run_.model, encoded)).softmax(-1).numpy()
        return found

    def predict(self, X: Sequence[Any]) -> npt.NDArray[Any]:
        """The most probable labels, `[N]`."""
        best = self.predict_proba(X).argmax(axis=1)
        found: npt.NDArray[Any] = self.classes_[best]
        return found

    def __sklearn_tags__(self) -> Any:
        """Sequences are no two-dimensional array of features."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags


def _raw(inputs: list[Any], labels: Sequence[str | None]) -> Raw:
    return Raw("X", inputs, list(labels), lambda row: f"X[{row}]", None, "")


def _sequences(X: Sequence[Any]) -> list[Any]:
    """Texts, or float32 arrays `[T, D]`."""
    if isinstance(X, str) or not len(X):
        raise DataError("X: expected a list of sequences: texts, lists of tokens, or arrays of numbers")
    if isinstance(X[0], str):
        return [str(text) for text in X]
    if any(isinstance(token, str) for token in X[0]):
        return [" ".join(map(str, tokens)) for tokens in X]
    arrays = [np.asarray(steps, np.float32) for steps in X]
    found = [steps[:, None] if steps.ndim == 1 else steps for steps in arrays]
    widths = sorted({steps.shape[1:] for steps in found})
    if len(widths) > 1 or len(widths[0]) != 1:
        raise DataError(f"X: expected arrays [T, D] of the same D, got {', '.join(str(s.shape) for s in found[:5])}")
    return found
