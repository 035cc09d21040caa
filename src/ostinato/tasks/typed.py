"""Numbers as somebody types them: a step's on a line."""

import re

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import DataError

_BETWEEN = re.compile(r"[\s,;]+")


def typed_numbers(text: str, width: int, columns: str) -> tuple[npt.NDArray[np.float64], list[tuple[int, int]]]:
    """Lines of numbers, with commas, semicolons or white space between them; empty lines are left out, and so is the
    last line until it is whole.

    Args:
        text: the lines.
        width: D, numbers a line.
        columns: what they are, for messages.

    Returns:
        `[T, D]`, and where in the text each step stands: begin and end, in characters.

    Raises:
        DataError: a line that is otherwise; names it.
    """
    rows, spans, begin = list[list[float]](), list[tuple[int, int]](), 0
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if cells := [cell for cell in _BETWEEN.split(line) if cell]:
            row = _numbers(cells)
            if row is not None and len(row) == width:
                rows.append(row)
                spans.append((begin, begin + len(line)))
            elif number < len(lines):
                raise DataError(
                    f"line {number}: expected {width} finite numbers ({columns}), got {line.strip()[:60]!r}"
                )
        begin += len(line) + 1
    return np.array(rows, np.float64).reshape(len(rows), width), spans


def waves(mean: npt.ArrayLike, size: npt.ArrayLike, steps: int) -> str:
    """Lines of numbers to begin with: a sine in each column, about its mean and as far as its size, each a little
    later than the one before."""
    middle, reach = np.asarray(mean, np.float64), np.asarray(size, np.float64)
    turns = np.arange(steps)[:, None] / 12 - np.arange(len(middle)) / 8
    values = middle + reach * np.sin(2 * np.pi * turns)
    return "".join(", ".join(f"{value:.4g}" for value in row) + "\n" for row in values)


def _numbers(cells: list[str]) -> list[float] | None:
    try:
        row = [float(cell) for cell in cells]
    except ValueError:
        return None
    return row if np.isfinite(row).all() else None
