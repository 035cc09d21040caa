"""Numbers as somebody types them: a step's on a line."""

import re

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import DataError

_CELL = re.compile(r"[^\s,;]+")


def typed_numbers(
    text: str, width: int, columns: str, *, missing: bool = False
) -> tuple[npt.NDArray[np.float64], list[tuple[int, int]]]:
    """Lines of numbers, with commas, semicolons or white space between them; empty lines are left out, and so is the
    last line until it is whole. Where a step has one number, several may stand in a line.

    Args:
        text: the lines.
        width: D, numbers a step.
        columns: what they are, for messages.
        missing: whether `?` and `nan` are numbers too, namely NaN.

    Returns:
        `[T, D]`, and where in the text each step stands: begin and end, in characters.

    Raises:
        DataError: a line that is otherwise; names it.
    """
    rows, spans, begin = list[list[float]](), list[tuple[int, int]](), 0
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if cells := list(_CELL.finditer(line)):
            row = _numbers([cell.group() for cell in cells], missing)
            if row is not None and width == 1:
                rows += [[value] for value in row]
                spans += [(begin + cell.start(), begin + cell.end()) for cell in cells]
            elif row is not None and len(row) == width:
                rows.append(row)
                spans.append((begin, begin + len(line)))
            elif number < len(lines):
                raise DataError(
                    f"line {number}: expected {width} finite numbers ({columns}), got {line.strip()[:60]!r}"
                )
        begin += len(line) + 1
    return np.array(rows, np.float64).reshape(len(rows), width), spans


def lines_of(values: npt.NDArray[np.float64]) -> str:
    """Numbers `[T, D]` as such lines; they read back as they were."""
    return "".join(", ".join(repr(float(value)).removesuffix(".0") for value in row) + "\n" for row in values)


def waves(mean: npt.ArrayLike, size: npt.ArrayLike, steps: int) -> str:
    """Lines of numbers to begin with: a sine in each column, about its mean and as far as its size, each a little
    later than the one before."""
    middle, reach = np.asarray(mean, np.float64), np.asarray(size, np.float64)
    turns = np.arange(steps)[:, None] / 12 - np.arange(len(middle)) / 8
    values = middle + reach * np.sin(2 * np.pi * turns)
    return "".join(", ".join(f"{value:.4g}" for value in row) + "\n" for row in values)


def _numbers(cells: list[str], missing: bool) -> list[float] | None:
    try:
        row = [np.nan if missing and cell == "?" else float(cell) for cell in cells]
    except ValueError:
        return None
    usable = ~np.isinf(row) if missing else np.isfinite(row)
    return row if usable.all() else None
