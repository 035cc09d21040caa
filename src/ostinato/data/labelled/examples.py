"""Sequences with what is to be learned of each, as files have them: labels, or numbers."""

import hashlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import DataError
from ostinato.data.tables.numbers import MISSING_NUMBERS, number_advice, plain_number


class Example(NamedTuple):
    """A sequence whose label is asked for.

    Attributes:
        input: a text, or an array `[T, D]`.
        place: what messages call it.
        key: id of a numeric sequence of a table, which its answer bears; None where there is none.
    """

    input: Any
    place: str
    key: str | None = None


@dataclass(frozen=True)
class Raw:
    """Sequences as a file has them.

    Attributes:
        name: of the file.
        inputs: `[N]` texts, or arrays `[T, D]`.
        labels: `[N]`; None where one is missing, or where they were not asked for.
        places: names example number i, for messages.
        keys: `[N]` ids of a table's numeric sequences, or names of a folder's files, a text each; None elsewhere.
        digest: SHA-256 of the content.
        files: names of several; empty where there is one.
        several: what stands between several labels of an example; None where each has one.
        targets: `[N, K]` numbers to learn, NaN where one is missing; None where there are labels, or neither.
    """

    name: str
    inputs: list[Any]
    labels: list[str | None]
    places: Callable[[int], str]
    keys: list[str] | None
    digest: str
    files: tuple[str, ...] = ()
    several: str | None = None
    targets: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Self:
        """Examples without labels."""
        places = [one.place for one in examples]
        inputs = [one.input for one in examples]
        return cls(places[0] if places else "", inputs, [None] * len(inputs), places.__getitem__, None, "")

    def examples(self) -> Iterator[Example]:
        """Each without its label."""
        for row, one in enumerate(self.inputs):
            yield Example(one, self.places(row), None if self.keys is None else self.keys[row])

    @property
    def missing(self) -> int:
        """Numbers that are missing."""
        return sum(int(np.isnan(each).sum()) for each in self.inputs if not isinstance(each, str))

    @property
    def label_lists(self) -> list[tuple[str, ...]]:
        """`[N]` the labels of each example: one or none, or several where those are told apart."""
        if self.several is None:
            return [() if label is None else (label,) for label in self.labels]
        parts = [(label or "").split(self.several) for label in self.labels]
        return [tuple(dict.fromkeys(part.strip() for part in each if part.strip())) for each in parts]


def with_labels(raw: Raw) -> Raw:
    """Only the examples that have a label; how many do not is a warning. One that may have several may have none.

    Raises:
        DataError: none has one.
    """
    missing = [row for row, said in enumerate(raw.label_lists) if not said]
    if not missing or (raw.several is not None and len(missing) < len(raw)):
        return raw
    if len(missing) == len(raw):
        raise DataError(f"{raw.name}: expected a label for each example, found none at all")
    warnings.warn(f"{raw.places(missing[0])}: no label (so in {len(missing)} rows); left out", stacklevel=2)
    return selected(raw, [row for row, label in enumerate(raw.labels) if label is not None])


def targets_in_place(raw: Raw) -> Raw:
    """Labels that are numbers as `[N, 1]` targets.

    Raises:
        DataError: one is no finite number.
    """
    found = [math.nan if label is None else _number(raw.places(row), label) for row, label in enumerate(raw.labels)]
    return replace(raw, labels=[None] * len(raw), targets=np.array(found, np.float64)[:, None])


def _number(place: str, label: str) -> float:
    try:
        if label.strip().lower() in MISSING_NUMBERS:
            return math.nan
        if abs(found := plain_number(label)) <= np.finfo(np.float32).max:
            return found
    except ValueError:
        pass
    raise DataError(f"{place}: expected a finite number to learn, got {label[:40]!r}; {number_advice(label)}")


def with_targets(raw: Raw) -> Raw:
    """Only the examples whose targets are all known; how many are not is a warning.

    Raises:
        DataError: of none they are.
    """
    missing = np.ones(len(raw), bool) if raw.targets is None else np.isnan(raw.targets).any(axis=1)
    if missing.all():
        raise DataError(f"{raw.name}: expected numbers to learn for each example, found none at all")
    if not missing.any():
        return raw
    first = raw.places(int(missing.argmax()))
    warnings.warn(f"{first}: no target (so in {int(missing.sum())} rows); left out", stacklevel=2)
    return selected(raw, np.flatnonzero(~missing).tolist())


def selected(raw: Raw, rows: Sequence[int]) -> Raw:
    """Some of the examples."""
    inputs, labels = [raw.inputs[row] for row in rows], [raw.labels[row] for row in rows]
    targets = None if raw.targets is None else raw.targets[list(rows)]
    places, keys = raw.places, None if raw.keys is None else [raw.keys[row] for row in rows]
    return replace(raw, inputs=inputs, labels=labels, places=lambda row: places(rows[row]), keys=keys, targets=targets)


def joined(parts: Sequence[Raw]) -> Raw:
    """The examples of several files, or of parts of one, one behind the other."""
    places = [(part, row) for part in parts for row in range(len(part))]
    keys = None if any(part.keys is None for part in parts) else [key for part in parts for key in part.keys or ()]
    targets = [part.targets for part in parts if part.targets is not None]
    return Raw(
        ", ".join(part.name for part in parts),
        [each for part in parts for each in part.inputs],
        [label for part in parts for label in part.labels],
        lambda row: places[row][0].places(places[row][1]),
        keys,
        hashlib.sha256("".join(part.digest for part in parts).encode()).hexdigest(),
        tuple(part.name for part in parts),
        parts[0].several,
        np.concatenate(targets) if targets else None,
    )


def count_labels(raw: Raw) -> tuple[dict[str, int], dict[str, str]]:
    """Examples by label, and how a message names the first of each."""
    counts: dict[str, int] = {}
    places: dict[str, str] = {}
    for row, said in enumerate(raw.label_lists):
        for label in said:
            if label not in counts:
                places[label] = raw.places(row)
            counts[label] = counts.get(label, 0) + 1
    return counts, places


def texts_or_empty(texts: Sequence[str | None], places: Callable[[int], str]) -> list[str]:
    """Texts, a missing one as the empty one, with a warning that names the first."""
    if empty := [row for row, text in enumerate(texts) if text is None]:
        warnings.warn(f"{places(empty[0])}: no text (so in {len(empty)} rows); taken as empty", stacklevel=3)
    return ["" if text is None else text for text in texts]
