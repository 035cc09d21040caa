"""Pairs of texts from long files that are read in parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ostinato.data.sources.files import TextFile, one_file
from ostinato.data.sources.memory import in_memory
from ostinato.data.sources.passages import Beginning, Passage, Reel
from ostinato.data.tables.reading import in_rows, parts_of
from ostinato.data.text.pairs import TAB, PairLayout, Pairs, named_files, pairs_in, pairs_in_table, pairs_of_lines


@dataclass(frozen=True)
class ReadsPairs:
    """How pairs are read in parts.

    Attributes:
        layout: of a single file.
        table: whether that is a table.
        names: of the files.
    """

    layout: PairLayout
    table: bool
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """Where sources and targets stand."""
        return repr((self.layout, self.table))

    def begin(self, file: TextFile, reel: Reel, *, alone: bool) -> Beginning:
        """Of a table with the line of the columns' names, of others with nothing."""
        if not self.table:
            return Beginning("line", (), reel)
        with self.layout.of_tables():
            return parts_of(file, reel)

    def read(self, passages: Sequence[Passage]) -> Pairs:
        """As `open_pairs` reads files; those with an empty side are left out and counted."""
        columns = None
        if len(passages) > 1:
            found = pairs_of_lines(*passages)
        elif self.table:
            found, columns, _ = pairs_in_table(passages[0], self.layout)
        else:
            found = pairs_in(passages[0], self.layout.separator or TAB)
        complete = [pair for pair in found if all(pair)]
        sources, targets = zip(*complete, strict=True) if complete else ((), ())
        return Pairs(sources, targets, self.names, "", len(found) - len(complete), columns)

    def joined(self, parts: Sequence[Pairs]) -> Pairs:
        """One behind the other."""
        sources = tuple(text for part in parts for text in part.sources)
        targets = tuple(text for part in parts for text in part.targets)
        left_out = sum(part.incomplete for part in parts)
        return replace(parts[0], sources=sources, targets=targets, incomplete=left_out)


def pairs_in_parts(sources: Sequence[str], layout: PairLayout) -> tuple[list[list[TextFile]], ReadsPairs] | None:
    """Files of pairs, and how they are read, where they can be read in parts: lines, CSV, TSV, JSON lines, two files.
    None where they cannot: Parquet, JSON in one value, what is in memory, standard input and pipes.

    Raises:
        DataError: a file cannot be read.
        ConfigError: more names than two, or none.
    """
    names = named_files(sources)
    if any(name == "-" or in_memory(name) is not None or not Path(name).is_file() for name in names):
        return None
    files = [one_file(name) for name in names]
    table = len(files) == 1 and layout.in_table(names[0])
    with layout.of_tables():
        if table and not in_rows(files[0]):
            return None
    return [files], ReadsPairs(layout, table, tuple(file.name for file in files))
