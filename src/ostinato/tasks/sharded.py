"""Corpora that are trained on in shards: what the tasks do alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ostinato.config.reading import ShardOptions
from ostinato.core import cluster
from ostinato.core.errors import ConfigError
from ostinato.data.corpora.batches import ShardedBuckets
from ostinato.data.corpora.corpus import SEGMENTS, Corpus, Divided, divided
from ostinato.data.corpora.shards import Encoding, ExampleShards
from ostinato.data.sources.files import TextFile
from ostinato.data.sources.passages import packed
from ostinato.tasks.contract import Progress
from ostinato.training import Processes

#: Characters of a text, bytes of other files, from which on data is read in shards where --shard-size does not say.
LARGE = 256_000_000

#: What a packed file is taken for: so many times its size.
PACKED = 4

#: Million characters of a shard.
SHARD = 16.0

#: Characters of a large corpus that are held out at most.
HELD_OUT = 8_000_000

Sample = TypeVar("Sample")


@dataclass(frozen=True)
class InShards(Generic[Sample]):
    """Examples to train on that are in shards.

    Attributes:
        shards: of them.
        sample: encoded examples of all over the corpus.
        examples: how many there are, about.
    """

    shards: ExampleShards
    sample: Sample
    examples: int

    def __len__(self) -> int:
        """How many there are, about."""
        return self.examples

    def batches(self, size: int, seed: int, processes: Processes) -> ShardedBuckets:
        """Batches of so many, for one process of several. Raises what `ShardedBuckets` does."""
        return ShardedBuckets(self.shards, size, seed, processes.rank, processes.size)


def shown(part: Any) -> Any:
    """Encoded examples in memory: those of a sample, where all are in shards."""
    return part.sample if isinstance(part, InShards) else part


def count_of(part: Any, what: str) -> str:
    """How many there are to train on, for the line before training."""
    count = f"{len(part):,} {what} to train on"
    return f"about {count} in {part.shards.count:,} shards" if isinstance(part, InShards) else count


def segment_size(
    options: ShardOptions, files: Sequence[Sequence[TextFile]] | None, kinds: str, names: Iterable[str]
) -> int | None:
    """Characters of a segment, of which a shard has `SEGMENTS`; None where all is read as a whole.

    Args:
        options: of the command.
        files: that can be read in parts; None where there are others.
        kinds: what can be.
        names: of the data.

    Raises:
        ConfigError: shards are asked for, and the data cannot be read in parts.
    """
    asked = options.shard_size
    if files is None:
        if asked is not None:
            raise ConfigError(f"--shard-size: only {kinds} are read in shards, not {', '.join(names)}")
        return None
    if asked is None and sum(_size(file) for each in files for file in each) <= LARGE:
        return None
    return max(1, round(1e6 * min(asked or SHARD, 1e6) / SEGMENTS))


def parts_of(corpus: Corpus[Any], seed: int, share: float | None, *, held_out: bool) -> Divided:
    """What is trained on, shard by shard, what is held out, and a sample. Held out is, where `share` does not say, a
    tenth, but no more than `HELD_OUT` characters.

    Raises:
        DataError: there is too little.
    """
    total = float(corpus.characters.sum())
    out = min(0.1 * total, HELD_OUT) if share is None else share * total
    return divided(corpus, seed, out if held_out else 0.0)


def in_shards(
    corpus: Corpus[Any],
    parts: Divided,
    encoding: Encoding,
    sample: Sample,
    rate: float = 1.0,
    progress: Progress | None = None,
) -> InShards[Sample]:
    """Examples to train on. Where processes of other machines train too, all shards are made, to be sent to them.

    Args:
        corpus: the examples.
        parts: which of them.
        encoding: what makes arrays of them.
        sample: encoded examples.
        rate: share of the examples that are left once they are encoded.
        progress: told how many shards are made.
    """
    expected = [max(1, round(rate * int(corpus.examples[members].sum()))) for members in parts.shards]
    shards, place = ExampleShards(corpus, parts.shards, expected, encoding), cluster.place()
    return InShards(shards if place.beside == place.size else shards.complete(progress), sample, sum(expected))


def _size(file: TextFile) -> int:
    return file.stamp[1] * (PACKED if file.stamp[1] * PACKED > LARGE and packed(file) else 1)
