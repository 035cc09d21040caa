"""How the columns of a file of words and tags stand, and what its first lines say of that."""

import re
from dataclasses import dataclass, field, replace
from itertools import islice

from ostinato.core.errors import DataError, unknown_name
from ostinato.data.sources.files import TextFile

#: Columns of CoNLL-U (https://universaldependencies.org/format.html).
CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")

ANY_ID = re.compile(r"[0-9]+([-.][0-9]+)?")
_FIELD = re.compile(r"[^ \t]+")  # a no-break space is part of a word
_GLOBAL_COLUMNS = re.compile(r"#\s*global\.columns\s*=\s*(.+)")
DOCUMENT = "-DOCSTART-"
_LOOKED_AT = 20_000  #: lines by which it is decided what a line at a sentence's head, or the first, is

_WORD_NAMES = ("form", "word", "words", "token", "tokens", "text")
#: What a first line names its columns, where it does.
_HEADINGS = {*_WORD_NAMES, *CONLLU, "index", "sentence", "sent_id", "token_id", "document", "tag", "tags", "label"}
_HEADINGS |= {"labels", "pos", "pos_tag", "postag", "chunk", "chunk_tag", "ner", "ner_tag", "ner_tags", "ne", "entity"}
_HEADINGS |= {"iob", "bio"}


@dataclass(frozen=True)
class Layout:
    """How the columns of a file stand.

    Attributes:
        width: number of columns.
        names: of the columns, in small letters; empty where they have none.
        tabs: columns are separated by one TAB each, else by blanks.
        numbered: the first column is an id as in CoNLL-U, and only whole numbers are words.
        commented: lines at a sentence's head that begin with "# " are comments, whatever their columns.
        header: the first line that is no comment names the columns.
    """

    width: int
    names: tuple[str, ...] = ()
    tabs: bool = True
    numbered: bool = False
    commented: bool = field(default=False, compare=False)
    header: bool = field(default=False, compare=False)

    @property
    def word_column(self) -> int:
        """Where the words are, unless someone says otherwise: the column named form, word, ..., else the first."""
        return next((self.names.index(name) for name in _WORD_NAMES if name in self.names), 0)

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

    def has(self, column: str) -> bool:
        """Whether there is a column of this name, or number from 1."""
        return 1 <= int(column) <= self.width if column.isdecimal() else column.lower() in self.names

    def output_column(self, name: str | None, index: int, last: bool = False) -> int:
        """Where a model writes tags that it learned from a column, so that nothing else is overwritten.

        Args:
            name: of the column it learned from, where that had one.
            index: of that column, from 0.
            last: it was the last column, and taken because it was: in a file of more columns, that is another one.

        Returns:
            The same column where the file has it; where columns with names meet columns without, upos, or a new one
            behind the last.
        """
        if name in self.names:
            return self.names.index(name)
        if self.names and name is None:
            return self.tag_column
        if self.names or name is not None or index >= self.width:
            return self.width
        return self.tag_column if last else index

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


def read_layout(file: TextFile) -> Layout:
    """How the columns of a file stand, by its first word; CoNLL-U also by the file's name.

    Raises:
        DataError: no line of it is a word.
    """
    columns: tuple[str, ...] = ()
    marked = ""  # a comment, or a word such as #tag, which then stands as the others do
    for line in file.lines():
        if match := _GLOBAL_COLUMNS.match(line):
            columns = tuple(match[1].lower().split())
        elif line.startswith("#") and not line.startswith("# "):
            marked = marked or line
        elif not is_blank(line) and not line.startswith((DOCUMENT, "# ")):
            return _with_heads(_layout(line.rstrip("\r\n"), columns, file.plain_name), file)
    if marked:
        return _layout(marked.rstrip("\r\n"), columns, file.plain_name)
    raise DataError(
        f"{file.name}: holds no words; expected CoNLL-U, or one word and its tag a line with a blank line between "
        "sentences"
    )


def _layout(line: str, columns: tuple[str, ...], file: str) -> Layout:
    tabs = "\t" in line
    width = len(line.split("\t") if tabs else _FIELD.findall(line))
    if columns:
        return Layout(len(columns), columns, tabs or "id" in columns, columns[0] == "id")
    conllu = file.endswith(".conllu")
    if conllu or (width == len(CONLLU) and tabs and ANY_ID.fullmatch(line.split("\t")[0])):
        return Layout(len(CONLLU), CONLLU, tabs=True, numbered=True)
    return Layout(width, tabs=tabs)


def _with_heads(layout: Layout, file: TextFile) -> Layout:
    """The layout, knowing what two kinds of lines are by what words have in the last column.

    Lines that begin with "# " at a sentence's head and have as many columns as words are comments, if no word has in
    the last column what they have there. The first line names the columns, if all that it holds are usual names of
    columns, and no word has the last one of them as its tag.
    """
    heads: set[str] = set()
    said: set[str] = set()
    first: list[str] = []
    at_head = True
    for line in islice(file.lines(), _LOOKED_AT):
        blank = is_blank(line)
        if not blank and not layout.numbered and len(fields := layout.split(line)) == layout.width:
            if at_head and line.startswith("# "):
                heads.add(fields[-1])
            elif first:
                said.add(fields[-1])
            else:
                first = fields
        at_head = blank or (at_head and line.startswith("#"))
    names = tuple(name.lower() for name in first)
    if not layout.names and len(names) > 1 and set(names) <= _HEADINGS and first[-1] not in said:
        layout = replace(layout, names=names, header=True)
    return replace(layout, commented=bool(heads) and not heads & {*said, *first[-1:]})


def is_blank(line: str) -> bool:
    """Whether there is nothing on a line."""
    return not line.strip(" \t\r\n")
