"""Rows of tables in JSON: one object a line, or all of them in one value."""

import json
import re
from typing import Any

import msgspec

from ostinato.core.errors import DataError
from ostinato.data.sources.memory import HeldTable, held_as

_HALF_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")


def json_table(name: str, text: str) -> HeldTable | None:
    """An array of objects, or an object of columns: lists, or objects by row as pandas writes them; None for lines of
    objects.

    Raises:
        DataError: it is none of them.
    """
    try:
        found = decoded(text)
    except ValueError as error:
        if text.lstrip()[:1] == "{":
            return None
        raise DataError(f"{name}: expected a JSON array of objects: {error}") from None
    if isinstance(found, dict):
        if not all(isinstance(cells, list | dict) for cells in found.values()):
            return None
        found = {column: list(cells.values()) if isinstance(cells, dict) else cells for column, cells in found.items()}
    elif not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise DataError(f'{name}: expected a JSON array of objects, such as [{{"text": ...}}, ...]')
    if not found:
        raise DataError(f"{name}: the table is empty: it has no rows; expected at least one")
    held = held_as(found, name)
    return held if isinstance(held, HeldTable) else None


def json_object(file: str, number: int, line: str) -> dict[str, Any]:
    """A line's object.

    Raises:
        DataError: it holds none.
    """
    try:
        row = decoded(line)
    except ValueError as error:
        raise DataError(f"{file}: line {number}: expected one JSON object a line: {error}") from None
    if not isinstance(row, dict):
        raise DataError(f"{file}: line {number}: expected one JSON object a line, got {line.strip()[:60]}")
    return row


def decoded(content: str) -> Any:
    """JSON as Python's own kinds; half a surrogate pair, as cut texts have it, is left for the texts to mend.

    Raises:
        ValueError: it is none.
    """
    try:
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            if _HALF_ESCAPED.search(content) is None:
                raise ValueError(str(error)) from None
            return json.loads(content)
    except RecursionError:
        raise ValueError("brackets within brackets, too deep to be read") from None
