"""Lines as rows of fields: CSV as RFC 4180 has it, or with another separator; TSV, which knows no quoting; comments."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from ostinato.core.errors import DataError

#: The number of the line that a row begins on, and its fields; none of an empty line.
Row: TypeAlias = tuple[int, list[str]]

#: What else than a comma may stand between columns' names.
_SEPARATORS = (";", "\t", "|")


class _Lines:
    """Lines for `csv.reader`, those that are comments left out; knows on which the row begins that was read last."""

    def __init__(self, lines: Iterable[str], comment: str, first: int, ended: Callable[[], bool]) -> None:
        self._lines, self._comment, self._ended = enumerate(lines, first), comment, ended
        self.begin: int | None = None

    def __iter__(self) -> Iterator[str]:
        while not (self.begin is None and self._ended()) and (found := next(self._lines, None)) is not None:
            number, line = found
            if self.begin is None:
                if self._comment and line.startswith(self._comment):
                    continue
                self.begin = number
            yield line


def csv_rows(
    name: str,
    lines: Iterable[str],
    separator: str = ",",
    comment: str = "",
    first: int = 1,
    ended: Callable[[], bool] = lambda: False,
) -> Iterator[Row]:
    """The rows of CSV, from lines with their ends, of which the `first` has this number; those that begin with
    `comment`, where it is not empty, are none. No line is read where a row has ended and `ended` says that it is the
    last one.

    Raises:
        DataError: quotation marks that are not as RFC 4180 has them; names the line.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # by default 128 KiB, less than some texts have
    counted = _Lines(lines, comment, first, ended)
    reader = csv.reader(counted, strict=True, delimiter=separator)
    try:
        for row in reader:
            yield counted.begin or 0, row
            counted.begin = None
    except csv.Error as error:
        raise DataError(
            f"{name}: line {counted.begin or 1}: expected comma-separated values as RFC 4180 has them: {error}; a "
            'quotation mark within a quoted field is doubled ("")'
        ) from None


def tsv_rows(lines: Iterable[str], comment: str = "", first: int = 1) -> Iterator[Row]:
    """The rows of TSV; arguments as of `csv_rows`."""
    for number, line in enumerate(lines, first):
        if not comment or not line.startswith(comment):
            text = line.removesuffix("\n").removesuffix("\r")
            yield number, text.split("\t") if text else []


def without_empty_lines(rows: Iterable[Row], columns: int) -> Iterator[Row]:
    """Rows of at least one field; of a single column an empty line is an empty cell, but for those at the end."""
    held: list[int] = []
    for line, row in rows:
        if row:
            yield from ((at, [""]) for at in held)
            held.clear()
            yield line, row
        elif columns == 1:
            held.append(line)


def what_else(header: Sequence[str], name: str) -> str:
    """Why a column may not be found in the first line's fields, as the end of a message; empty where nothing tells."""
    if header[0].startswith(("#", "%")):
        mark = header[0][0]
        return f"; --comment {mark!r} passes over lines that begin with {mark!r}"
    for separator in (*_SEPARATORS, ","):
        names = [part.strip(' "') for part in separator.join(header).split(separator)] if len(header) == 1 else []
        if len(names) > 1:
            decimal = "; --decimal , where numbers are written 1,5" if separator == ";" else ""
            shown = "TAB" if separator == "\t" else f'"{separator}"'
            return f"; {shown} seems to stand between the columns: --separator {shown} reads them{decimal}"
    if name.isdecimal() and 1 <= int(name) <= len(header):
        return "; where the first line holds no names, --no-header counts the columns from 1"
    return ""
