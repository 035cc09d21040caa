"""Words and their tags in columns: CoNLL-U, and any other file of one word a line with a blank line between sentences.

What is read keeps every line as it stands (comments, multiword tokens, empty nodes, spacing, line ends), so that
writing it back with other tags changes nothing else.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ostinato.core.errors import DataError
from ostinato.data.sources.files import PathLike, TextFile
from ostinato.data.sources.passages import Passage
from ostinato.data.text.conll_layout import ANY_ID, CONLLU, DOCUMENT, Layout, is_blank, read_layout
from ostinato.data.text.reading import open_text

_WORD_ID = re.compile(r"[0-9]+")  # some number words from 0; in CoNLL-U itself no word has that number
_ENOUGH = 20  #: words of a file from which on a tag that only the first has is worth a word


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
        features: of each sentence, its other columns that are read along; none where none were asked for.
    """

    words: list[list[str]]
    tags: list[list[str]]
    files: tuple[str, ...]
    digest: str
    name: str | None
    index: int
    where: dict[str, str]
    features: list[list[list[str]]] = field(default_factory=list)


@dataclass(frozen=True)
class TagColumns:
    """Which columns are read, by name or number from 1.

    Attributes:
        tag: upos where there is one, else the last, where None.
        word: form where there is one, else the first, where None.
        features: others that are read along.
    """

    tag: str | None = None
    word: str | None = None
    features: tuple[str, ...] = ()

    def places(self, layout: Layout, file: str) -> tuple[int, int, list[int]]:
        """Where tags, words and features stand in a file, from 0.

        Raises:
            DataError: it lacks one, or one would be two of them.
        """
        tag = layout.tag_column if self.tag is None else layout.find(self.tag, file)
        word = layout.word_column if self.word is None else layout.find(self.word, file)
        if tag == word:
            raise DataError(
                f"{file}: column {word + 1} would be both words and tags; expected two columns at "
                "least, or --column and --word-column that name two"
            )
        return tag, word, self.feature_places(layout, file, tag)

    def feature_places(self, layout: Layout, file: str, tag: int) -> list[int]:
        """Where the features stand in a file, from 0; `tag` is where the tags are, or are to be.

        Raises:
            DataError: it lacks one, or one is the column of the tags.
        """
        found = [layout.find(feature, file) for feature in self.features]
        if tag in found:
            raise DataError(f"{file}: column {tag + 1} would be both tags and a feature; leave it out of --features")
        return found


def read_tagged(sources: Iterable[PathLike], columns: TagColumns = TagColumns()) -> Tagged:
    """Read sentences with their tags from files, gzipped or not, folders of them, or "-".

    Raises:
        DataError: a file that cannot be read, holds no words, lacks a column, or is malformed in some line.
    """
    text = open_text(sources)
    parts = []
    for document in text.documents:
        parts.append(tagged_sentences(document.file, read_layout(document.file), columns))
        _warn_of_heading(parts[-1].tags, parts[-1].where)
    return replace(joined(parts), files=text.names, digest=text.digest)


def tagged_sentences(file: TextFile | Passage, layout: Layout, columns: TagColumns) -> Tagged:
    """The sentences with words of a file, or of a part of one, in which there may be none.

    Raises:
        DataError: as of `read_tagged`.
    """
    words: list[list[str]] = []
    tags: list[list[str]] = []
    more: list[list[list[str]]] = []
    where: dict[str, str] = {}
    tag, word, features = columns.places(layout, file.name)
    for sentence in read_sentences(file, layout):
        if len(sentence):
            words.append(sentence.column(word))
            tags.append(sentence.column(tag))
            if features:
                more.append([sentence.column(feature) for feature in features])
            for row, name in zip(sentence.rows, tags[-1], strict=True):
                if name not in where:
                    where[name] = f"{sentence.file}: line {sentence.first + row}"
    return Tagged(words, tags, (file.name,), "", layout.names[tag] if layout.names else None, tag, where, more)


def joined(parts: Sequence[Tagged]) -> Tagged:
    """The sentences of several files, or of parts of one, one behind the other; columns are those of the first."""
    where: dict[str, str] = {}
    for part in reversed(parts):
        where |= part.where
    words = [sentence for part in parts for sentence in part.words]
    tags = [sentence for part in parts for sentence in part.tags]
    more = [sentence for part in parts for sentence in part.features]
    return replace(parts[0], words=words, tags=tags, features=more, where=where)


@dataclass(frozen=True)
class Sentence:
    """Consecutive lines of a file, of which some are words. All sentences together are the whole file.

    Attributes:
        layout: how to read them.
        file: what messages call the file.
        first: number of the first line, from 1.
        lines: as they stand, line ends included.
        rows: which of the lines are words.
        heading: which of the lines names the columns, if one does.
    """

    layout: Layout
    file: str
    first: int
    lines: tuple[str, ...]
    rows: tuple[int, ...]
    heading: int | None = None

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
        if self.heading is not None and column >= self.layout.width:
            lines[self.heading] = self.layout.put(lines[self.heading], column, "tag")
        for row, tag in zip(self.rows, tags, strict=True):
            lines[row] = self.layout.put(lines[row], column, tag)
        return "".join(lines)

    @cached_property
    def _fields(self) -> list[list[str]]:
        return [self.layout.split(self.lines[row]) for row in self.rows]


def read_sentences(file: TextFile | Passage, layout: Layout) -> Iterator[Sentence]:
    """The sentences of a file, or of a part of one; the last may be without words (comments, blank lines).

    Raises:
        DataError: a line has too few or too many columns, or no id; the message names file and line.
    """
    first = file.first if isinstance(file, Passage) else 1
    lines: list[str] = []
    rows: list[int] = []
    heading, awaited = None, layout.header and first == 1
    for number, line in enumerate(file.lines(), first):
        blank = is_blank(line)
        if not blank and rows and is_blank(lines[-1]):
            yield Sentence(layout, file.name, first, tuple(lines), tuple(rows), heading)
            first, lines, rows, heading = number, [], [], None
        if not blank and _is_word(line, layout, not rows, file.name, number):
            if awaited:
                heading, awaited = len(lines), False
            else:
                rows.append(len(lines))
        lines.append(line)
    if lines:
        yield Sentence(layout, file.name, first, tuple(lines), tuple(rows), heading)


def _warn_of_heading(tags: list[list[str]], where: dict[str, str]) -> None:
    """Say so where a file's first word has a tag that no other has: the line may name the columns."""
    first = tags[0][0] if tags else ""
    words = sum(map(len, tags))
    if words >= _ENOUGH and sum(own.count(first) for own in tags) == 1:
        warnings.warn(
            f"{where[first]}: the tag {first!r} stands here only, in the first of {words:,} words; if this line names "
            "the columns, put '# global.columns = NAME NAME' in its place, or take it out",
            stacklevel=3,
        )


def _is_word(line: str, layout: Layout, at_head: bool, file: str, number: int) -> bool:
    """Whether a line that is not blank is a word."""
    fields = layout.split(line)
    if line.startswith("#") and (layout.numbered or (at_head and len(fields) != layout.width)):
        return False
    if layout.commented and at_head and line.startswith("# "):
        return False
    if line.startswith(DOCUMENT):
        return False
    if len(fields) != layout.width:
        kind = "TAB-separated columns" if layout.tabs else "columns"
        as_what = " (CoNLL-U)" if layout.names == CONLLU else " as in its first word" if not layout.names else ""
        raise DataError(f"{file}: line {number}: expected {layout.width} {kind}{as_what}, got {len(fields)}")
    if layout.numbered and not ANY_ID.fullmatch(fields[0]):
        raise DataError(f"{file}: line {number}: expected a word's number, such as 7, 7-8 or 7.1, got {fields[0]!r}")
    return not layout.numbered or _WORD_ID.fullmatch(fields[0]) is not None
