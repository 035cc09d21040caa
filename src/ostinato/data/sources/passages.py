"""Parts of a file, each from the beginning of a row on, that readers take as if they were files of their own."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from ostinato.data.sources.files import CHUNK, TextFile, whole_lines

#: Behind what a passage may end: any line; a row that its reader tells it of (`row_ended`); a blank line.
Ends: TypeAlias = Literal["line", "row", "blank"]


class Reel:
    """The lines of a file from one on, and where the next one begins.

    Args:
        file: in which reading can begin anywhere (`seekable`).
        byte: where to begin.
        line: number of the line there, from 1.
        watch: told every piece that is read.
    """

    def __init__(self, file: TextFile, byte: int = 0, line: int = 1, watch: Callable[[str], None] | None = None):
        self.file, self.byte, self.line, self.characters = file, byte, line, 0
        pieces = file.pieces(byte)
        self._lines = whole_lines(pieces if watch is None else watched(pieces, watch))
        self._next: str | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._next = next(self._lines) if self._next is None else self._next, None
        self.line += 1
        self.characters += len(line)
        self.byte += len(line) if line.isascii() else len(line.encode())
        return line

    @property
    def more(self) -> bool:
        """Whether there is another line. Raises what `TextFile.pieces` does."""
        if self._next is None:
            self._next = next(self._lines, None)
        return self._next is not None


@dataclass
class Passage:
    """A part of a file: it begins where a reel stands, and ends with the row in which `full` becomes true.

    It has what readers ask of a `TextFile`.

    Attributes:
        reel: where it is read from, which then stands at the next one.
        full: whether enough has been read.
        ends: behind what it may end.
        heading: lines that stand before it, as the file's first ones do: they name columns.
    """

    reel: Reel
    full: Callable[[], bool]
    ends: Ends = "line"
    heading: tuple[str, ...] = ()
    first: int = field(init=False)  #: number of the first line, counted so that those of the heading come before

    def __post_init__(self) -> None:
        self.first = self.reel.line - len(self.heading)

    @property
    def name(self) -> str:
        """The file's."""
        return self.reel.file.name

    @property
    def plain_name(self) -> str:
        """The file's."""
        return self.reel.file.plain_name

    def head(self, size: int) -> bytes:
        """The file's."""
        return self.reel.file.head(size)

    def lines(self) -> Iterator[str]:
        """The heading, then the lines with their ends. Raises what `TextFile.pieces` does."""
        yield from self.heading
        reel, full, blank = self.reel, self.full, self.ends == "blank"
        if self.ends == "row":
            yield from reel
            return
        for line in reel:
            yield line
            if full() and (not blank or not line.strip(" \t\r\n")):
                return

    def row_ended(self) -> bool:
        """Asked where a row has ended that may have held line ends: whether the passage ends, too."""
        return self.ends == "row" and self.full()


class Beginning(NamedTuple):
    """How a file is read in parts: behind what each ends, the lines that go before each, and where the first begins."""

    ends: Ends
    heading: tuple[str, ...]
    reel: Reel


def seekable(file: TextFile) -> tuple[TextFile, int]:
    """A file in which reading can begin anywhere, and the byte of its first character: the file itself, or a copy of
    one that is packed or in another encoding, which is there for as long as the object.

    Raises:
        DataError: it cannot be read, or there is no room for a copy.
    """
    mark = 0
    if not packed(file):
        mark = len(codecs.BOM_UTF8) if file.head(CHUNK).startswith(codecs.BOM_UTF8) else 0
        if file.mark_before(file.stamp[1] - mark) is not None:
            return file, mark
    return file.unpacked(), 0


def packed(file: TextFile) -> bool:
    """Whether what is on disk is not the text as it stands."""
    with open(file.path, "rb") as raw:
        start = raw.read(CHUNK)
    return file.member is not None or file.head(CHUNK) != start


def watched(pieces: Iterator[str], watch: Callable[[str], None]) -> Iterator[str]:
    """The same, each told to `watch` as it goes by."""
    for piece in pieces:
        watch(piece)
        yield piece
