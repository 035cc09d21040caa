"""Tables that are read in parts."""

from collections.abc import Iterator

from ostinato.data.sources.files import TextFile
from ostinato.data.sources.passages import Beginning, Reel
from ostinato.data.tables.delimited import csv_rows, tsv_rows
from ostinato.data.tables.layout import chosen_layout
from ostinato.data.tables.reading import format_of, is_json


def in_rows(file: TextFile) -> bool:
    """Whether a file's rows stand one behind the other as text: CSV, TSV, JSON lines.

    Raises:
        DataError: it cannot be read.
    """
    return not is_json(file) and format_of(file) != "parquet"


def parts_of(file: TextFile, reel: Reel) -> Beginning:
    """How a table, of which the reel is at its beginning, is read in parts: each has before it the lines up to that
    which names the columns.

    Raises:
        DataError: it cannot be read.
    """
    kind, layout, heading = format_of(file), chosen_layout(), list[str]()
    if kind != "jsonl" and layout.header:
        lines = _noted(reel, heading)
        by_comma = csv_rows(file.name, lines, layout.separator or ",", layout.comment)
        rows = by_comma if kind == "csv" else tsv_rows(lines, layout.comment)
        next((row for _, row in rows if row), None)
    return Beginning("row" if kind == "csv" else "line", tuple(heading), reel)


def _noted(lines: Iterator[str], to: list[str]) -> Iterator[str]:
    for line in lines:
        to.append(line)
        yield line
