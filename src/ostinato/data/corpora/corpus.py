"""Long files of examples, read through once and cut into segments, each of which can be read by itself."""

import hashlib
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import DataError
from ostinato.data.sources.files import TextFile
from ostinato.data.sources.passages import Beginning, Ends, Passage, Reel, seekable
from ostinato.data.tables.layout import Layout, chosen_layout, laid_out

Rows = npt.NDArray[np.int64]
Part = TypeVar("Part")
Part_co = TypeVar("Part_co", covariant=True)

#: Segments of a shard: so many places of a corpus are brought together in one.
SEGMENTS = 64


class Reading(Protocol[Part_co]):
    """How examples are read. It can be pickled."""

    @property
    def key(self) -> str:
        """What else than the files' content decides on what is read."""

    def begin(self, file: TextFile, reel: Reel, *, alone: bool) -> Beginning:
        """How a file, of which the reel is at its beginning, is read in parts; whether it is `alone`, or the lines of
        others belong to its own.

        Raises:
            DataError: it cannot be read.
        """

    def read(self, passages: Sequence[Passage]) -> Part_co:
        """The examples of a part of a file, or of files whose lines belong together.

        Raises:
            DataError: what is wrong with it.
        """

    def joined(self, parts: Sequence[Any]) -> Part_co:
        """Those of several parts, one behind the other."""


@dataclass(frozen=True)
class Source:
    """A file of examples, or files whose lines belong together: of these, all but the first are read as far as it is.

    Attributes:
        files: in which reading can begin anywhere.
        ends: behind what a part of the first may end.
        heading: lines that go before each part.
    """

    files: tuple[TextFile, ...]
    ends: Ends
    heading: tuple[str, ...]


@dataclass(frozen=True)
class Corpus(Generic[Part]):
    """Examples of long files. It holds none itself.

    Attributes:
        sources: where they are.
        reading: how they are read.
        layout: of the tables.
        size: characters of a segment, about.
        segments: `[S, 2 + F]`: of each the number of its source, the line that it begins on, and the byte in each file.
        examples: `[S]` of each.
        characters: `[S]` of each.
        digest: SHA-256 that stands for the content and for how it is read.
    """

    sources: tuple[Source, ...]
    reading: Reading[Part]
    layout: Layout
    size: int
    segments: Rows
    examples: Rows
    characters: Rows
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Of the files."""
        return tuple(file.name for source in self.sources for file in source.files)

    def read(self, numbers: Sequence[int] | Rows) -> Part:
        """The examples of some segments, one behind the other, in this order; nothing is told that was told before.

        Raises:
            DataError: a file cannot be read or has changed.
        """
        with laid_out(self.layout), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.reading.joined([self._segment(*self.segments[number].tolist()) for number in numbers])

    def _segment(self, source: int, line: int, *places: int) -> Part:
        of = self.sources[source]
        reels = [Reel(file, byte, line) for file, byte in zip(of.files, places, strict=False)]
        return self.reading.read(passages_of(of, reels, self.size))


def passages_of(source: Source, reels: Sequence[Reel], size: int) -> list[Passage]:
    """A part of about so many characters, from where the reels stand: as many lines of all but the first file."""
    first, *others = reels
    begin, line = first.characters, first.line
    found = [Passage(first, lambda: first.characters - begin >= size, source.ends, source.heading)]
    for reel in others:
        found.append(Passage(reel, lambda reel=reel: reel.line >= first.line > line))  # type: ignore[misc]
    return found


def survey(
    sources: Sequence[Sequence[TextFile]],
    reading: Reading[Part],
    size: int,
    look: Callable[[Part], int],
    progress: Callable[[int, int], None] | None = None,
) -> Corpus[Part]:
    """Read everything through once.

    Args:
        sources: a file each, or files whose lines belong together.
        reading: how they are read.
        size: characters of a segment.
        look: told the examples of every segment; says how many there are to learn from.
        progress: told how far it is, in bytes.

    Raises:
        DataError: what is wrong with a file; there is no room for a copy of one that is packed.
    """
    segments, examples, characters = list[list[int]](), list[int](), list[int]()
    digest, opened = hashlib.sha256(), list[Source]()
    plain = [[seekable(file) for file in files] for files in sources]
    total, done = sum(file.stamp[1] for files in plain for file, _ in files), 0
    width = max(map(len, plain))
    with _told_once():
        for number, files in enumerate(plain):
            hashes = [hashlib.sha256() for _ in files]
            reels = [
                Reel(file, watch=lambda piece, to=own: to.update(piece.encode()))  # type: ignore[misc]
                for (file, _), own in zip(files, hashes, strict=True)
            ]
            began = reading.begin(files[0][0], reels[0], alone=len(files) == 1)
            for reel, (_, mark) in zip(reels, files, strict=True):
                reel.byte += mark
            source = Source(tuple(file for file, _ in files), began.ends, began.heading)
            opened.append(source)
            while reels[0].more:
                places = [reel.byte for reel in reels]
                before = reels[0].characters
                segments.append([number, reels[0].line, *places, *[0] * (width - len(places))])
                examples.append(look(reading.read(passages_of(source, reels, size))))
                characters.append(reels[0].characters - before)
                if progress is not None:
                    progress(done + sum(reel.byte for reel in reels), total)
            if any(reel.more for reel in reels):
                raise DataError(
                    f"{reels[1].file.name} has more lines than the {reels[0].line - 1:,} of {reels[0].file.name}: "
                    "expected as many, each line of the one belonging to the same line of the other"
                )
            done += sum(file.stamp[1] for file, _ in files)
            for own in hashes:
                digest.update(own.digest())
    return Corpus(
        tuple(opened),
        reading,
        chosen_layout(),
        size,
        np.array(segments, np.int64).reshape(-1, 2 + width),
        np.array(examples, np.int64),
        np.array(characters, np.int64),
        hashlib.sha256(f"{digest.hexdigest()} {reading.key} {size}".encode()).hexdigest(),
    )


class Divided(NamedTuple):
    """Numbers of segments.

    Attributes:
        shards: of each, those that it brings together from all over the corpus.
        valid: held out.
        sample: of those trained on, at most as many as a shard has: what is learned before training is learned of it.
    """

    shards: tuple[Rows, ...]
    valid: Rows
    sample: Rows


def divided(corpus: Corpus[Any], seed: int, held_out: float) -> Divided:
    """Draw what is trained on, shard by shard, and about so many characters to validate on; the same for the same seed.

    Raises:
        DataError: there is too little.
    """
    draw = np.random.default_rng([seed, 0x5EED])
    mixed = draw.permutation(np.flatnonzero(corpus.examples > 0))
    ends = np.cumsum(corpus.characters[mixed])
    out = int(np.searchsorted(ends, held_out)) + 1 if held_out else 0
    if out >= len(mixed):
        raise DataError(f"{', '.join(corpus.names)}: too few examples to hold some of them out; give --valid")
    trained = mixed[out:]
    count = max(1, round(float(corpus.characters[trained].sum()) / (SEGMENTS * corpus.size)))
    sample = np.sort(trained)[np.linspace(0, len(trained) - 1, min(SEGMENTS, len(trained))).round().astype(np.int64)]
    return Divided(tuple(np.array_split(trained, count)), np.sort(mixed[:out]), sample)


@contextmanager
def _told_once() -> Iterator[None]:
    """What is told of one part after the other is told once, of the first."""
    counts: dict[str, int] = {}
    first: dict[str, warnings.WarningMessage] = {}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    for one in told:
        kind = re.sub(r"[\d,]+", "", str(one.message))
        counts[kind] = counts.get(kind, 0) + 1
        first.setdefault(kind, one)
    for kind, one in first.items():
        more = f" (and likewise in {counts[kind] - 1:,} other parts of the data)" if counts[kind] > 1 else ""
        warnings.warn(f"{one.message}{more}", stacklevel=3)
