"""Text of any size: surveyed once, then streamed in blocks as often as needed."""

import enum
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from ostinato.core.errors import DataError
from ostinato.data.sources.files import PathLike, TextFile, as_list, find_files

BLOCK = 1 << 16  #: characters in a block, at most


class Marker(enum.Enum):
    """What stands between blocks."""

    END = "end of a document"


END: Final = Marker.END
Block: TypeAlias = str | Literal[Marker.END]


@dataclass(frozen=True)
class Lines:
    """Short texts held in memory, one a line, from files of these names: sentences, captions, reviews."""

    texts: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def characters(self) -> int:
        """Length in characters, without line ends."""
        return sum(map(len, self.texts))

    def blocks(self) -> Iterator[Block]:
        """One text after the other: none runs on into the next."""
        return iter(self.texts)


@dataclass(frozen=True)
class Document:
    """A file that was read through once.

    Attributes:
        file: where it is.
        characters: how many it holds; none where it is blank.
        digest: SHA-256 of its characters in UTF-8.
    """

    file: TextFile
    characters: int
    digest: str


@dataclass(frozen=True)
class Text:
    """A window of characters on a row of documents. It holds no text itself.

    Attributes:
        documents: the files, none of them blank.
        digest: SHA-256 that stands for the content, the documents' borders and the window.
        start: first character of the window, counted through all documents.
        stop: one past its last character.
    """

    documents: tuple[Document, ...]
    digest: str
    start: int
    stop: int

    @property
    def characters(self) -> int:
        """Length in characters (Unicode code points)."""
        return self.stop - self.start

    @property
    def whole(self) -> int:
        """Characters of all documents, whatever the window."""
        return sum(document.characters for document in self.documents)

    @property
    def names(self) -> tuple[str, ...]:
        """The documents' names, for messages and for the record of a run."""
        return tuple(document.file.name for document in self.documents)

    def blocks(self) -> Iterator[Block]:
        """Stream the text, with `END` between one document and the next.

        Yields:
            Strings of 1 to 65,536 characters, whose concatenation is the document exactly. A block ends at a line's
            end where there is one within it, else behind white space, else anywhere.

        Raises:
            DataError: a file cannot be read or has changed since the survey.
        """
        position = 0
        for document in self.documents:
            begin, end = max(self.start, position), min(self.stop, position + document.characters)
            if begin < end:
                if begin > self.start:
                    yield END
                yield from _blocks(_window(document.file.pieces(), begin - position, end - position))
            position += document.characters

    def split(self, fraction: float, at: Literal["character", "line"] = "character") -> tuple["Text", "Text"]:
        """The first part of the text and the rest, as two windows; nothing is copied.

        Args:
            fraction: share of the characters in the first part, between 0 and 1; rounded down to a character.
            at: "line" moves the cut on to just behind the next line's end; where none comes within 65,536 characters
                (or before the last character), behind white space instead, or else nowhere.

        Raises:
            DataError: one of the parts would be empty.
        """
        cut = self.start + int(self.characters * fraction)
        if not self.start < cut < self.stop:
            raise DataError(
                f"{', '.join(self.names)}: {self.characters} characters are too few to hold some of them out; "
                "give more text, or the validation text with --valid"
            )
        if at == "line":
            cut += self._to_line_end(cut) - 1
        return self._part(self.start, cut), self._part(cut, self.stop)

    def _to_line_end(self, cut: int) -> int:
        """Characters from the one before the cut up to and with the next line's end; at least 1."""
        ahead = ""
        for block in self._part(cut - 1, min(cut - 1 + BLOCK, self.stop - 1)).blocks():
            if block is END:
                return len(ahead)
            ahead += block
            if "\n" in block:
                return ahead.index("\n") + 1
        space = re.search(r"\s", ahead)
        return space.end() if space else 1

    def _part(self, start: int, stop: int) -> "Text":
        digest = hashlib.sha256(f"{self.digest} {start - self.start} {stop - self.start}".encode()).hexdigest()
        return replace(self, digest=digest, start=start, stop=stop)


@dataclass(frozen=True)
class Undivided:
    """A text without what stands between its documents.

    Attributes:
        text: the text.
        separator: what stands there.
    """

    text: Text
    separator: str

    @property
    def names(self) -> tuple[str, ...]:
        """The text's."""
        return self.text.names

    @property
    def characters(self) -> int:
        """The text's, separators included."""
        return self.text.characters

    def blocks(self) -> Iterator[Block]:
        """The text's, each separator a space; words reach across none."""
        for block in self.text.blocks():
            yield block if block is END else block.replace(self.separator, " ")


#: What a tokenizer can be learned from.
Source: TypeAlias = Lines | Text | Undivided


def open_text(sources: PathLike | Iterable[PathLike]) -> Text:
    """Read everything through once, check it, and return a handle to stream it from.

    Sources are as of `find_files`; every file below a folder is one document, and blank ones are left out.

    Raises:
        DataError: a file is missing, unreadable, binary, damaged, blank or not UTF-8. The message names the file, the
            line and the byte.
    """
    documents = tuple(document for source in as_list(sources) for document in _documents(source))
    digest = hashlib.sha256("".join(document.digest for document in documents).encode()).hexdigest()
    return Text(documents, digest, 0, sum(document.characters for document in documents))


def _documents(source: PathLike) -> list[Document]:
    documents = [document for file in find_files(source) if (document := _survey(file)).characters]
    if not documents:
        name = "standard input" if source == "-" else source
        raise DataError(f"{name}: the text is empty, or white space only; expected UTF-8 text to learn from")
    return documents


def _survey(file: TextFile) -> Document:
    digest, characters, blank = hashlib.sha256(), 0, True
    for piece in file.pieces():
        digest.update(piece.encode())
        characters += len(piece)
        blank = blank and piece.isspace()
    return Document(file, 0 if blank else characters, digest.hexdigest())


def _window(pieces: Iterator[str], start: int, stop: int) -> Iterator[str]:
    position = 0
    for piece in pieces:
        if part := piece[max(start - position, 0) : max(stop - position, 0)]:
            yield part
        position += len(piece)
        if position >= stop:
            return


def _blocks(pieces: Iterator[str]) -> Iterator[str]:
    held = ""
    for piece in pieces:
        held += piece
        while len(held) > BLOCK:
            cut = _cut(held[:BLOCK])
            yield held[:cut]
            held = held[cut:]
    if held:
        yield held


def _cut(block: str) -> int:
    """Where a full block had best end: in characters, at least 1."""
    if line_end := block.rfind("\n") + 1:
        return line_end
    if block[-1].isspace():
        return len(block)
    return len(block) - len(block.rsplit(None, 1)[-1]) or len(block)
