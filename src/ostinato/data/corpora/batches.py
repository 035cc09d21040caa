"""Batches of examples in shards."""

import copy
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Self

import numpy as np

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.batching.buckets import Buckets, Rows
from ostinato.data.corpora.shards import Examples, ExampleShards
from ostinato.data.sources.ahead import AHEAD


class ShardedBuckets:
    """Shards in a random order, each as `Buckets`: mixed anew in each epoch.

    How many batches a shard has is fixed before it is made, by the examples that are expected of it. Batches are as
    much larger or smaller as it has more or fewer of them; so every example comes once, any batch follows from its
    number, the epoch's and the seed alone, and an epoch's length is known from the start.

    Args:
        shards: of encoded examples.
        batch_size, seed, rank, world: as of `Buckets`.

    Raises:
        ConfigError: as of `Buckets`.
        DataError: a shard is expected to have fewer examples than there are processes.
    """

    #: No state is carried from one batch to the next.
    carried = False

    def __init__(self, shards: ExampleShards, batch_size: int, seed: int = 1, rank: int = 0, world: int = 1) -> None:
        if batch_size < world or world < 1 or not 0 <= rank < world:
            raise ConfigError(f"expected a batch of at least one example a process, got {batch_size} for {world}")
        if (least := min(shards.expected)) < world:
            raise DataError(
                f"a shard has about {least} examples, but {world} processes need one each; give a larger --shard-size"
            )
        self._shards, self._size, self._seed, self._rank, self._world = shards, batch_size, seed, rank, world
        self._batches = [max(1, min(-(-some // batch_size), some // world)) for some in shards.expected]
        self._order: tuple[int, list[int], list[int]] = (-1, [], [])
        self._current: tuple[int, Examples, Buckets] | None = None

    def __len__(self) -> int:
        """Batches in an epoch."""
        return sum(self._batches)

    def piece(self, index: int, epoch: int = 0) -> Batch:
        """Batch number `index` of an epoch; of several processes, this one's part of it. It may wait until its shard is
        made.

        Raises:
            IndexError: there is no such batch.
            DataError: the data cannot be read or has changed.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        if self._order[0] != epoch:
            order = self._arrange(epoch)
            self._order = (epoch, order, list(accumulate(self._batches[number] for number in order)))
        _, order, ends = self._order
        place = bisect_right(ends, index)
        next_ones = [*order[place + 1 :], *(self._arrange(epoch + 1) if place + AHEAD >= len(order) else [])]
        buckets = self._buckets(order[place], [one for one in next_ones if one != order[place]][:AHEAD])
        return buckets.piece(index - (ends[place] - self._batches[order[place]]), epoch)

    def part(self, rank: int, world: int) -> Self:
        """The same batches as another process sees them: number `rank` of `world`.

        Raises:
            DataError: fewer examples in a batch than processes.
        """
        few = min(some // batches for some, batches in zip(self._shards.expected, self._batches, strict=True))
        if few < world:
            raise DataError(f"expected at least {world} examples in each batch, one a part of it, got {few}")
        found = copy.copy(self)
        found._rank, found._world, found._current = rank, world, None
        return found

    def _arrange(self, epoch: int) -> list[int]:
        order: list[int] = np.random.default_rng([self._seed, epoch, 0]).permutation(self._shards.count).tolist()
        return order

    def _buckets(self, number: int, following: Sequence[int]) -> Buckets:
        examples = self._shards.open(number, following)  # at every batch: it sees to those that come next
        if self._current is None or self._current[0] != number or self._current[1] is not examples:
            self._current = (number, examples, self._arranged(number, examples))
        return self._current[2]

    def _arranged(self, number: int, examples: Examples) -> Buckets:
        lengths, counts, batches = np.asarray(examples.lengths), np.asarray(examples.counts), self._batches[number]
        if not len(lengths):
            raise DataError("a shard has no example that can be trained on; give a larger --shard-size")
        # one that has far fewer than expected: some of them several times over
        rows = np.resize(np.arange(len(lengths)), max(len(lengths), batches * self._world))

        def collate(wanted: Rows) -> Batch:
            return examples.batch(rows[wanted])

        seeds, place = (self._seed, number), (self._rank, self._world)
        return Buckets(lengths[rows], self._size, collate, counts[rows], seeds, *place, batches=batches)
