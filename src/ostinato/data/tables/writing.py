"""Tables written: CSV, TSV, JSON lines and Parquet, as `ostinato.data.tables.reading` reads them."""

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, TypeAlias

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.sources.encodings import in_utf8
from ostinato.data.tables.reading import ENDINGS, Format

#: A row of a table: its cells by column, the same columns in every row; None is a missing one.
Row: TypeAlias = Mapping[str, Any]


def format_of(path: str | PurePath) -> Format | None:
    """The format of a table by the ending of a file's name, an additional .gz aside; None where it says nothing."""
    name = PurePath(path).name.lower()
    return ENDINGS.get(PurePath(name.removesuffix(".gz")).suffix)


def require_writer(kind: Format | None) -> None:
    """Check that a table can be written, before hours of work whose end it is: Parquet needs pyarrow."""
    if kind == "parquet":
        _pyarrow()


def csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """A line of column names, then one a row, without their ends; numbers read back as they are."""
    rows = iter(rows)
    for first in itertools.islice(rows, 1):
        yield _csv(first)
        for row in itertools.chain([first], rows):
            yield _csv(row.values())


def table_pieces(rows: Iterable[Row], kind: Format) -> Iterator[bytes]:
    """A table as the bytes of its file, one piece after the other; JSON keeps what is nested, see `flat`.

    Raises:
        DataError: a cell that the format cannot hold.
    """
    return _WRITERS[kind](rows if kind == "jsonl" else map(flat, rows))


def flat(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A row of what is nested: {"a": {"b": 1}, "c": [2, 3]} has the columns "a.b" and "c", "2;3"."""
    row: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, Mapping):
            row |= {f"{name}.{inner}": cell for inner, cell in flat(value).items()}
        else:
            row[name] = ";".join(map(str, value)) if isinstance(value, list | tuple) else value
    return row


def _csv(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _csv_pieces(rows: Iterable[Row]) -> Iterator[bytes]:
    return (in_utf8(f"{line}\n") for line in csv_lines(rows))


def _tsv_pieces(rows: Iterable[Row]) -> Iterator[bytes]:
    for number, row in enumerate(rows):
        for cells in (row, row.values()) if number == 0 else (row.values(),):
            texts = ["" if cell is None else str(cell) for cell in cells]
            if broken := [text for text in texts if any(sign in text for sign in "\t\r\n")]:
                raise DataError(f"a tab-separated file cannot hold {broken[0]!r}; write .csv, .jsonl or .parquet")
            yield in_utf8("\t".join(texts) + "\n")


def _json_pieces(rows: Iterable[Row]) -> Iterator[bytes]:
    return (in_utf8(json.dumps(row, ensure_ascii=False) + "\n") for row in rows)


def _parquet_pieces(rows: Iterable[Row]) -> Iterator[bytes]:
    arrow, parquet = _pyarrow()
    whole = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist([_in_unicode(row) for row in rows]), whole)
    yield whole.getvalue()


def _in_unicode(row: Row) -> dict[str, Any]:
    return {name: in_utf8(cell).decode() if isinstance(cell, str) else cell for name, cell in row.items()}


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ConfigError("Parquet is written by pyarrow: pip install 'ostinato[parquet]'") from None
    return pyarrow, parquet


_WRITERS: dict[Format, Callable[[Iterable[Row]], Iterator[bytes]]]
_WRITERS = {"csv": _csv_pieces, "tsv": _tsv_pieces, "jsonl": _json_pieces, "parquet": _parquet_pieces}
