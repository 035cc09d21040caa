"""Covariates as features: numbers standardised, categories one-hot, both as learned from the training rows."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ostinato.core.errors import DataError
from ostinato.data.series.scaling import in_float32, mean_and_spread
from ostinato.data.tables.numbers import is_number
from ostinato.data.tables.spelling import spelt_as

#: Categories that get a feature of their own, at most; the rarer ones are like an unknown one.
MOST_CATEGORIES = 100


@dataclass(frozen=True)
class Coding:
    """How a column becomes features.

    Attributes:
        name: of the column.
        mean: of a numeric column.
        std: of a numeric column; its own size where it never changes.
        indicator: whether a feature says that the value is missing.
        categories: of a column of text; None for a numeric one.
    """

    name: str
    mean: float = 0.0
    std: float = 1.0
    indicator: bool = False
    categories: tuple[str, ...] | None = None

    @classmethod
    def learn(cls, name: str, columns: Iterable[np.ndarray]) -> "Coding":
        """From the training rows of every series.

        Raises:
            DataError: no value is known.
        """
        parts = list(columns)
        if any(part.dtype == object for part in parts):
            counts = Counter(str(value) for part in parts for value in part if value is not None)
            common = sorted(counts, key=lambda category: (-counts[category], category))[:MOST_CATEGORIES]
            return cls(name, categories=tuple(sorted(common)))
        values = np.concatenate(parts)
        missing = np.isnan(values)
        if missing.all():
            raise DataError(f"column {name!r}: every value in the training rows is missing; leave the column out")
        return cls(name, *mean_and_spread(values), bool(missing.any()))

    @property
    def names(self) -> list[str]:
        """Its features by name."""
        if self.categories is not None:
            return [f"{self.name}={category}" for category in self.categories]
        return [self.name] + [f"{self.name} missing"] * self.indicator

    def encode(self, column: np.ndarray, rows: int) -> np.ndarray:
        """The features of a series, `[rows, F]` float32; what lies beyond its column counts as missing.

        A missing number is the last known one, before there is any the mean; an unknown category is none of those
        there are.

        Raises:
            DataError: text where there were numbers in training.
        """
        if self.categories is not None:
            index = {category: place for place, category in enumerate(self.categories)}
            spell = spelt_as(self.categories)
            coded = np.zeros((rows, len(index)), np.float32)
            last = None
            for row in range(rows):
                value = column[row] if row < len(column) else None
                last = value if value is not None else last
                if last is not None and (place := index.get(spell(str(last)))) is not None:
                    coded[row, place] = 1
            return coded
        if column.dtype == object:
            text = next(value for value in column if value is not None and not is_number(value))
            raise DataError(f"column {self.name!r}: expected numbers, as in training, got {text!r}")
        values = np.full(rows, np.nan)
        values[: len(column)] = column[:rows]
        missing = ~np.isfinite(values)
        scaled = (filled(values[:, None], self.mean)[:, 0] - self.mean) / self.std
        features = [scaled, missing] if self.indicator else [scaled]
        return in_float32(np.stack(features, axis=1))


def filled(values: np.ndarray, before: float | np.ndarray) -> np.ndarray:
    """The last known value in place of each that is missing (NaN) in `[T, K]`; `before` where none is known yet."""
    known = np.isfinite(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], -1), axis=0)
    return np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=0), before)
