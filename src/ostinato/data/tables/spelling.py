"""Names that are numbers: 1 in one file is 1.0 in another, as a data frame writes whole numbers that once had a gap."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

_WHOLE = re.compile(r"(-?\d+)\.0+")


def plain_number(text: str) -> str:
    """A whole number without a point; any other text as it is."""
    return match[1] if (match := _WHOLE.fullmatch(text)) else text


def name_of(cell: Any) -> str | None:
    """A cell that names something, as text: whole numbers without a point, whatever they are kept as.

    None where it is missing.
    """
    if cell is None or (isinstance(cell, float | np.floating) and np.isnan(cell)):
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell) if str(cell).strip() else None


def spelt_as(known: Iterable[str], plain: Callable[[str], str] = plain_number) -> Callable[[str], str]:
    """What spells a name as it is spelt among those known, where it is the same number as one of them, and only one.

    What is among them already stays as it is; `plain` brings two spellings of a name to the same.
    """
    exact = set(known)
    by_number: dict[str, list[str]] = {}
    for name in exact:
        by_number.setdefault(plain(name), []).append(name)

    def spell(name: str) -> str:
        if name in exact:
            return name
        alike = by_number.get(plain(name), [])
        return alike[0] if len(alike) == 1 else name

    return spell
