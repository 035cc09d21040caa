"""Where results go: people read standard output, unless --json keeps it for programs."""

import gzip
import io
import json
import math
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from ostinato.core.errors import DataError
from ostinato.core.figures import shown
from ostinato.core.files import remove_left_over, replacing
from ostinato.core.results import builtins
from ostinato.core.visible import visible
from ostinato.data.sources.encodings import in_utf8

T = TypeVar("T")

#: Rows of a table that are shown, at most.
_ROWS = 12


class Output:
    """Prints a command's results.

    Args:
        as_json: standard output then has one line, the JSON object; all else goes to standard error.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._stream = sys.stderr if as_json else sys.stdout
        warnings.showwarning = _plain_warning

    def text(self, *parts: str, end: str = "\n") -> None:
        """Print for people."""
        print(*map(visible, parts), end=end, file=self._stream, flush=True)

    def data(self, piece: str, end: str = "\n") -> None:
        """Print what a model answers, as it is, unless a terminal would act on what it holds."""
        print(visible(piece) if self._stream.isatty() else piece, end=end, file=self._stream, flush=True)

    def lines(self, lines: Iterable[str]) -> int:
        """Print answers as they come; returns how many there were."""
        counted = Counted()
        for line in counted(lines):
            self.data(line)
        return counted.count

    def figures(self, figures: dict[str, Any]) -> None:
        """One figure a line."""
        for name, value in figures.items():
            if isinstance(value, list):
                self._rows(name, value)
                continue
            if isinstance(value, dict) and any(isinstance(item, dict) for item in value.values()):
                for key, item in value.items():
                    self.figures({f"{name} {key}": item})
                continue
            if isinstance(value, dict):
                value = ", ".join(f"{key} {'-' if item is None else f'{item:g}'}" for key, item in value.items())
            said = shown(value) if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
            self.text(f"{name.replace('_', ' '):<26}{said}")

    def _rows(self, name: str, rows: list[dict[str, Any]]) -> None:
        """A table, of many rows some."""
        shown = rows if len(rows) <= _ROWS else [rows[round(i * (len(rows) - 1) / (_ROWS - 1))] for i in range(_ROWS)]
        some = "" if shown is rows else f", {len(shown)} of {len(rows):,}"
        self.text(f"{name.replace('_', ' ')}{some}:")
        self.text("".join(f"{column.replace('_', ' '):>13}" for column in rows[0]))
        for row in shown:
            self.text("".join(f"{'-' if value is None else f'{value:.5g}':>13}" for value in row.values()))

    def result(self, *results: Struct | dict[str, Any]) -> None:
        """The JSON object, where it was asked for: the fields of one result after those of the other."""
        if self._json:
            content: dict[str, Any] = {}
            for part in results:
                content |= part if isinstance(part, dict) else builtins(part)
            line = json.dumps(_finite(content), ensure_ascii=False, allow_nan=False)
            # of a name that is not UTF-8, what JSON has for it
            print(line.encode(errors="backslashreplace").decode(), flush=True)


def _finite(value: Any) -> Any:
    """A result in which null stands for numbers that are not finite, which JSON has no word for."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Counted:
    """Passes things on and counts them: `count` is how many those passed on so far are."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, things: Iterable[T]) -> Iterator[T]:
        """What is passed on."""
        for thing in things:
            self.count += 1
            yield thing


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write a text file, as `write_pieces` does; returns how many lines there are."""
    counted = Counted()
    write_pieces(path, (in_utf8(f"{line}\n") for line in counted(lines)))
    return counted.count


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file in one step: whatever stood there stays until the last piece is known.

    Args:
        path: the file, gzipped where its name ends with .gz; a link leads to it. A device or a pipe takes the pieces as
            they come.
        pieces: of its content.

    Raises:
        DataError: the file cannot be written.
    """
    if path.is_dir():
        raise DataError(f"--output {path}: expected a file, found a folder; choose another place")
    through = path.exists() and not path.is_file()
    target = path if through else path.resolve()
    try:
        if not through:
            remove_left_over(target.parent, target.name)
        with path.open("wb") if through else replacing(target) as file:
            for piece in _zipped(pieces) if path.suffix == ".gz" else pieces:
                file.write(piece)
    except OSError as error:
        raise DataError(f"--output {path}: cannot be written: {error.strerror}; choose another place") from None


def _zipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes for the same content."""
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb", mtime=0) as file:
        for piece in pieces:
            file.write(piece)
    yield whole.getvalue()


def _plain_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    print(f"ostinato: {visible(str(message))}", file=sys.stderr)
