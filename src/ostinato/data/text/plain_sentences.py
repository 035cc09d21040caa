"""Sentences as people write them, one a line, where a tagger is given them instead of words in columns."""

import unicodedata
from collections.abc import Collection, Iterator
from itertools import groupby, islice

from ostinato.core.errors import DataError
from ostinato.data.sources.files import TextFile
from ostinato.data.text.conll import Sentence
from ostinato.data.text.conll_layout import Layout, is_blank

#: Lines by which it is decided what a file holds.
_LOOKED_AT = 200

#: What stands in a column whose value is not known.
_PLACEHOLDERS = frozenset("_?-*")

_BEGIN_NAMES = "@#&"  #: marks that belong to the word behind them

#: The words of a plain sentence, as columns: one.
WORDS = Layout(1)


def is_plain(file: TextFile, layout: Layout, column: int, tags: Collection[str]) -> bool:
    """Whether a file holds plain sentences, one a line, rather than one word a line with its tag in a column.

    TABs, names of columns, numbered words and single words a line are columns. So are lines separated by blanks of
    which most have a known tag where the tag would be, or which all have as many fields, with blank lines between
    some. A single line, or lines of different numbers of words, are sentences.

    Raises:
        DataError: it could be either.
    """
    if layout.tabs or layout.names or layout.numbered or layout.width == 1:
        return False
    looked_at = list(islice(file.lines(), _LOOKED_AT))
    lines = [found for line in looked_at if (found := layout.split(line))]
    ends = [fields[min(column, len(fields) - 1)] for fields in lines]
    known = sum(end in tags or end in _PLACEHOLDERS for end in ends if any(map(str.isalnum, end)) or len(lines) > 1)
    if 2 * known >= len(lines):
        return False
    if len(lines) == 1 or len({len(fields) for fields in lines}) > 1:
        return True
    if any(map(is_blank, "".join(looked_at).strip().splitlines())):
        return False
    raise DataError(
        f"{file.name}: these could be words in {layout.width} columns, or sentences of {layout.width} words each: few "
        f"lines have a known tag in column {min(column, layout.width - 1) + 1}; say which by --format columns or "
        "--format text"
    )


def plain_sentences(file: TextFile) -> Iterator[Sentence]:
    """The sentences of a file, one a line, as if there were one word a line and a blank line between sentences.

    Words end at white space; punctuation marks at a word's ends are words of their own.
    """
    for number, line in enumerate(file.lines(), 1):
        if words := words_of(line):
            yield Sentence(WORDS, file.name, number, (*(f"{word}\n" for word in words), "\n"), tuple(range(len(words))))


def words_of(text: str) -> list[str]:
    """The words of a sentence: "Is it (so)?" gives Is, it, (, so, ), ?."""
    return [word for token in text.split() for word in _apart(token)]


def _apart(token: str) -> list[str]:
    start, stop = 0, len(token)
    while start < stop and _is_mark(token[start]) and token[start] not in _BEGIN_NAMES:
        start += 1
    while stop > start and _is_mark(token[stop - 1]):
        stop -= 1
    return [*_runs(token[:start]), *([token[start:stop]] if start < stop else []), *_runs(token[stop:])]


def _runs(marks: str) -> list[str]:
    """Marks one by one, but the same mark again and again together: "..."."""
    return ["".join(same) for _, same in groupby(marks)]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("P")
