"""Cells as numbers: with the layout's decimal mark, and what to do about those that are none."""

import re
from typing import Any

from ostinato.data.tables.layout import chosen_layout

#: Cells that stand for a missing number, apart from the empty one; small and capital letters are the same.
MISSING_NUMBERS = frozenset({"na", "n/a", "nan", "null", "none", "?"})


def plain_number(cell: Any) -> float:
    """As `float`, which takes 1_5 for 15; text with the decimal mark of the layout.

    Raises:
        TypeError, ValueError: something else than a number.
    """
    if isinstance(cell, str):
        if "_" in cell:
            raise ValueError(cell)
        if chosen_layout().decimal == ",":
            cell = _in_thousands(cell).replace(",", ".")
    return float(cell)


def _in_thousands(text: str) -> str:
    """1.234.567,5 as 1234567,5; no other point may stand in it.

    Raises:
        ValueError: one does.
    """
    if "." in text and not re.fullmatch(r"\s*[-+]?\d{1,3}(\.\d{3})+(,\d+)?\s*", text):
        raise ValueError(text)
    return text.replace(".", "")


def is_number(text: str) -> bool:
    """Whether `float` takes a text."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def number_advice(cell: Any) -> str:
    """What to do about a cell that is no number, as the end of a message."""
    if isinstance(cell, str) and re.fullmatch(r"\s*[-+]?[\d.]*\d,\d+\s*", cell) and chosen_layout().decimal == ".":
        return "--decimal , reads decimal commas"
    return "leave the cell empty where the value is missing"
