"""Texts that are trained on in shards while they are tokenised."""

from collections.abc import Callable
from typing import TypeAlias

from ostinato.core import cluster
from ostinato.data.batching.sharded_streams import ShardedStreams
from ostinato.data.batching.streams import Streams
from ostinato.data.text.corpus import Progress, token_ids
from ostinato.data.text.reading import Sample, Text
from ostinato.data.text.shards import Shards
from ostinato.data.text.tokenizer import TokenIds, Tokenizer
from ostinato.tasks.lm.options import TRAINED_SHARE, TrainLm
from ostinato.tasks.sharded import HELD_OUT, LARGE, SHARD

#: Token ids: of a whole text, or in shards.
Ids: TypeAlias = TokenIds | Shards


def shard_size(options: TrainLm, text: Text) -> int | None:
    """Characters of a shard; None where the text is read as a whole."""
    if options.shards.shard_size is None and text.characters <= LARGE:
        return None
    return round(min(1e6 * (options.shards.shard_size or SHARD), text.characters))


def trained_share(text: Text, size: int | None) -> float:
    """Share of a text that is trained on, where no other is given to validate on."""
    return TRAINED_SHARE if size is None else max(TRAINED_SHARE, 1 - HELD_OUT / text.characters)


def ids_of(
    text: Text, tokenizer: Tokenizer, size: int | None, progress: Progress | None = None
) -> tuple[Ids, TokenIds]:
    """A text's ids; of one in shards of `size` those of a sample besides, else the same ones again. Where processes of
    other machines train too, all shards are made, to be sent to them."""
    if size is None:
        ids = token_ids(text, tokenizer, progress=progress)
        return ids, ids
    sample = Sample.of(text)
    seen = token_ids(sample, tokenizer)
    parts = text.shards(size, at="character" if tokenizer.level == "char" else "line")
    shards = Shards(parts, tokenizer, len(seen) / sample.characters)
    place = cluster.place()
    return shards if place.beside == place.size else shards.complete(progress), seen


def first_of(ids: Ids) -> TokenIds:
    """All ids of a whole text; those of the first shard."""
    return ids.first() if isinstance(ids, Shards) else ids


def streams(
    ids: Ids, batch: int, steps: int, eos_id: int = 0, rank: int = 0, world: int = 1, random: int | None = None
) -> Streams | ShardedStreams:
    """Batches of a text.

    Raises:
        ConfigError, DataError: as of `Streams`.
    """
    kind: Callable[..., Streams | ShardedStreams] = ShardedStreams if isinstance(ids, Shards) else Streams
    return kind(ids, batch, steps, eos_id, rank, world, random)
