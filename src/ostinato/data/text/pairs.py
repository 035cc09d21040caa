"""Pairs of texts to learn translating from: one file with a separator in each line, or two files line by line."""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from ostinato.config.columns import names_in
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.sources.encodings import whole_characters
from ostinato.data.sources.files import PathLike, TextFile, one_file, plain_name
from ostinato.data.sources.memory import HeldTable, Texts, in_memory
from ostinato.data.sources.passages import Passage
from ostinato.data.tables.layout import chosen_layout, laid_out
from ostinato.data.tables.reading import Table, read_table
from ostinato.data.text.reading import Lines

TAB = "\t"

#: Endings of files that are tables, whatever they hold; .csv may be lines, too, and .tsv is.
_TABLES = {".json", ".jsonl", ".ndjson", ".parquet"}

#: What may stand between the fields of CSV.
_DELIMITERS = {",", ";", "|"}


@dataclass(frozen=True)
class PairLayout:
    """How pairs stand in a file: in lines, or in columns of a table.

    Attributes:
        separator: of lines, what stands between source and target, once in each; None is a TAB, but in a table.
        columns: of a table, those of the sources and of the targets, with a comma between; None where it has two.
        columns_named: whether somebody named the columns of this file, which then is a table whatever it is called.
    """

    separator: str | None = None
    columns: str | None = None
    columns_named: bool = False

    def in_table(self, source: PathLike) -> bool:
        """Whether a file is a table: because its columns are named, by its name unless it has lines with the separator,
        or by the columns that training had.

        Raises:
            DataError: it cannot be read.
        """
        if self.columns_named or (held := in_memory(source)) is not None:
            return self.columns_named or isinstance(held, HeldTable)
        if source == "-":
            return False
        ending = PurePath(plain_name(str(source))).suffix.lower()
        if ending in _TABLES:
            return True
        if ending == ".csv":
            if self.separator is None:
                return b"\t" not in _head(source)
            return self.separator in _DELIMITERS and b'"' in _head(source)
        if self.columns is None:
            return False
        first = _head(source).decode("utf-8", "replace").replace("\r", "\n").partition("\n")[0]
        return set(self.pair("")) <= set(first.split("\t"))

    def of_tables(self) -> AbstractContextManager[Any]:
        """Tables that are read within have the separator between their columns, where it is one of theirs."""
        if self.separator not in _DELIMITERS:
            return nullcontext()
        return laid_out(replace(chosen_layout(), separator=self.separator))

    def pair(self, name: str, there: Sequence[str] | None = None, *, sources_alone: bool = False) -> list[str]:
        """The columns of sources and targets, in a table of this name where these are `there`.

        With `sources_alone`, a single column will do.

        Raises:
            ConfigError: not two were named.
            DataError: none were, and the table has another number of them.
        """
        if self.columns is not None:
            found = list(names_in(self.columns))
            if len(found) != 2 or not all(found):
                raise ConfigError(f"--columns: expected two columns, SOURCE,TARGET, got {self.columns!r}")
            return found
        columns = list(there or ())
        if len(columns) != 2 and not (sources_alone and len(columns) == 1):
            raise DataError(
                f"{name}: expected a table of two columns, got {len(columns)}: {', '.join(columns)}; name those of "
                "sources and targets by --columns SOURCE,TARGET"
            )
        return columns


@dataclass(frozen=True)
class Pairs:
    """Sources and their targets, blanks at both ends stripped.

    Attributes:
        sources: `[pairs]`.
        targets: `[pairs]`.
        names: of the files.
        digest: SHA-256 of the texts.
        incomplete: pairs that were left out because one of their sides is empty.
        columns: of a table, those of sources and targets.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    names: tuple[str, ...]
    digest: str
    incomplete: int = 0
    columns: list[str] | None = None

    def __len__(self) -> int:
        return len(self.sources)

    def select(self, rows: Sequence[int]) -> "Pairs":
        """Some of the pairs, by number."""
        sources, targets = (tuple(side[row] for row in rows) for side in (self.sources, self.targets))
        return replace(self, sources=sources, targets=targets, digest=_digest(sources, targets), incomplete=0)

    def lines(self, *sides: Sequence[str]) -> Lines:
        """Texts to learn a tokenizer from, such as `pairs.sources`."""
        return Lines(tuple(text for side in sides for text in side), self.names)


def read_pairs(source: PathLike, separator: str = "\t") -> Pairs:
    """Read pairs from one file: each line a source, the separator once, a target. Empty lines are passed over.

    Raises:
        DataError: the file cannot be read, holds no pairs, or a line does not have the separator once.
        ConfigError: an empty separator.
    """
    if not separator:
        raise ConfigError("--separator: expected at least one character, such as a TAB")
    file = one_file(source)
    return _pairs(pairs_in(file, separator), (file.name,), f"lines of source, {shown_separator(separator)}, target")


def pairs_in(file: TextFile | Passage, separator: str) -> list[tuple[str, str]]:
    """The pairs in a file's lines, those with an empty side among them.

    Raises:
        DataError: the file cannot be read, or a line does not have the separator once.
    """
    found = []
    for number, line in enumerate(read_lines(file), file.first if isinstance(file, Passage) else 1):
        if not line.strip():
            continue
        parts = line.split(separator)
        if len(parts) != 2:
            raise _not_a_pair(file.name, number, line, separator, len(parts))
        found.append((parts[0].strip(), parts[1].strip()))
    return found


def open_pairs(sources: Sequence[str], layout: PairLayout = PairLayout()) -> Pairs:
    """Read pairs from one file (`read_pairs`, or a table) or from two (`read_two_files`); tells of those left out.

    Args:
        sources: one name, two, or one of the form SOURCE,TARGET.
        layout: of a single file.

    Raises:
        DataError: as those two; a table that lacks a column, or has several and none were named.
        ConfigError: more names than two, or none.
    """
    names = named_files(sources)
    if len(names) == 2:
        found = read_two_files(names[0], names[1])
    elif layout.in_table(names[0]):
        found = _read_table_of_pairs(names[0], layout)
    else:
        found = read_pairs(names[0], layout.separator or TAB)
    if found.incomplete:
        warnings.warn(
            f"{', '.join(found.names)}: {found.incomplete:,} pairs with an empty side were left out", stacklevel=3
        )
    return found


def named_files(sources: Sequence[str]) -> list[str]:
    """The names of a file of pairs, or of one of sources and one of targets, from one name, two, or one of the form
    SOURCE,TARGET.

    Raises:
        ConfigError: more names than two, or none.
    """
    names = list(sources)
    if len(names) == 1 and names[0] != "-" and "," in names[0] and not Path(names[0]).exists():
        names = names[0].split(",")
    if not 1 <= len(names) <= 2:
        raise ConfigError(
            f"expected one file of pairs, or a file of sources and one of targets, got {len(names)} files"
        )
    return names


def _read_table_of_pairs(source: str, layout: PairLayout) -> Pairs:
    found, columns, name = pairs_in_table(source, layout)
    return replace(_pairs(found, (name,), f"texts in the columns {' and '.join(columns)}"), columns=columns)


def pairs_in_table(source: str | Passage, layout: PairLayout) -> tuple[list[tuple[str, str]], list[str], str]:
    """The pairs in a table's rows, those with an empty side among them; the columns that they stand in, and the table's
    name.

    Raises:
        DataError: the table cannot be read, or lacks a column.
    """
    name = source.name if isinstance(source, Passage) else source
    table = _read_table(source, None if layout.columns is None else layout.pair(name), layout)
    columns = layout.pair(name, list(table.columns))
    sides = [[(text or "").strip() for text in table.texts(column)] for column in columns]
    return list(zip(*sides, strict=True)), columns, table.name


def _read_table(source: PathLike | Passage, columns: Sequence[str] | None, layout: PairLayout) -> Table:
    with layout.of_tables():
        return read_table(source, columns)


def read_two_files(source: PathLike, target: PathLike) -> Pairs:
    """Read pairs from a file of sources and one of targets, whose lines belong together.

    Raises:
        DataError: a file cannot be read, or they have different numbers of lines, or hold no pairs.
    """
    files = one_file(source), one_file(target)
    return _pairs(pairs_of_lines(*files), tuple(file.name for file in files), "one text a line")


def pairs_of_lines(source: TextFile | Passage, target: TextFile | Passage) -> list[tuple[str, str]]:
    """The pairs that the lines of two files make, those with an empty side among them.

    Raises:
        DataError: a file cannot be read, or they have different numbers of lines.
    """
    sides = [[line.strip() for line in read_lines(file)] for file in (source, target)]
    before = source.first - 1 if isinstance(source, Passage) else 0
    if len(sides[0]) != len(sides[1]):
        counts = [f"{before + len(side):,}" for side in sides]
        raise DataError(
            f"{source.name} has {counts[0]} lines and {target.name} {counts[1]}: expected as many, each line of the "
            "one belonging to the same line of the other"
        )
    return list(zip(*sides, strict=True))


def read_sources(source: PathLike, layout: PairLayout = PairLayout()) -> tuple[str, ...]:
    """Texts to translate, one a line; an empty line stays one. Of a file of pairs, which has the separator once in
    each line that is not empty, the sources; of a table, those in the column of the sources.

    Raises:
        DataError: the file cannot be read, or holds nothing; a table lacks the column.
    """
    if isinstance(held := in_memory(source), Texts):
        return tuple(whole_characters(text or "").strip() for text in held.texts)
    if layout.in_table(source):
        first = None if layout.columns is None else layout.pair(str(source))[:1]
        table = _read_table(source, first, layout)
        column = first[0] if first else layout.pair(str(source), list(table.columns), sources_alone=True)[0]
        return tuple((text or "").strip() for text in table.texts(column))
    file, separator = one_file(source), layout.separator or TAB
    lines = [line.removesuffix("\r") for line in read_lines(file)]
    if not any(line.strip() for line in lines):
        raise DataError(f"{file.name}: expected one text a line, found nothing")
    pairs = all(line.count(separator) == 1 for line in lines if line.strip())
    return tuple((line.partition(separator)[0] if pairs else line).strip() for line in lines)


def read_lines(file: TextFile | Passage) -> Iterator[str]:
    """The lines of a file, without their ends; a line ends at a line feed, nowhere else."""
    return (line.removesuffix("\n") for line in file.lines())


def shown_separator(separator: str) -> str:
    """A separator as a message names it."""
    return "TAB" if separator == "\t" else repr(separator)


def _head(source: PathLike) -> bytes:
    """Some bytes of a file's beginning; its first line at least, unless that is very long."""
    return one_file(source).head(1 << 12)


def _not_a_pair(name: str, number: int, line: str, separator: str, parts: int) -> DataError:
    what = "no separator" if parts == 1 else f"{parts - 1} separators"
    remedy = "take the other fields out, as cut -f1,2 does, or name two columns of a table by --columns SOURCE,TARGET"
    if parts == 1:
        remedy = "name the one there is by --separator"
    elif '"' in line:
        remedy = "if this is CSV, whose first line names its columns, name two of them by --columns SOURCE,TARGET"
    return DataError(
        f"{name}: line {number}: expected a source, {shown_separator(separator)} and a target, got {what} "
        f"in {line.strip()[:60]!r}; {remedy}"
    )


def _pairs(found: list[tuple[str, str]], names: tuple[str, ...], expected: str) -> Pairs:
    complete = [pair for pair in found if all(pair)]
    if not complete:
        raise DataError(f"{' and '.join(names)}: no pairs there; expected {expected}")
    sources, targets = zip(*complete, strict=True)
    return Pairs(sources, targets, names, _digest(sources, targets), len(found) - len(complete))


def _digest(sources: Sequence[str], targets: Sequence[str]) -> str:
    content = hashlib.sha256()
    for pair in zip(sources, targets, strict=True):
        content.update("\n".join(pair).encode("utf-8", "surrogatepass") + b"\n")
    return content.hexdigest()
