"""Rows known again by their place and values, where no time says which they are."""

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np

#: Parts that a series is cut into, each of which can be known again by itself.
PARTS = 32

#: Share of the parts that have to be alike: some values may have been revised since.
ALIKE = 0.5
_LETTERS = 8


def digests(target: np.ndarray) -> tuple[str, ...]:
    """A few letters for each of up to `PARTS` equal parts of a series `[T, K]`."""
    return tuple(digest(target[begin:end])[:_LETTERS] for begin, end in _bounds(len(target)))


def share_known_again(target: np.ndarray, rows: int, parts: Sequence[str]) -> float:
    """How much of a series is as it was, place by place: of the parts that it has whole, the share that are the same.

    Args:
        target: `[T, K]`, as it is now; it may have more rows than it had, or fewer.
        rows: it had then.
        parts: `digests` of it then.
    """
    whole = [(begin, end, part) for (begin, end), part in zip(_bounds(rows), parts, strict=True) if end <= len(target)]
    return sum(digest(target[begin:end])[:_LETTERS] == part for begin, end, part in whole) / max(len(whole), 1)


def _bounds(rows: int) -> list[tuple[int, int]]:
    ends = np.linspace(0, rows, min(rows, PARTS) + 1).astype(int).tolist()
    return list(itertools.pairwise(ends))


def digest(target: np.ndarray) -> str:
    """SHA-256 of numbers."""
    return hashlib.sha256(np.ascontiguousarray(target, np.float64).tobytes()).hexdigest()
