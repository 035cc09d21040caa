"""Batches for truncated back-propagation through time."""

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.text.tokenizer import TokenIds


class Streams:
    """A long row of token ids as N streams side by side, in pieces of T steps.

    Every token is the target once, predicted from the one in front of it, the first from `<eos>`. Stream n holds the
    tokens from n L up to (n + 1) L, with L = len(ids) // N; what is left at the very end is not used. Stream n of a
    piece goes on where stream n of the piece before it stopped, so that a state carried over stays meaningful.

    Args:
        ids: `[tokens]`, in memory or mapped from disk.
        batch_size: N, over all processes.
        steps: T; the last piece may be shorter.
        eos_id: the input for the first target.
        rank: which process this is.
        world: how many there are; each takes its slice of the N streams.
        random: seed of pieces of random length, others in each epoch; None for T throughout.
        pieces: how many pieces there are to be, of about equal length, whatever T would make it; None for T.

    Raises:
        ConfigError: a size below 1, or streams that cannot be shared evenly among the processes.
        DataError: fewer than two tokens for each stream (for a single stream, none).
    """

    #: A piece's initial state is the final one of the piece before.
    carried = True

    def __init__(
        self,
        ids: TokenIds,
        batch_size: int,
        steps: int,
        eos_id: int = 0,
        rank: int = 0,
        world: int = 1,
        random: int | tuple[int, ...] | None = None,
        pieces: int | None = None,
    ) -> None:
        if min(batch_size, steps, world) < 1 or not 0 <= rank < world:
            raise ConfigError(
                f"expected batch size and steps of at least 1 and a rank below the number of processes, got batch size "
                f"{batch_size}, steps {steps}, rank {rank} of {world}"
            )
        needed = 1 if batch_size == 1 else 2 * batch_size
        if len(ids) < needed:
            raise DataError(
                f"the text is shorter than one batch: it has {len(ids)} tokens, but a batch of {batch_size} needs at "
                f"least {needed}; give more text or a smaller --batch"
            )
        self.steps = steps
        self.length = len(ids) // batch_size  #: L, tokens in a stream
        self._streams = ids[: self.length * batch_size].reshape(batch_size, self.length)
        self._eos_id = eos_id
        self._first, self._stop = self._slice(rank, world)
        self._random, self._drawn = random, (-1, np.zeros(0, np.int64))
        self._pieces = pieces

    def __len__(self) -> int:
        """Pieces in one pass."""
        if self._pieces is not None:
            return self._pieces
        return -(-self.length // self.steps) if self._random is None else pieces_of(self.length, self.steps)

    @property
    def tokens(self) -> int:
        """Targets in one pass, over all processes."""
        return self._streams.size

    def piece(self, index: int, epoch: int = 0) -> Batch:
        """Piece number `index` of this process: int64 inputs and targets, both `[T, N]` and contiguous.

        Where lengths are random, those of a piece depend on the epoch. Raises IndexError where there is no such piece.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"piece {index} of {len(self)}")
        begin, end = self._bounds(index, epoch)
        row = np.empty((end - begin + 1, self._stop - self._first), np.int64)
        row[0] = self._before(begin)
        row[1:] = self._streams[self._first : self._stop, begin:end].T
        tokens = torch.as_tensor(row)
        return Batch(tokens[:-1], tokens[1:], lr_factor=1.0 if self._random is None else (end - begin) / self.steps)

    def part(self, rank: int, world: int) -> Self:
        """The same pieces as another process sees them: number `rank` of `world`.

        Raises:
            ConfigError: the streams cannot be shared evenly.
        """
        found = copy.copy(self)
        found._first, found._stop = self._slice(rank, world)
        return found

    def _slice(self, rank: int, world: int) -> tuple[int, int]:
        size = len(self._streams)
        if size % world:
            raise ConfigError(f"batch size {size} cannot be shared by {world} processes: give a multiple of them")
        return rank * size // world, (rank + 1) * size // world

    def pieces(self, start: int = 0) -> Iterator[Batch]:
        """The pieces from number `start` on."""
        return map(self.piece, range(start, len(self)))

    def __iter__(self) -> Iterator[Batch]:
        return self.pieces()

    def _bounds(self, index: int, epoch: int) -> tuple[int, int]:
        if self._random is None and self._pieces is None:
            return index * self.steps, min((index + 1) * self.steps, self.length)
        if self._random is None:
            begin, end = index * self.length // len(self), (index + 1) * self.length // len(self)
        else:
            if self._drawn[0] != epoch:
                seed = [*(self._random if isinstance(self._random, tuple) else (self._random,)), epoch]
                self._drawn = (epoch, random_bounds(self.length, self.steps, seed, self._pieces))
            begin, end = self._drawn[1][index : index + 2].tolist()
        begin = min(begin, self.length - 1)  # of more pieces than tokens, which a shard may have, none is empty
        return begin, max(end, begin + 1)

    def _before(self, begin: int) -> TokenIds:
        """`[N]` the tokens in front of position `begin` of each stream."""
        if begin:
            return self._streams[self._first : self._stop, begin - 1]
        before = np.roll(self._streams[:, -1], 1)
        before[0] = self._eos_id
        return before[self._first : self._stop]


#: Of the length of random pieces: the share that is about half as long, the spread, the shortest.
HALVED, SPREAD, SHORTEST = 0.05, 5.0, 5


def pieces_of(length: int, steps: int) -> int:
    """Pieces of random length that a stream of `length` tokens is cut into, the same number in each epoch."""
    return math.ceil(length / (steps * (1 - HALVED / 2)))


def random_bounds(length: int, steps: int, seed: Sequence[int], pieces: int | None = None) -> npt.NDArray[np.int64]:
    """Where pieces of random length begin and end (Merity et al. 2018, section 5.1).

    A length is drawn from a normal distribution about T, or with probability 0.05 about T/2. So many are drawn as
    make up the stream on average; then all are stretched or shrunk to end where it ends: in a stream of hundreds of
    pieces by a percent or so, in one of a few pieces by as much as their mean is off. T is `steps`, at least 20; the
    result is `[pieces + 1]` ascending places from 0 to the stream's length. `pieces`, where not None, is how many are
    drawn.
    """
    draw = np.random.default_rng(seed)
    count = pieces_of(length, steps) if pieces is None else pieces
    about = np.where(draw.random(count) < HALVED, steps / 2, float(steps))
    drawn = np.clip(draw.normal(about, SPREAD), SHORTEST, steps + SPREAD * 5)
    ends = np.cumsum(drawn)
    return np.rint(np.concatenate([[0.0], ends * (length / ends[-1])])).astype(np.int64)


def single_stream(ids: TokenIds, steps: int, eos_id: int = 0) -> Streams:
    """Every token `[tokens]` of a text in order, as one stream in pieces of T steps: what evaluation reads."""
    return Streams(ids, 1, steps, eos_id)
