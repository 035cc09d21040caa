"""Words and their tags in columns: CoNLL-U, and any other file of one word a line with a blank line between sentences.

What is read keeps every line as it stands (comments, multiword tokens, empty nodes, spacing, line ends), so that
writing it back with other tags changes nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice

from ostinato.core.errors import DataError, unknown_name
from ostinato.data.files import PathLike, TextFile
from ostinato.data.text import open_text

#: Columns of CoNLL-U (https://universaldependencies.org/format.html).
CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")

_WORD_ID = re.compile(r"[1-9][0-9]*")
_ANY_ID = re.compile(r"[0-9]+([-.][0-9]+)?")
_FIELD = re.compile(r"[^ \t]+")  # a no-break space is part of a word
_GLOBAL_COLUMNS = re.compile(r"#\s*global\.columns\s*=\s*(.+)")
_DOCUMENT = "-DOCSTART-"
_LOOKED_AT = 20_000  #: lines by which it is decided what a line at a sentence's head is


@dataclass(frozen=True)
class Tagged:
    """The sentences of some files, those without words left out.

    Attributes:
        words: of each sentence.
        tags: one a word.
        files: their names.
        digest: SHA-256 of their content.
        name: of the tags' column in the first file, where it has one.
        index: of the tags' column in the first file, from 0.
        where: place of the first word of each tag, as messages name it: "names.txt: line 7".
    """

    words: list[list[str]]
    tags: list[list[str]]
    files: tuple[str, ...]
    digest: str
    name: str | None
    index: int
    where: dict[str, str]


def read_tagged(sources: Iterable[PathLike], column: str | None = None, word_column: str | None = None) -> Tagged:
    """Read sentences with their tags.

    Args:
        sources: files, gzipped or not, folders of them, or "-".
        column: of the tags, by name or number from 1; upos where there is one, else the last, where None.
        word_column: of the words; form where there is one, else the first, where None.

    Raises:
        DataError: a file that cannot be read, holds no words, lacks a column, or is malformed in some line.
    """
    text = open_text(sources)
    words: list[list[str]] = []
    tags: list[list[str]] = []
    where: dict[str, str] = {}
    used: list[tuple[str | None, int]] = []
    for document in text.documents:
        layout = read_layout(document.file)
        tag = layout.tag_column if column is None else layout.find(column, document.file.name)
        word = layout.word_column if word_column is None else layout.find(word_column, document.file.name)
        if tag == word:
            raise DataError(
                f"{document.file.name}: column {word + 1} would be both words and tags; expected two columns at "
                "least, or --column and --word-column that name two"
            )
        used.append((layout.names[tag] if layout.names else None, tag))
        for sentence in read_sentences(document.file, layout):
            if len(sentence):
                words.append(sentence.column(word))
                tags.append(sentence.column(tag))
                for row, name in zip(sentence.rows, tags[-1], strict=True):
                    if name not in where:
                        where[name] = f"{sentence.file}: line {sentence.first + row}"
    return Tagged(words, tags, text.names, text.digest, *used[0], where)


@dataclass(frozen=True)
class Layout:
    """How the columns of a file stand.

    Attributes:
        width: number of columns.
        names: of the columns, in small letters; empty where they have none.
        tabs: columns are separated by one TAB each, else by blanks.
        numbered: the first column is an id as in CoNLL-U, and only whole numbers are words.
        commented: lines at a sentence's head that begin with "# " are comments, whatever their columns.
    """

    width: int
    names: tuple[str, ...] = ()
    tabs: bool = True
    numbered: bool = False
    commented: bool = field(default=False, compare=False)

    @property
    def word_column(self) -> int:
        """Where the words are, unless someone says otherwise: the column named form, else the first; from 0."""
        return self.names.index("form") if "form" in self.names else 0

    @property
    def tag_column(self) -> int:
        """Where the tags are, unless someone says otherwise: the column named upos, else the last; from 0."""
        return self.names.index("upos") if "upos" in self.names else self.width - 1

    def find(self, column: str, file: str) -> int:
        """A column by name or by number counted from 1, as an index from 0.

        Raises:
            DataError: there is none; names those there are.
        """
        if column.isdecimal():
            if 1 <= int(column) <= self.width:
                return int(column) - 1
            raise DataError(f"{file}: has no column {column}: expected 1 to {self.width}{self._shown}")
        if column.lower() in self.names:
            return self.names.index(column.lower())
        if not self.names:
            raise DataError(
                f"{file}: has no column {column!r}: its columns have no names; give a number from 1 to {self.width}, "
                "or name them in its first line: # global.columns = FORM ..."
            )
        raise DataError(unknown_name(f"{file}: has no column", column, self.names))

    def output_column(self, name: str | None, index: int) -> int:
        """Where a model writes tags that it learned from a column, so that nothing else is overwritten.

        Args:
            name: of the column it learned from, where that had one.
            index: of that column, from 0.

        Returns:
            The same column where the file has it; where columns with names meet columns without, upos, or a new one
            behind the last.
        """
        if name in self.names:
            return self.names.index(name)
        if self.names and name is None:
            return self.tag_column
        return min(index, self.width) if name is None and not self.names else self.width

    @property
    def _shown(self) -> str:
        return f" ({', '.join(self.names)})" if self.names else ""

    def split(self, line: str) -> list[str]:
        """The fields of a line."""
        line = line.rstrip("\r\n")
        return line.split("\t") if self.tabs else _FIELD.findall(line)

    def put(self, line: str, column: int, value: str) -> str:
        """The line with another value in a column, all else untouched; behind its last column where it has fewer."""
        body = line.rstrip("\r\n")
        end = line[len(body) :]
        if self.tabs:
            fields = body.split("\t")
            fields[column:] = [value, *fields[column + 1 :]]
            return "\t".join(fields) + end
        found = list(_FIELD.finditer(body))
        if column >= len(found):
            return f"{body.rstrip(' ')} {value}{end}"
        return body[: found[column].start()] + value + body[found[column].end() :] + end


@dataclass(frozen=True)
class Sentence:
    """Consecutive lines of a file, of which some are words. All sentences together are the whole file.

    Attributes:
        layout: how to read them.
        file: what messages call the file.
        first: number of the first line, from 1.
        lines: as they stand, line ends included.
        rows: which of the lines are words.
    """

    layout: Layout
    file: str
    first: int
    lines: tuple[str, ...]
    rows: tuple[int, ...]

    def __len__(self) -> int:
        """Words."""
        return len(self.rows)

    def column(self, column: int) -> list[str]:
        """One field of each word.

        Raises:
            DataError: a field is empty.
        """
        found = [fields[column] for fields in self._fields]
        if "" in found:
            line = self.first + self.rows[found.index("")]
            raise DataError(f"{self.file}: line {line}: column {column + 1} is empty; expected a value, or _ for none")
        return found

    def text(self, tags: Sequence[str], column: int) -> str:
        """The lines with these tags in a column, which is added where there is none."""
        lines = list(self.lines)
        for row, tag in zip(self.rows, tags, strict=True):
            lines[row] = self.layout.put(lines[row], column, tag)
        return "".join(lines)

    @cached_property
    def _fields(self) -> list[list[str]]:
        return [self.layout.split(self.lines[row]) for row in self.rows]


def read_layout(file: TextFile) -> Layout:
    """How the columns of a file stand, by its first word; CoNLL-U also by the file's name.

    Raises:
        DataError: no line of it is a word.
    """
    named: tuple[str, ...] = ()
    marked = ""  # a comment, or a word such as #tag, which then stands as the others do
    for line in _lines(file):
        if match := _GLOBAL_COLUMNS.match(line):
            named = tuple(match[1].lower().split())
        elif line.startswith("#") and not line.startswith("# "):
            marked = marked or line
        elif not _blank(line) and not line.startswith((_DOCUMENT, "# ")):
            return _commented(_layout(line.rstrip("\r\n"), named, file.plain_name), file)
    if marked:
        return _layout(marked.rstrip("\r\n"), named, file.plain_name)
    raise DataError(
        f"{file.name}: holds no words; expected CoNLL-U, or one word and its tag a line with a blank line between "
        "sentences"
    )


def read_sentences(file: TextFile, layout: Layout) -> Iterator[Sentence]:
    """The sentences of a file; the last may be without words (comments, blank lines).

    Raises:
        DataError: a line has too few or too many columns, or no id; the message names file and line.
    """
    first = 1
    lines: list[str] = []
    rows: list[int] = []
    for number, line in enumerate(_lines(file), 1):
        blank = _blank(line)
        if not blank and rows and _blank(lines[-1]):
            yield Sentence(layout, file.name, first, tuple(lines), tuple(rows))
            first, lines, rows = number, [], []
        if not blank and _is_word(line, layout, not rows, file.name, number):
            rows.append(len(lines))
        lines.append(line)
    if lines:
        yield Sentence(layout, file.name, first, tuple(lines), tuple(rows))


def _layout(line: str, named: tuple[str, ...], file: str) -> Layout:
    tabs = "\t" in line
    width = len(line.split("\t") if tabs else _FIELD.findall(line))
    if named:
        return Layout(len(named), named, tabs or "id" in named, named[0] == "id")
    conllu = file.endswith(".conllu")
    if conllu or (width == len(CONLLU) and tabs and _ANY_ID.fullmatch(line.split("\t")[0])):
        return Layout(len(CONLLU), CONLLU, tabs=True, numbered=True)
    return Layout(width, tabs=tabs)


def _commented(layout: Layout, file: TextFile) -> Layout:
    """The layout, knowing what lines are that begin with "# " at a sentence's head and have as many columns as words:
    comments, if no word has in the last column what they have there."""
    heads: set[str] = set()
    said: set[str] = set()
    at_head = True
    for line in islice(_lines(file), _LOOKED_AT):
        blank = _blank(line)
        if not blank and not layout.numbered and len(fields := layout.split(line)) == layout.width:
            (heads if at_head and line.startswith("# ") else said).add(fields[-1])
        at_head = blank or (at_head and line.startswith("#"))
    return replace(layout, commented=bool(heads) and not heads & said)


def _is_word(line: str, layout: Layout, at_head: bool, file: str, number: int) -> bool:
    """Whether a line that is not blank is a word."""
    fields = layout.split(line)
    if line.startswith("#") and (layout.numbered or (at_head and len(fields) != layout.width)):
        return False
    if layout.commented and at_head and line.startswith("# "):
        return False
    if line.startswith(_DOCUMENT):
        return False
    if len(fields) != layout.width:
        kind = "TAB-separated columns" if layout.tabs else "columns"
        as_what = " (CoNLL-U)" if layout.names == CONLLU else " as in its first word" if not layout.names else ""
        raise DataError(f"{file}: line {number}: expected {layout.width} {kind}{as_what}, got {len(fields)}")
    if layout.numbered and not _ANY_ID.fullmatch(fields[0]):
        raise DataError(f"{file}: line {number}: expected a word's number, such as 7, 7-8 or 7.1, got {fields[0]!r}")
    return not layout.numbered or _WORD_ID.fullmatch(fields[0]) is not None


def _blank(line: str) -> bool:
    return not line.strip(" \t\r\n")


def _lines(file: TextFile) -> Iterator[str]:
    """The lines with their ends; only a line feed ends one."""
    held = ""
    for piece in file.pieces():
        *whole, held = (held + piece).split("\n")
        for line in whole:
            yield line + "\n"
    if held:
        yield held
