"""Text of any size: surveyed once, then streamed in blocks as often as needed."""

import enum
import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal, Self, TypeAlias

from ostinato.core.errors import DataError
from ostinato.data.sources.files import PathLike, TextFile, as_list, find_files

BLOCK = 1 << 16  #: characters in a block, at most
_PLACES = 1 << 23  #: bytes between places of a file that reading can begin at
#: Characters from which on a file that has no such places is copied to one that has.
_WORTH_A_COPY = 1 << 26
#: Of a sample: parts, and characters of each.
_PARTS, _PART = 64, 1 << 18


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
        places: of a long plain file, numbers of characters and the bytes that they begin at, ascending.
    """

    file: TextFile
    characters: int
    digest: str
    places: tuple[tuple[int, int], ...] = ()

    def window(self, start: int, stop: int) -> Iterator[str]:
        """Its characters from `start` up to `stop`, in pieces; of a long plain file what stands before is passed over.

        Raises:
            DataError: it cannot be read or has changed since the survey.
        """
        before = bisect_right(self.places, start, key=lambda place: place[0])
        characters, place = self.places[before - 1] if before else (0, 0)
        return _window(self.file.pieces(place), start - characters, stop - characters)


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
                yield from _blocks(document.window(begin - position, end - position))
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

    def shards(self, size: int, at: Literal["character", "line"] = "character") -> tuple["Text", ...]:
        """The text in parts of about `size` characters, at least one; cuts are as of `split`."""
        count = max(1, round(self.characters / size))
        cuts = [self.start + self.characters * number // count for number in range(1, count)]
        if at == "line":
            cuts = [cut + self._to_line_end(cut) - 1 for cut in cuts]
        borders = [self.start, *sorted({cut for cut in cuts if self.start < cut < self.stop}), self.stop]
        return tuple(self._part(start, stop) for start, stop in pairwise(borders))

    def seekable(self) -> "Text":
        """The same, of files in which reading can begin anywhere: long ones that are packed or in another encoding are
        copied.

        Raises:
            DataError: there is no room for a copy, or a file cannot be read.
        """
        return replace(self, documents=tuple(map(_seekable, self.documents)))

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
class Sample:
    """Parts of a long text, spread evenly; all of a short one.

    Attributes:
        parts: windows of it.
        digest: SHA-256 that stands for them.
    """

    parts: tuple[Text, ...]
    digest: str

    @classmethod
    def of(cls, text: Text) -> Self:
        """At most 16 million characters, in 64 parts."""
        if text.characters <= _PARTS * _PART:
            return cls((text,), text.digest)
        starts = [text.start + number * (text.characters - _PART) // (_PARTS - 1) for number in range(_PARTS)]
        parts = tuple(text._part(start, start + _PART) for start in starts)
        return cls(parts, hashlib.sha256("".join(part.digest for part in parts).encode()).hexdigest())

    @property
    def names(self) -> tuple[str, ...]:
        """The text's."""
        return self.parts[0].names

    @property
    def characters(self) -> int:
        """Length in characters."""
        return sum(part.characters for part in self.parts)

    def blocks(self) -> Iterator[Block]:
        """One part after the other: none runs on into the next."""
        for number, part in enumerate(self.parts):
            if number:
                yield END
            yield from part.blocks()


@dataclass(frozen=True)
class Undivided:
    """A text without what stands between its documents.

    Attributes:
        text: the text.
        separator: what stands there.
    """

    text: Text | Sample
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
Source: TypeAlias = Lines | Text | Sample | Undivided


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
    digest, characters, size, blank = hashlib.sha256(), 0, 0, True
    places: list[tuple[int, int]] = []
    for piece in file.pieces():
        content = piece.encode()
        digest.update(content)
        characters, size = characters + len(piece), size + len(content)
        blank = blank and piece.isspace()
        if size - (places[-1][1] if places else 0) >= _PLACES:
            places.append((characters, size))
    mark = file.mark_before(size) if places else None
    found = () if mark is None else tuple((number, place + mark) for number, place in places)
    return Document(file, 0 if blank else characters, digest.hexdigest(), found)


def _seekable(document: Document) -> Document:
    if document.places or document.characters < _WORTH_A_COPY:
        return document
    return _survey(document.file.unpacked())


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
