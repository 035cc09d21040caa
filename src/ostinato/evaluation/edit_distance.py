"""How many changes make one sequence another."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def edit_distance(written: Sequence[Any], expected: Sequence[Any]) -> int:
    """The least number of symbols to insert, leave out and replace (Levenshtein 1966).

        d[i, j] = min(d[i-1, j] + 1, d[i, j-1] + 1, d[i-1, j-1] + [written_i != expected_j])

    A row at a time: what is left to right in the second term is a running minimum of d - j.
    """
    places = np.arange(len(expected) + 1)
    row = places.copy()
    other = np.array([hash(symbol) for symbol in expected], np.int64)
    for symbol in written:
        below = np.empty_like(row)
        below[0] = row[0] + 1
        below[1:] = np.minimum(row[1:] + 1, row[:-1] + (other != hash(symbol)))
        row = np.minimum.accumulate(below - places) + places
    return int(row[-1])
