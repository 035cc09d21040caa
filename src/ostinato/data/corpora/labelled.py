"""Texts with their labels, or with numbers to learn, from long files that are read in parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from ostinato.config.columns import names_in
from ostinato.data.labelled.examples import Raw, joined, targets_in_place
from ostinato.data.labelled.reading import LabelledColumns, is_ts
from ostinato.data.labelled.texts import lines_of, read_text_table
from ostinato.data.sources.files import TextFile, one_file
from ostinato.data.sources.memory import in_memory
from ostinato.data.sources.passages import Beginning, Passage, Reel
from ostinato.data.tables.reading import in_rows, parts_of


@dataclass(frozen=True)
class ReadsLabelled:
    """How labelled texts are read in parts.

    Attributes:
        columns: of the tables.
        numbers: whether what is said of each are numbers to learn.
        names: of the files, as the whole is called.
    """

    columns: LabelledColumns
    numbers: bool
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """The columns."""
        return repr((self.columns, self.numbers))

    def begin(self, file: TextFile, reel: Reel, *, alone: bool) -> Beginning:
        """Of a table with the line of the columns' names; of lines that belong to those of another with nothing."""
        return parts_of(file, reel) if alone else Beginning("line", (), reel)

    def read(self, passages: Sequence[Passage]) -> Raw:
        """As `read_labelled` reads a file."""
        columns = self.columns
        if len(passages) > 1:
            raw = lines_of(*passages)
        else:
            label = None if self.numbers else columns.label
            targets = names_in(columns.label) if self.numbers else ()
            raw = read_text_table(passages[0], columns.text or "", label, lines=False, targets=targets)
        raw = replace(raw, several=columns.several)
        return targets_in_place(raw) if self.numbers and raw.targets is None else raw

    def joined(self, parts: Sequence[Raw]) -> Raw:
        """One behind the other."""
        return replace(joined(parts), name=", ".join(self.names), files=self.names)


def files_in_parts(sources: Sequence[str], columns: LabelledColumns) -> list[list[TextFile]] | None:
    """The files of labelled texts, where all of them can be read in parts: tables of text in CSV, TSV or JSON lines,
    and `TEXTS,LABELS`. None where some cannot: sequences of numbers, folders, archives, Parquet, JSON in one value,
    what is in memory, standard input and pipes.

    Raises:
        DataError: a file cannot be read.
    """
    if columns.values or any(source == "-" or in_memory(source) is not None or is_ts(source) for source in sources):
        return None
    found = []
    for source in sources:
        parts = source.split(",") if "," in source and not Path(source).exists() else [source]
        if len(parts) > 2 or not all(Path(part).is_file() for part in parts):
            return None
        if len(parts) == 1 and (columns.text is None or PurePath(source).suffix.lower() == ".zip"):
            return None
        files = [one_file(part) for part in parts]
        if len(files) == 1 and not in_rows(files[0]):
            return None
        found.append(files)
    return found or None
