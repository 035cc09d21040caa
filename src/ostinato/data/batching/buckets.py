"""Batches of examples of unequal length: those of about the same length together, padded on the right."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError, DataError

#: Batches whose examples are sorted by length together: more would pad less, fewer would mix better.
POOL = 50

Rows = npt.NDArray[np.int64]


class Buckets:
    """Examples in batches, mixed anew in each epoch; any batch follows from its number, the epoch's and the seed alone.

    An epoch is a random order of the examples, cut into batches as equal in size as may be. `POOL` batches at a time
    are sorted by length, so that a batch holds examples of about one length, and the order of the batches is random
    again. Several processes share out each batch, every world-th example of the sorted batch to one, so that lengths
    are alike.

    Args:
        lengths: `[examples]` what to sort by: steps of each example.
        batch_size: N, examples in a batch at most, over all processes.
        collate: makes a batch of the examples with these numbers, longest first.
        counts: `[examples]` what the loss is a mean over: 1 for each example by default; the steps where every step has
            its own target.
        seed: of the order; several numbers stand for one.
        rank: which process this is.
        world: how many there are.
        batches: in an epoch, where that is not as many as it takes for `batch_size`.

    Raises:
        ConfigError: a size below 1, or a batch that has fewer examples than there are processes.
        DataError: there are no examples, or fewer than processes.
    """

    #: No state is carried from one batch to the next.
    carried = False

    def __init__(
        self,
        lengths: Sequence[int] | npt.NDArray[np.integer],
        batch_size: int,
        collate: Callable[[Rows], Batch],
        counts: Sequence[int] | npt.NDArray[np.integer] | None = None,
        seed: int | tuple[int, ...] = 1,
        rank: int = 0,
        world: int = 1,
        batches: int | None = None,
    ) -> None:
        if batch_size < world or world < 1 or not 0 <= rank < world:
            raise ConfigError(f"expected a batch of at least one example a process, got {batch_size} for {world}")
        if len(lengths) < world:
            raise DataError(f"expected at least {world} examples, one a process, got {len(lengths)}")
        self._lengths = np.asarray(lengths, np.int64)
        self._counts = np.ones_like(self._lengths) if counts is None else np.asarray(counts, np.int64)
        self._collate, self._seed, self._rank, self._world = collate, seed, rank, world
        # at least one example a process in every batch: as many batches as that allows, no more than needed
        self._batches = batches or max(1, min(-(-len(lengths) // batch_size), len(lengths) // world))
        self._epoch: tuple[int, list[Rows]] = (-1, [])

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._batches

    @property
    def tokens(self) -> int:
        """What an epoch's loss is a mean over: the sum of `counts`, over all processes."""
        return int(self._counts.sum())

    def piece(self, index: int, epoch: int = 0) -> Batch:
        """Batch number `index` of an epoch; of several processes, this one's part of it.

        Raises:
            IndexError: there is no such batch.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        rows = self.rows(index, epoch)
        batch = self._collate(rows[self._rank :: self._world])
        return batch.of_several(int(self._counts[rows].sum()), self._world)

    def part(self, rank: int, world: int) -> Self:
        """The same batches as another process sees them: number `rank` of `world`.

        Raises:
            DataError: fewer examples in a batch than processes.
        """
        if len(self._lengths) // self._batches < world:
            few = len(self._lengths) // self._batches
            raise DataError(f"expected at least {world} examples in each batch, one a part of it, got {few}")
        found = copy.copy(self)
        found._rank, found._world = rank, world
        return found

    def rows(self, index: int, epoch: int = 0) -> Rows:
        """Numbers of the examples of a batch, over all processes, longest first."""
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._arrange(epoch))
        return self._epoch[1][index]

    def _arrange(self, epoch: int) -> list[Rows]:
        seeds = (self._seed,) if isinstance(self._seed, int) else self._seed
        draw = np.random.default_rng([*seeds, epoch])
        batches = np.array_split(draw.permutation(len(self._lengths)), self._batches)
        arranged: list[Rows] = []
        for start in range(0, len(batches), POOL):
            pool = batches[start : start + POOL]
            mixed = np.concatenate(pool)
            by_length = mixed[np.argsort(-self._lengths[mixed], kind="stable")]
            arranged += np.split(by_length, np.cumsum([len(batch) for batch in pool])[:-1])
        return [arranged[place] for place in draw.permutation(len(arranged))]


def in_length_order(lengths: Sequence[int] | npt.NDArray[np.integer], batch_size: int) -> Iterator[Rows]:
    """Numbers of all examples, a batch at a time, longest first: for evaluation, where nothing is mixed.

    for rows in in_length_order(lengths, 64):
        results[rows] = model(collate(rows).inputs, ...)
    """
    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def pad_ids(rows: Sequence[Sequence[int] | npt.NDArray[np.integer]], padding: int = 0) -> tuple[Tensor, Tensor]:
    """N sequences of token ids, side by side, with `padding` behind a sequence's end.

    Returns:
        int64 ids `[T, N]`, T being the longest length but at least 1, and their lengths `[N]`.
    """
    lengths = [len(row) for row in rows]
    padded = np.full((len(rows), max([1, *lengths])), padding, np.int64)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return torch.as_tensor(np.ascontiguousarray(padded.T)), torch.tensor(lengths)


def pad_features(rows: Sequence[npt.NDArray[np.floating]]) -> tuple[Tensor, Tensor]:
    """N sequences of feature vectors `[T, D]`, side by side, zeros behind a sequence's end.

    Returns:
        float32 features `[T, N, D]`, T being the longest length but at least 1, and their lengths `[N]`.
    """
    lengths = [len(row) for row in rows]
    padded = np.zeros((max([1, *lengths]), len(rows), rows[0].shape[1]), np.float32)
    for place, row in enumerate(rows):
        padded[: len(row), place] = row
    return torch.as_tensor(padded), torch.tensor(lengths)
