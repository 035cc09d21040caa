"""Rows of CSV, TSV, JSON lines and Parquet, gzipped or not, read strictly: what is wrong is named by file and line."""

import hashlib
import io
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ostinato.config.columns import as_option
from ostinato.core.errors import ConfigError, DataError, unknown_name
from ostinato.core.memory import require_room
from ostinato.data.sources.encodings import whole_characters
from ostinato.data.sources.files import PathLike, TextFile, one_file, whole_lines
from ostinato.data.sources.memory import Held, HeldTable, Texts, in_memory, is_missing
from ostinato.data.sources.passages import Beginning, Passage, Reel, watched
from ostinato.data.tables.delimited import Row, csv_rows, tsv_rows, what_else, without_empty_lines
from ostinato.data.tables.json_rows import json_object, json_table
from ostinato.data.tables.layout import chosen_layout
from ostinato.data.tables.numbers import MISSING_NUMBERS, number_advice, plain_number

Format: TypeAlias = Literal["csv", "tsv", "jsonl", "parquet"]

#: Format by the ending of a file's name, an additional .gz aside.
ENDINGS: dict[str, Format] = {f".{kind}": kind for kind in get_args(Format)}
ENDINGS |= {".tab": "tsv", ".ndjson": "jsonl", ".json": "jsonl"}

_PARQUET_MAGIC = b"PAR1"
_CELL = 40  #: bytes of a cell as a Python object, at least


@dataclass(frozen=True)
class Table:
    """The columns that were asked for, cell by cell.

    Attributes:
        name: of the file, as messages call it.
        columns: cells by column: strings from CSV and TSV, what the file holds from JSON lines and Parquet; None is a
            missing one (an empty cell, null, or a key that a JSON line lacks).
        lines: `[rows]` the line that each row begins on, from 1; in Parquet the row, from 1.
        digest: SHA-256 of the content.
        unit: what `lines` counts, "line" or "row".
    """

    name: str
    columns: dict[str, list[Any]]
    lines: npt.NDArray[np.int64]
    digest: str
    unit: str = "line"

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """How a message names a row: "reviews.csv: line 7"."""
        return f"{self.name}: {self.unit} {self.lines[row]}"

    def column(self, name: str) -> list[Any]:
        """A column's cells; if there is no such column, a DataError names those there are."""
        if name not in self.columns:
            raise _no_column(self.name, name, self.columns)
        return self.columns[name]

    def texts(self, name: str) -> list[str | None]:
        """A column as text: a whole number is written without a point, true and false as JSON has them.

        Raises:
            DataError: there is no such column, or a cell is a list or an object.
        """
        return [None if is_missing(cell) else self._text(name, row, cell) for row, cell in enumerate(self.column(name))]

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """A column as `[rows]` numbers; NaN where one is missing: an empty cell, or any of `MISSING_NUMBERS`.

        Raises:
            DataError: there is no such column, or a cell is not a number, or none that float32 can hold.
        """
        cells = self.column(name)
        try:
            found = np.array([math.nan if cell is None else plain_number(cell) for cell in cells], np.float64)
        except (TypeError, ValueError):
            found = np.array([self._number(name, row, cell) for row, cell in enumerate(cells)], np.float64)
        beyond = np.flatnonzero(np.abs(found) > np.finfo(np.float32).max)
        if len(beyond):
            raise DataError(
                f"{self.place(beyond[0])}: column {name!r}: expected a finite number, got {cells[beyond[0]]}; "
                "leave the cell empty where the value is missing"
            )
        return found

    def _text(self, name: str, row: int, cell: Any) -> str:
        if isinstance(cell, str):
            return cell if cell.isascii() else whole_characters(cell)
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if isinstance(cell, float) and cell.is_integer():
            return str(int(cell))
        if isinstance(cell, list | dict):
            raise DataError(
                f"{self.place(row)}: column {name!r}: expected one value, got {type(cell).__name__} {str(cell)[:60]}"
            )
        return str(cell)

    def _number(self, name: str, row: int, cell: Any) -> float:
        if cell is None or (isinstance(cell, str) and cell.strip().lower() in MISSING_NUMBERS):
            return math.nan
        try:
            return plain_number(cell)
        except (TypeError, ValueError):
            raise DataError(
                f"{self.place(row)}: column {name!r}: expected a number, got {str(cell)[:60]!r}; {number_advice(cell)}"
            ) from None


def read_table(source: PathLike | Passage, columns: Sequence[str] | None = None, *, lines: str | None = None) -> Table:
    """Read a table.

    The format follows from the file's name (`ENDINGS`, an additional .gz aside), else from its first bytes. JSON is an
    array of objects, or one object a line. CSV is RFC 4180; TSV knows no quoting, so that a quotation mark is text;
    both begin with a line of column names. Empty lines are passed over; of a table with a single column they are empty
    cells, but for those at the end. Parquet needs pyarrow.

    Args:
        source: a file, plain or gzipped, or `-` for standard input; or a part of a file, of which there may be no rows.
        columns: those to keep, in any order; None keeps all.
        lines: for standard input: one text a line, under this column's name, instead of a table.

    Raises:
        DataError: the file is missing, unreadable, not UTF-8, malformed (names the line), has no rows, or lacks a
            column (names those there are).
        ConfigError: a Parquet file, and no pyarrow to read it.
    """
    kept = None if columns is None else list(dict.fromkeys(columns))
    if (held := in_memory(source)) is not None:
        return _held_table(str(source), held, kept, lines)
    if isinstance(source, Passage):
        content = Content(source)
        columns_read, numbers = _READERS[format_of(source)](content, kept)
        return Table(content.name, columns_read, np.array(numbers, np.int64), "", content.unit)
    content = open_content(source)
    if (source != "-" or lines is None) and is_json(content.file):
        if (found := json_table(content.name, "".join(content.lines()))) is not None:
            return _held_table(content.name, found, kept, None, content.digest)
        content = Content(content.file)  # lines of objects: read from the beginning
    if source == "-" and lines is not None:
        columns_read, numbers = _from_rows(content, _text_rows(content, lines), kept, headed=True)
    else:
        columns_read, numbers = _READERS[format_of(content.file)](content, kept)
    if not numbers:
        raise DataError(f"{content.name}: the table is empty: it has no rows; expected at least one")
    return Table(content.name, columns_read, np.array(numbers, np.int64), content.digest, content.unit)


def _held_table(name: str, held: Held, kept: list[str] | None, lines: str | None, digest: str | None = None) -> Table:
    """The same from what is in memory."""
    if isinstance(held, Texts) and lines is not None:
        held = HeldTable({lines: [text or None for text in held.texts]})
    if not isinstance(held, HeldTable):
        raise DataError(f"{name}: expected a table: a data frame, or a dict of columns, or a list of dicts as rows")
    if not len(held):
        raise DataError(f"{name}: the table is empty: it has no rows; expected at least one")
    for column in kept or []:
        if column not in held.columns:
            raise _no_column(name, column, held.columns)
    wanted = list(held.columns) if kept is None else kept
    columns = {column: [None if cell == "" else cell for cell in held.columns[column]] for column in wanted}
    return Table(name, columns, np.arange(1, len(held) + 1), digest or held.digest, "row")


def is_json(file: TextFile | Passage) -> bool:
    """Whether a file may hold one JSON value, an array of objects above all, by its name or its first bytes."""
    ending = PurePath(file.plain_name).suffix.lower()
    start = file.head(1 << 10).lstrip(b"\xef\xbb\xbf \r\n\t")
    return ending == ".json" or (ending not in ENDINGS and start.startswith(b"["))


def open_content(source: PathLike) -> "Content":
    """A single file of text, to be read line by line; raises what `one_file` does."""
    return Content(one_file(source))


def format_of(file: TextFile | Passage) -> Format:
    """How a file is read: by its name, else by its first bytes."""
    ending = PurePath(file.plain_name).suffix.lower()
    if ending in ENDINGS:
        of_tabs = chosen_layout().separator in (None, "\t")
        return "csv" if ENDINGS[ending] == "tsv" and not of_tabs else ENDINGS[ending]
    start = file.head(1 << 16)
    if chosen_layout().separator and not start.startswith(_PARQUET_MAGIC):
        return "csv"
    if start.startswith(_PARQUET_MAGIC):
        return "parquet"
    if start.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{"):
        return "jsonl"
    return "tsv" if b"\t" in b"".join(start.splitlines()[:1]) else "csv"


class Content:
    """A file that is hashed while it is read through once; messages count its `unit`, "line" or "row"."""

    def __init__(self, file: TextFile | Passage) -> None:
        self.file, self.name, self.unit = file, file.name, "line"
        self.first = file.first if isinstance(file, Passage) else 1
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """SHA-256 of what was read."""
        return self._hash.hexdigest()

    def lines(self) -> Iterator[str]:
        """The file's lines with their ends; a line ends at a line feed, nowhere else."""
        if isinstance(self.file, Passage):
            return self.file.lines()
        return whole_lines(watched(self.file.pieces(), lambda piece: self._hash.update(piece.encode())))

    def row_ended(self) -> bool:
        """Asked where a row has ended: whether it was the last one."""
        return isinstance(self.file, Passage) and self.file.row_ended()

    def bytes(self) -> bytes:
        """All of it, unpacked."""
        assert isinstance(self.file, TextFile)
        content = self.file.content()
        self._hash.update(content)
        return content


_Read: TypeAlias = tuple[dict[str, list[Any]], list[int]]  # columns, and the line of each row


def _from_rows(
    content: Content, rows: Iterator[Row], kept: list[str] | None, advice: str = "", *, headed: bool = False
) -> _Read:
    """Columns from rows of fields, of which the first holds the names, where the layout says so or `headed` does."""
    first, header = next(((line, row) for line, row in rows if row), (0, []))
    if header and not headed and not chosen_layout().header:
        header, rows = [str(number) for number in range(1, len(header) + 1)], itertools.chain([(first, header)], rows)
    if not header:
        raise DataError(f"{content.name}: the file is empty; expected a line of column names, then rows")
    places = {name: index for index, name in reversed([*enumerate(header)])}
    if twice := [name for index, name in enumerate(header) if places[name] != index]:
        raise DataError(f"{content.name}: line 1: the column name {twice[0]!r} occurs twice; rename one")
    for name in kept or []:
        if name not in places:
            if why := what_else(header, name):
                shown = (chosen_layout().separator or ",").join(header)[:100]
                raise DataError(f"{content.name}: no column {name!r}: the first line is {shown!r}{why}")
            raise _no_column(content.name, name, header)
    wanted = header if kept is None else kept
    lines: list[int] = []
    found: list[tuple[int, list[Any]]] = [(places[name], []) for name in wanted]
    for line, row in without_empty_lines(rows, len(header)):
        if len(row) != len(header):
            raise DataError(
                f"{content.name}: line {line}: expected {len(header)} fields, as in the first line, "
                f"got {len(row)}; {advice}"
            )
        lines.append(line)
        for index, cells in found:
            cells.append(row[index] or None)
    return {name: cells for name, (_, cells) in zip(wanted, found, strict=True)}, lines


def _read_csv(content: Content, kept: list[str] | None) -> _Read:
    layout = chosen_layout()
    lines, separator = content.lines(), layout.separator or ","
    rows = csv_rows(content.name, lines, separator, layout.comment, content.first, content.row_ended)
    advice = "a field that holds commas, quotation marks or line breaks stands in quotation marks"
    return _from_rows(content, rows, kept, advice)


def _read_tsv(content: Content, kept: list[str] | None) -> _Read:
    rows = tsv_rows(content.lines(), chosen_layout().comment, content.first)
    advice = "TSV has no quoting: a field can hold neither a tab nor a line break"
    return _from_rows(content, rows, kept, advice)


def _text_rows(content: Content, column: str) -> Iterator[Row]:
    """One text a line, empty ones too, under a name."""
    yield 0, [column]
    for number, line in enumerate(content.lines(), 1):
        yield number, [line.removesuffix("\n").removesuffix("\r")]


def _read_json_lines(content: Content, kept: list[str] | None) -> _Read:
    columns: dict[str, list[Any]] = {name: [] for name in kept or []}
    known: dict[str, None] = {}
    lines: list[int] = []
    for number, line in enumerate(content.lines(), content.first):
        if line.isspace():
            continue
        row = json_object(content.name, number, line)
        if row.keys() - known.keys():
            known |= dict.fromkeys(row)
            if kept is None:
                columns = {name: columns.get(name, [None] * len(lines)) for name in known}
        for name, cells in columns.items():
            cell = row.get(name)
            cells.append(None if cell == "" else cell)
        lines.append(number)
    for name in kept or []:
        if lines and name not in known and not isinstance(content.file, Passage):  # other parts may have it
            raise _no_column(content.name, name, known)
    return columns, lines


def _read_parquet(content: Content, kept: list[str] | None) -> _Read:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(f"{content.name}: Parquet is read by pyarrow: pip install 'ostinato[parquet]'") from None
    content.unit = "row"
    try:
        opened = parquet.ParquetFile(io.BytesIO(content.bytes()))
        for name in kept or []:
            if name not in opened.schema_arrow.names:
                raise _no_column(content.name, name, opened.schema_arrow.names)
        cells = opened.metadata.num_rows * len(kept or opened.schema_arrow.names)
        require_room(_CELL * cells, f"{content.name}: a table of {cells:,} cells", "read it in parts")
        table = opened.read(columns=kept)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{content.name}: damaged, or not a Parquet file: {error}") from None
    columns: dict[str, list[Any]] = {}
    for name in kept or table.column_names:
        try:
            found = _arrow_cells(table.column(name), arrow.string())
        except (UnicodeDecodeError, arrow.ArrowException, ValueError) as error:
            raise DataError(f"{content.name}: column {name!r}: damaged: {error}; write the file again") from None
        columns[name] = [None if cell == "" else cell for cell in found]
    return columns, list(range(1, table.num_rows + 1))


def _arrow_cells(column: Any, text: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        raise
    except (ValueError, OverflowError):  # times in nanoseconds, which Python's have not, or beyond Python's calendar
        return list(column.cast(text).to_pylist())


_READERS: dict[Format, Callable[[Content, list[str] | None], _Read]] = {
    "csv": _read_csv,
    "tsv": _read_tsv,
    "jsonl": _read_json_lines,
    "parquet": _read_parquet,
}


def _no_column(file: str, name: str, known: Iterable[str]) -> DataError:
    shown = [as_option([column]) for column in known]
    quoted = next((column for column in shown if column.startswith('"')), None)
    hint = "" if quoted is None else f"; a name that holds a comma stands in quotation marks: '{quoted}'"
    return DataError(unknown_name(f"{file}: no column", name, shown) + hint)


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
        lines = watched(reel, heading.append)
        by_comma = csv_rows(file.name, lines, layout.separator or ",", layout.comment)
        rows = by_comma if kind == "csv" else tsv_rows(lines, layout.comment)
        next((row for _, row in rows if row), None)
    return Beginning("row" if kind == "csv" else "line", tuple(heading), reel)
