"""Processes of one machine train in memory that they share.

gloo sends between processes of one machine as it does between machines, by the network: of two processes each byte is
copied into the system and out of it, twice, and the smallest message takes as long as waking up whoever waits for it.
Here each process lays what others add up where they read it, adds up its part of all, updates the weights of that part,
and takes the others' weights from them. Who waits does not sleep.

The memory has no name (Linux's memfd): nothing is left behind, however the processes end. A process opens another's by
its number in /proc, so both have to be of one user and see each other; where that fails in any of them, or there is no
native library, all go by gloo.
"""

import ctypes
import math
import mmap
import os
import secrets
import select
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Self

import torch
from torch import Tensor, distributed, nn

from ostinato.native import library as native_library
from ostinato.training.shared_model import SharedModel

_PAGE = mmap.PAGESIZE
_MOST = 16  #: numbers that are exchanged at once
_LEFT, _COUNT, _NUMBERS = 16, 64, 128  #: where in the first page they lie, in bytes, behind a mark of 16
_KEPT = 0.01  #: seconds of waiting in which nobody else is given the processor
_AWAKE = 0.05  #: seconds to wait before it is asked whether the others are there
_NAP = 0.0005  #: seconds between two looks from then on


class SharedMemory:
    """What processes of one machine share.

    Args:
        rank: which of them this is.
        pages: the first page of each one's, which holds its count and its numbers.
        peers: descriptors of the processes, by rank, that say when one has ended.
        lost: whether it is known in another way that one does not come.
    """

    def __init__(
        self, rank: int, pages: Sequence[mmap.mmap], peers: dict[int, int], lost: Callable[[], bool] = lambda: False
    ) -> None:
        library = native_library.load()
        assert not isinstance(library, str)
        self._library, self._rank, self._size = library, rank, len(pages)
        self._peers, self._lost, self._cores = peers, lost, len(os.sched_getaffinity(0))
        self._left = [memoryview(page)[_LEFT : _LEFT + 8].cast("q") for page in pages]
        counts = [ctypes.pointer(ctypes.c_int64.from_buffer(page, _COUNT)) for page in pages]
        self._counts = (ctypes.POINTER(ctypes.c_int64) * self._size)(*counts)
        self._numbers = [memoryview(page)[_NUMBERS : _NUMBERS + 16 * _MOST].cast("d") for page in pages]
        self._met, self._turn = 0, 0
        self._model: SharedModel | None = None

    @classmethod
    def join(cls, rank: int, size: int, lost: Callable[[], bool] | None = None) -> Self | None:
        """What all of them share from now on, which all call at once; None where any of them cannot."""
        library = native_library.load()
        can = not isinstance(library, str) and hasattr(os, "pidfd_open")
        pages = _mapped(rank, size, _PAGE if can else None)
        if pages is None:
            return None
        pids: list[Any] = [None] * size
        distributed.all_gather_object(pids, os.getpid())
        peers: dict[int, int] = {}
        with suppress(OSError):
            peers = {other: os.pidfd_open(pid) for other, pid in enumerate(pids) if other != rank}
        if not _everywhere(len(peers) == size - 1):
            for peer in peers.values():
                os.close(peer)
            return None
        return cls(rank, pages, peers, lost or (lambda: False))

    def leave(self) -> None:
        """Come no more: whoever waits for this process ends with an error."""
        self._left[self._rank][0] = 1
        while self._peers:
            os.close(self._peers.popitem()[1])

    def each(self, *values: float) -> list[Sequence[float]]:
        """Every process's numbers, at most `_MOST`, by rank."""
        self._turn = 1 - self._turn  # who is behind may still read those of last time
        begin, end = self._turn * _MOST, self._turn * _MOST + len(values)
        own = self._numbers[self._rank]
        for place, value in enumerate(values, begin):
            own[place] = value
        self.meet()
        return [numbers[begin:end].tolist() for numbers in self._numbers]

    def share(self, model: nn.Module) -> bool:
        """Make room for a model's gradients, and all models what the first one's is; False where there is no room, or
        numbers are not float32."""
        parameters = list(model.parameters())
        alike = all(p.dtype == torch.float32 and p.is_contiguous() for p in parameters)
        rooms = _mapped(self._rank, self._size, SharedModel.room(parameters) if alike else None)
        if rooms is None:
            return False
        by_rows = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse}
        self._model = SharedModel(parameters, rooms, self._rank, [id(p) in by_rows for p in parameters])
        with torch.no_grad():
            for tensor in (*parameters, *model.buffers()):
                distributed.broadcast(tensor.data, 0)
        return True

    @property
    def model(self) -> SharedModel:
        """What is trained, once it is shared."""
        assert self._model is not None
        return self._model

    @property
    def shares(self) -> bool:
        """Whether there is room for gradients."""
        return self._model is not None

    def divide(self, optimizer: torch.optim.Optimizer) -> None:
        """Have an optimiser that has not begun update this process's part of the weights alone. What it does to a
        number must not depend on others."""
        own = {id(p): part for p, part in zip(self.model.parameters, self.model.own, strict=True)}
        for group in optimizer.param_groups:
            group["params"] = [own[id(p)] for p in group["params"]]

    def average(self) -> float:
        """Set the gradients of what an optimiser was given by `divide` to the mean over all processes; the norm of the
        whole mean.

        Who has none counts as zeros where another has one. Of a sparse one, rows are exchanged and nothing else.
        """
        self.model.lay_out()
        self.meet()
        sparse, dense = self.model.add_up()
        squares = [own for (own,) in self.each(dense)]
        self.model.take_gradients()
        return math.sqrt(sparse + sum(squares))

    def spread(self) -> None:
        """After the update: every weight in every process, the same bits."""
        self.model.lay_out_weights()
        self.meet()
        self.model.take_weights()

    def whole(self, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the optimisers of all have gathered, as if one had updated all weights; all call this at once.

        Args:
            optimizer: of this process.
            tensors: what it has gathered, by `place.name`.
        """
        places, found = self.model.places(optimizer), {}
        for key in sorted(tensors):
            found[key], index = tensors[key], self._divided(key, places)
            if index is not None:
                self.meet()  # whoever is behind still reads the one before
                self.model.own_part(index).copy_(tensors[key])
                self.meet()
                found[key] = self.model.together(index)
        self.meet()
        return found

    def own(self, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The part of what `whole` gave that is this process's."""
        places, found = self.model.places(optimizer), {}
        for key, tensor in tensors.items():
            found[key], index = tensor, self._divided(key, places)
            if index is not None and tensor.shape == self.model.parameters[index].shape:
                found[key] = tensor.reshape(-1)[self.model.parts[index][self._rank]].clone()
        return found

    def _divided(self, key: str, places: Sequence[int]) -> int | None:
        """Which parameter something is of that an optimiser has gathered, `place.name`; None where it is not in parts,
        as the number of its steps."""
        place, name = key.split(".", 1)
        return places[int(place)] if name != "step" and self.model.divided(places[int(place)]) else None

    def meet(self) -> None:
        """Wait until all are here.

        Raises:
            RuntimeError: one of them has ended, or is lost.
        """
        self._met += 1
        seconds, began = _AWAKE, time.monotonic()
        # another program would keep what it is given for milliseconds; but those waited for must have it
        kept = _KEPT if self._size * torch.get_num_threads() <= self._cores else 0.0
        while not self._library.meet(self._counts, self._size, self._rank, self._met, kept, seconds):
            self._require_all()
            if time.monotonic() - began > 10 * _AWAKE:  # something else than a step keeps it
                kept = seconds = 0.0
                time.sleep(_NAP)

    def _require_all(self) -> None:
        for rank, peer in self._peers.items():
            ended = self._left[rank][0] or select.select([peer], [], [], 0)[0]
            if ended and self._counts[rank][0] < self._met:  # else it has been here before
                raise RuntimeError(f"peer {rank} has ended")
        if self._lost():
            raise RuntimeError("a peer does not come")


def _mapped(rank: int, size: int, room: int | None) -> list[mmap.mmap] | None:
    """So many bytes of each process, by rank, which all call at once; None where any of them cannot, or says None."""
    own: int | None = None
    said: list[Any] = [None] * size
    found: list[mmap.mmap] = []
    mark = secrets.token_bytes(16)
    with ExitStack() as opened:
        with suppress(OSError, AttributeError):
            if room is not None:
                own = os.memfd_create("ostinato")
                opened.callback(os.close, own)
                os.posix_fallocate(own, 0, room)  # else what is not there is missed when it is written to
                os.pwrite(own, mark, 0)
        distributed.all_gather_object(said, None if own is None else (os.getpid(), own, mark))
        with suppress(OSError, TypeError):
            for process, descriptor, expected in said:
                other = os.open(f"/proc/{process}/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
                opened.callback(os.close, other)
                if (
                    room is not None and os.pread(other, 16, 0) == expected
                ):  # else that number is of another machine's process
                    found.append(mmap.mmap(other, room))
        return found if _everywhere(len(found) == size) else None


def _everywhere(here: bool) -> bool:
    """Whether it is so in all processes."""
    count = torch.tensor(int(here))
    distributed.all_reduce(count, distributed.ReduceOp.MIN)
    return bool(count)
