"""Sequences with one answer each: what the estimators of classify and regress have in common."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ostinato.core.errors import DataError
from ostinato.data.labelled.examples import Example
from ostinato.data.labelled.reading import raw_in_memory
from ostinato.data.sources.memory import HeldTable, Steps, Texts, held_as
from ostinato.sklearn.inputs import forget_table, is_table, listed, table


def sequences_of(estimator: Any, X: Any, *, reset: bool) -> list[Any]:
    """Texts, or float64 arrays `[T, D]`; `reset` as in `inputs.table`.

    Raises:
        DataError: something else.
        ValueError: a table that scikit-learn refuses, in its words.
    """
    if is_table(X):
        return list(table(estimator, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")[:, :, None])
    if reset:
        forget_table(estimator)
    held = held_as(listed(X), "X")
    if isinstance(held, HeldTable):
        raise DataError("X: expected sequences, got rows by column; hand over one column of texts")
    if isinstance(held, Steps) and not any(map(len, held.sequences)) and not reset and _reads_texts(estimator):
        held = Texts(("",) * len(held.sequences))  # where all are empty, they are what those of fit were
    return raw_in_memory("X", held).inputs


def answers_to(estimator: Any, X: Any) -> list[dict[str, Any]]:
    """What a fitted estimator's run answers to each sequence.

    Raises:
        DataError: texts where `fit` had numbers, or numbers where it had texts.
        NotFittedError: it is not fitted.
    """
    check_is_fitted(estimator)
    inputs, texts = sequences_of(estimator, X, reset=False), _reads_texts(estimator)
    if isinstance(inputs[0], str) != texts:
        kinds = ("texts or tokens", "numbers") if texts else ("numbers", "texts or tokens")
        raise DataError(f"X: expected {kinds[0]}, as in fit, got {kinds[1]}")
    return list(estimator.run_.answer([Example(one, f"X[{row}]") for row, one in enumerate(inputs)]))


def takes_sequences(tags: Any) -> Any:
    """scikit-learn's tags, which say that three dimensions and text are fine, and so are missing numbers."""
    tags.input_tags.three_d_array = tags.input_tags.string = tags.input_tags.allow_nan = True
    return tags


def _reads_texts(estimator: Any) -> bool:
    return estimator.run_.codec.tokenizer is not None
