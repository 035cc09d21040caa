"""Arrays of time steps as the series that a forecaster reads."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array, check_consistent_length

from ostinato.core.errors import DataError
from ostinato.data.series.reading import Series
from ostinato.sklearn.inputs import forget_table, table

Array = npt.NDArray[np.float64]


class Given(NamedTuple):
    """Series, and how they were handed in.

    Attributes:
        series: one, or several.
        several: whether they came as a list.
        flat: whether targets had one dimension.
    """

    series: list[Series]
    several: bool
    flat: bool

    @property
    def targets(self) -> int:
        """K."""
        return self.series[0].target.shape[1]

    @property
    def covariates(self) -> int:
        """F."""
        return len(self.series[0].covariates)


def is_several(values: Any) -> bool:
    """Whether this is a list of arrays, which is a list of series; anything else is one array."""
    listed = isinstance(values, list | tuple) and len(values) > 0
    return listed and all(hasattr(each, "__array__") and np.ndim(each) > 0 for each in values)


def given_series(estimator: Any, X: Any, y: Any, *, reset: bool, at_least: int = 1) -> Given:
    """Targets and covariates of the same steps.

    Args:
        estimator: whose input they are.
        X: covariates `[T, F]`, a list of them, or None.
        y: targets `[T]` or `[T, K]`, or a list of them.
        reset: whether this is `fit`.
        at_least: steps that each series must have.

    Raises:
        DataError: they do not match.
        ValueError: what scikit-learn refuses, in its words.
    """
    several = is_several(y)
    rules: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan", "input_name": "y"}
    rules |= {"ensure_2d": False, "ensure_min_samples": at_least, "estimator": estimator}
    targets = [check_array(part, **rules) for part in (y if several else [y])]
    shapes = {part.shape[1:] for part in targets}
    if len(shapes) > 1 or len(next(iter(shapes))) > 1:
        raise DataError(
            f"y: expected series [T] or [T, K] of the same K, got {', '.join(str(t.shape) for t in targets)}"
        )
    flat = targets[0].ndim == 1
    targets = [part.reshape(len(part), -1) for part in targets]
    if reset and np.isnan(np.concatenate(targets)).all(axis=0).any():
        raise DataError("y: expected numbers, every value of a target is missing")
    known = given_covariates(estimator, X, [len(part) for part in targets] if X is None else None, several, reset=reset)
    if len(known) != len(targets):
        raise DataError(f"X: expected {len(targets)} arrays, one a series, got {len(known)}")
    for part, beside in zip(targets, known, strict=True):
        check_consistent_length(beside, part)
    names = [str(number) if several else "" for number in range(len(targets))]
    series = [
        Series(name, 0, part, {f"x{f}": column for f, column in enumerate(beside.T)})
        for name, part, beside in zip(names, targets, known, strict=True)
    ]
    return Given(series, several, flat)


def given_covariates(
    estimator: Any, X: Any, rows: list[int] | None, several: bool, *, reset: bool = False
) -> list[Array]:
    """Covariates of each series, `[T, F]`; without columns where there is no X.

    Args:
        estimator: whose input they are.
        X: `[T, F]`, or a list of them where there are several series; None where `rows` says how many steps there are.
        rows: of each series.
        several: whether a list is expected.
        reset: whether this is `fit`.

    Raises:
        DataError: a list where none is expected, or the other way round.
        ValueError: what scikit-learn refuses, in its words.
    """
    if X is None:
        if reset:
            forget_table(estimator)
        return [np.zeros((count, 0)) for count in rows or []]
    if is_several(X) != several:
        expected = "a list of arrays, one a series" if several else "one array, as y is one"
        raise DataError(f"X: expected {expected}, got {type(X).__name__}")
    parts = list(X) if several else [X]
    return [
        table(estimator, part, reset=reset and not number, dtype=np.float64, ensure_min_features=0)
        for number, part in enumerate(parts)
    ]


def joined(old: Series, new: Series) -> Series:
    """A series and what came after it."""
    beside = {name: np.concatenate([column, new.covariates[name]]) for name, column in old.covariates.items()}
    return Series(old.key, old.first, np.concatenate([old.target, new.target]), beside)
