"""What is handed to an estimator: tables of numbers by scikit-learn's rules, sequences by ours; and
what the estimators of one answer a sequence, classify and regress, have in common."""

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils.validation import check_is_fitted, validate_data

from ostinato.core.errors import DataError
from ostinato.data.labelled.examples import Example
from ostinato.data.labelled.reading import raw_in_memory
from ostinato.data.sources.memory import HeldTable, Steps, Texts, held_as

#: What scikit-learn's validation leaves on an estimator that has seen a table.
_OF_TABLES = ("n_features_in_", "feature_names_in_")


def is_table(X: Any) -> bool:
    """Whether X is a table of numbers, or what only scikit-learn's own words can refuse: sparse, or of one dimension.

    A table is an array, a data frame, or a list of lists of numbers that all have one length. A list of arrays is none,
    nor is what holds text or has three dimensions.
    """
    if sparse.issparse(X):
        return True
    if hasattr(X, "__array__"):
        array = np.asarray(X)
        if array.dtype.kind == "O":
            return array.ndim == 2 and not any(isinstance(value, str) for value in array[:1].flat)
        return array.dtype.kind in "biufc" and array.ndim < 3
    if not isinstance(X, Sequence) or isinstance(X, str) or not X:
        return False
    if isinstance(X[0], Number):
        return not any(isinstance(item, str) for item in X)  # texts of which the first is missing
    rows = all(isinstance(row, Sequence) and not isinstance(row, str) and len(row) == len(X[0]) for row in X)
    return rows and len(X[0]) > 0 and all(isinstance(value, Number) for row in X for value in row)


def listed(X: Any) -> list[Any]:
    """Sequences as a list of them.

    Raises:
        DataError: a single text, nothing, or what has no length.
    """
    found = list(np.asarray(X)) if hasattr(X, "__array__") else list(X) if hasattr(X, "__len__") else []
    if isinstance(X, str) or not found:
        raise DataError("X: expected a list of sequences, got " + (f"{X!r:.40}" if isinstance(X, str) else "none"))
    return found


def table(estimator: Any, X: Any, *, reset: bool, **rules: Any) -> npt.NDArray[Any]:
    """A table as an array `[N, F]`, by scikit-learn's rules; in `fit` it leaves `n_features_in_`.

    Args:
        estimator: whose input it is.
        X: the table.
        reset: whether this is `fit`, or else what was seen there is expected.
        **rules: of `sklearn.utils.check_array`.

    Raises:
        ValueError: sparse, empty, complex or of another shape, in scikit-learn's words.
    """
    found: npt.NDArray[Any] = validate_data(estimator, X, reset=reset, **rules)
    return found


def forget_table(estimator: Any) -> None:
    """Take back what an earlier `fit` on a table has left: this one is on sequences."""
    for name in _OF_TABLES:
        if hasattr(estimator, name):
            delattr(estimator, name)


def require_target(estimator: Any, y: Any) -> None:
    """Check that there are labels or targets.

    Raises:
        DataError: there are none.
    """
    if y is None:
        raise DataError(f"{type(estimator).__name__} requires y to be passed, but the target y is None")


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
