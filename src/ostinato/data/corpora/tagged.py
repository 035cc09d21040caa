"""Tagged sentences from long files that are read in parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ostinato.data.sources.files import TextFile, find_files
from ostinato.data.sources.memory import in_memory
from ostinato.data.sources.passages import Beginning, Passage, Reel
from ostinato.data.text.conll import TagColumns, Tagged, joined, tagged_sentences
from ostinato.data.text.conll_layout import Layout, read_layout


@dataclass(frozen=True)
class ReadsTagged:
    """How tagged sentences are read in parts.

    Attributes:
        columns: of words, tags and features.
        layouts: of each file, by its name.
    """

    columns: TagColumns
    layouts: dict[str, Layout]

    @property
    def key(self) -> str:
        """The columns, and how they stand."""
        return repr((self.columns, list(self.layouts.values())))

    def begin(self, file: TextFile, reel: Reel, *, alone: bool) -> Beginning:
        """Nothing stands before the other sentences."""
        return Beginning("blank", (), reel)

    def read(self, passages: Sequence[Passage]) -> Tagged:
        """As `read_tagged` reads a file."""
        (passage,) = passages
        return tagged_sentences(passage, self.layouts[passage.name], self.columns)

    def joined(self, parts: Sequence[Tagged]) -> Tagged:
        """One behind the other."""
        return replace(joined(parts), files=tuple(self.layouts))


def tagged_in_parts(sources: Sequence[str], columns: TagColumns) -> tuple[list[list[TextFile]], ReadsTagged] | None:
    """Files of tagged sentences, and how they are read; None where they cannot be read in parts: what is in memory,
    standard input and pipes.

    Raises:
        DataError: a file cannot be read, or holds no words.
    """
    if any(source == "-" or in_memory(source) is not None or _is_pipe(Path(source)) for source in sources):
        return None
    files = [file for source in sources for file in find_files(source) if file.stamp[1]]
    return [[file] for file in files], ReadsTagged(columns, {file.name: read_layout(file) for file in files})


def _is_pipe(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()
