"""Windows to train on, mixed anew in each epoch."""

import copy
from typing import Self

import numpy as np

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError
from ostinato.data.series.windows import Windows

#: Batches of an epoch: few windows are taken several times, and of very many, which overlap, a part.
LEAST, MOST = 25, 100


class WindowBatches:
    """Batches of windows in random order; any batch follows from its number, the epoch's and the seed alone.

    An epoch is long enough to be worth a validation, and short enough not to wait for one: `LEAST` to `MOST` batches.
    Where the windows are fewer, they come several times over, in another order each time; where they are more, an
    epoch takes some of them, the next others. Several processes share out each batch, every world-th window to one.
    """

    #: No state is carried from one batch to the next.
    carried = False

    def __init__(self, windows: Windows, batch_size: int, seed: int = 1, rank: int = 0, world: int = 1) -> None:
        self._windows, self._size = windows, batch_size
        self._seed, self._rank, self._world = seed, rank, world
        self._counts = windows.counts
        self._batches = min(max(-(-len(windows) // batch_size), LEAST), MOST)
        self._epoch: tuple[int, np.ndarray] = (-1, np.zeros(0, np.int64))

    def __len__(self) -> int:
        return self._batches

    @property
    def tokens(self) -> int:
        """Targets an epoch's loss is a mean over, about."""
        return round(float(self._counts.mean()) * self._size * self._batches)

    def piece(self, index: int, epoch: int = 0) -> Batch:
        """Batch number `index` of an epoch; of several processes, this one's part of it.

        Raises:
            IndexError: there is no such batch.
        """
        rows = self.rows(index, epoch)
        return self._windows.batch(rows[self._rank :: self._world]).of_several(
            int(self._counts[rows].sum()), self._world
        )

    def part(self, rank: int, world: int) -> Self:
        """The same batches as another process sees them: number `rank` of `world`.

        Raises:
            ConfigError: fewer windows in a batch than processes.
        """
        if self._size < world:
            raise ConfigError(f"expected a batch of at least {world} windows, one a part of it, got {self._size}")
        found = copy.copy(self)
        found._rank, found._world = rank, world
        return found

    def rows(self, index: int, epoch: int = 0) -> np.ndarray:
        """Numbers of the windows of a batch, over all processes."""
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        if self._epoch[0] != epoch:
            draw = np.random.default_rng([self._seed, epoch])
            count, passes = len(self._windows), -(-self._batches * self._size // len(self._windows))
            self._epoch = (epoch, np.concatenate([draw.permutation(count) for _ in range(passes)]))
        return self._epoch[1][index * self._size : (index + 1) * self._size]
