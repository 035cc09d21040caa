"""Batches for truncated back-propagation through time, of a text in shards."""

import copy
from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate
from typing import Self

import numpy as np

from ostinato.core.batch import Batch
from ostinato.core.errors import DataError
from ostinato.data.batching.streams import Streams, pieces_of
from ostinato.data.text.shards import Shards
from ostinato.data.text.tokenizer import TokenIds


class ShardedStreams:
    """Each shard as `Streams`, one after the other; a shard's first piece goes on from nothing.

    How many pieces a shard has is fixed before it is made, by the tokens that are expected of it. Pieces are as much
    longer or shorter than T as it has more or fewer of them; so every token is the target once, any batch follows from
    its number and the epoch's, and an epoch's length is known from the start.

    Args:
        shards: of token ids.
        batch_size, steps, eos_id, rank, world, random: as of `Streams`.

    Raises:
        ConfigError: as of `Streams`.
        DataError: a shard is expected to have fewer than two tokens for each stream.
    """

    #: A piece's initial state is the final one of the piece before, or none.
    carried = True

    def __init__(
        self,
        shards: Shards,
        batch_size: int,
        steps: int,
        eos_id: int = 0,
        rank: int = 0,
        world: int = 1,
        random: int | None = None,
    ) -> None:
        expected = shards.expected
        if (least := min(expected)) < 2 * batch_size:
            raise DataError(
                f"a shard is shorter than one batch: it has about {least} tokens, but a batch of {batch_size} needs at "
                f"least {2 * batch_size}; give a larger --shard-size or a smaller --batch"
            )
        Streams(np.zeros(2 * batch_size, np.uint16), batch_size, steps, eos_id, rank, world)  # sizes that go together
        self._shards, self._size, self.steps, self._eos_id = shards, batch_size, steps, eos_id
        self._rank, self._world, self._random = rank, world, random
        lengths = [tokens // batch_size for tokens in expected]
        self._pieces = [-(-length // steps) if random is None else pieces_of(length, steps) for length in lengths]
        self._ends = list(accumulate(self._pieces))
        self._current: tuple[int, Streams] | None = None

    def __len__(self) -> int:
        """Pieces in one pass."""
        return self._ends[-1]

    @property
    def tokens(self) -> int:
        """Targets in one pass, over all processes, about."""
        return len(self._shards)

    def piece(self, index: int, epoch: int = 0) -> Batch:
        """Piece number `index` of this process, as of `Streams`; it may wait until its shard is made.

        Raises:
            IndexError: there is no such piece.
            DataError: the text cannot be read or has changed, or there is no room on disk.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"piece {index} of {len(self)}")
        number = bisect_right(self._ends, index)
        begin = self._ends[number] - self._pieces[number]
        return replace(self._streams(number).piece(index - begin, epoch), anew=index == begin)

    def part(self, rank: int, world: int) -> Self:
        """The same pieces as another process sees them: number `rank` of `world`.

        Raises:
            ConfigError: the streams cannot be shared evenly.
        """
        found = copy.copy(self)
        found._rank, found._world, found._current = rank, world, None
        Streams(np.zeros(2 * self._size, np.uint16), self._size, self.steps, self._eos_id, rank, world)
        return found

    def _streams(self, number: int) -> Streams:
        ids = self._shards.ids(number)  # at every piece: it sees to those that come next
        if self._current is None or self._current[0] != number:
            random = None if self._random is None else (self._random, number)
            streams = Streams(
                _enough(ids, 2 * self._size),
                self._size,
                self.steps,
                self._eos_id,
                self._rank,
                self._world,
                random,
                self._pieces[number],
            )
            self._current = (number, streams)
        return self._current[1]


def _enough(ids: TokenIds, least: int) -> TokenIds:
    """A shard that has hardly a token, such as one of a single endless word, several times over."""
    return ids if len(ids) >= least else np.resize(ids, least)
