"""Processes of one machine average gradients in memory that they share.

gloo sends between processes of one machine as it does between machines, by the network: of two processes each byte is
copied into the system and out of it, twice, and the smallest message takes as long as waking up whoever waits for it.
Here each process lays what others add up where they read it, adds up its part of all, and takes the other parts from
them. Who waits does not sleep.

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
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, distributed, nn

from ostinato.native import library as native_library

_PAGE = mmap.PAGESIZE
_MOST = 16  #: numbers that are exchanged at once
_LEFT, _COUNT, _NUMBERS = 16, 64, 128  #: where in the first page they lie, in bytes, behind a mark of 16
_KEPT = 0.01  #: seconds of waiting in which nobody else is given the processor
_AWAKE = 0.05  #: seconds to wait before it is asked whether the others are there
_NAP = 0.0005  #: seconds between two looks from then on
_CHAIN = 1024  #: numbers whose squares are added up one after the other
_ALIGNED = 16  #: floats; whoever adds up a part has cache lines of its own

#: What a process has of a parameter's gradient, beside a number of rows.
_NONE, _DENSE = -1, -2


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
        self._gradients: _Gradients | None = None

    @classmethod
    def join(cls, rank: int, size: int, lost: Callable[[], bool] | None = None) -> Self | None:
        """What all of them share from now on, which all call at once; None where any of them cannot."""
        library = native_library.load()
        can = not isinstance(library, str) and library.has_meeting and hasattr(os, "pidfd_open")
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
        sizes = [p.numel() for p in parameters]
        # of each: how many rows there are, their numbers, and what is in them
        size = 8 * (len(sizes) + sum(len(p) if p.dim() > 1 else 0 for p in parameters)) + 4 * _room(sizes)
        rooms = _mapped(self._rank, self._size, size + _PAGE if alike else None)
        if rooms is None:
            return False
        self._gradients = _Gradients(parameters, rooms, self._rank)
        with torch.no_grad():
            for tensor in (*parameters, *model.buffers()):
                distributed.broadcast(tensor.data, 0)
        return True

    @property
    def shares(self) -> bool:
        """Whether there is room for gradients."""
        return self._gradients is not None

    def average(self) -> float:
        """Set every parameter's gradient to the mean over all processes: the same bits in each. The norm of all.

        Who has none counts as zeros where another has one. Of a sparse one, rows are exchanged and nothing else.
        """
        gradients = self._gradients
        assert gradients is not None
        gradients.lay_out()
        self.meet()
        sparse, dense = gradients.add_up()
        squares = [own for (own,) in self.each(dense)]
        gradients.take()
        return math.sqrt(sparse + sum(squares))

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


class _Gradients:
    """Where gradients lie: of each process the same places, of which it adds up an even part of every parameter's.

    Args:
        parameters: of this process's model.
        rooms: memory, by rank.
        rank: which is this one's.
    """

    def __init__(self, parameters: Sequence[Tensor], rooms: Sequence[mmap.mmap], rank: int) -> None:
        self.parameters, self.rank, self.share = parameters, rank, 1 / len(rooms)
        rows = [len(p) if p.dim() > 1 else 0 for p in parameters]
        whole = [torch.frombuffer(room, dtype=torch.uint8) for room in rooms]
        words = 8 * (len(parameters) + sum(rows))
        numbers = [torch.split(one[:words].view(torch.int64), [len(parameters), *rows]) for one in whole]
        self.counts, self.ids = [one[0] for one in numbers], [one[1:] for one in numbers]
        self.flat: list[list[Tensor]] = []  # by rank and parameter
        for one in whole:
            at, own = words + -words % _PAGE, []
            for parameter in parameters:
                own.append(one[at : at + 4 * parameter.numel()].view(torch.float32))
                at += 4 * _room([parameter.numel()])
            self.flat.append(own)
        self.parts = [_parts(p.numel(), len(rooms)) for p in parameters]
        self.said: list[list[int]] = []

    @torch.no_grad()
    def lay_out(self) -> None:
        """Write what others add up of this process's, by its share of the mean."""
        said = []
        for index, parameter in enumerate(self.parameters):
            gradient, flat = parameter.grad, self.flat[self.rank][index]
            if gradient is None:
                said.append(_NONE)
            elif gradient.is_sparse:
                gradient = gradient.coalesce()
                (numbers,), values = gradient.indices(), gradient.values()
                said.append(len(numbers))
                self.ids[self.rank][index][: len(numbers)] = numbers
                torch.mul(values, self.share, out=flat[: values.numel()].view(values.shape))
            else:
                said.append(_DENSE)
                parameter.grad = gradient = gradient.contiguous()
                for part in self._others(index):
                    torch.mul(gradient.view(-1)[part], self.share, out=flat[part])
        self.counts[self.rank].copy_(torch.tensor(said))

    @torch.no_grad()
    def add_up(self) -> tuple[float, float]:
        """Add up all that is sparse, and this process's part of what is dense. Of either, the sum of squares."""
        self.said = [counts.tolist() for counts in self.counts]
        sparse = dense = 0.0
        for index, parameter in enumerate(self.parameters):
            rows = [said[index] for said in self.said]
            if max(rows) >= 0:
                parameter.grad = self._rows(index, rows)
                sparse += _squared(parameter.grad.values())
            if _DENSE not in rows:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            part = self.parts[index][self.rank]
            own, share = parameter.grad.view(-1)[part], self.share
            for rank, other in enumerate(self.flat):
                if rank != self.rank and rows[rank] == _DENSE:
                    torch.add(other[index][part], own, alpha=share, out=own)
                    share = 1.0
            if share != 1:
                own.mul_(share)
            self.flat[self.rank][index][part] = own
            dense += _squared(own)
        return sparse, dense

    @torch.no_grad()
    def take(self) -> None:
        """Set the rest of the gradients to what the others have added up."""
        for index, parameter in enumerate(self.parameters):
            if any(said[index] == _DENSE for said in self.said):
                assert parameter.grad is not None
                for rank, part in enumerate(self.parts[index]):
                    if rank != self.rank:
                        parameter.grad.view(-1)[part] = self.flat[rank][index][part]

    def _rows(self, index: int, rows: Sequence[int]) -> Tensor:
        shape, ids, values = self.parameters[index].shape, [], []
        for numbers, flat, count in zip(self.ids, self.flat, rows, strict=True):
            count = max(count, 0)
            ids.append(numbers[index][:count])
            values.append(flat[index].view(shape)[:count])
        return torch.sparse_coo_tensor(
            torch.cat(ids).unsqueeze(0), torch.cat(values), shape, check_invariants=False
        ).coalesce()

    def _others(self, index: int) -> list[slice]:
        """What lies before and behind the own part."""
        own, last = self.parts[index][self.rank], self.parts[index][-1]
        return [slice(0, own.start), slice(own.stop, last.stop)]


def _squared(numbers: Tensor) -> float:
    """The sum of their squares; first of a thousand each, as one chain of additions in float32 would lose digits."""
    numbers = numbers.reshape(-1)
    apart = len(numbers) % _CHAIN
    rows = torch.linalg.vector_norm(numbers[apart:].view(-1, _CHAIN), dim=1)
    found = torch.cat([rows, torch.linalg.vector_norm(numbers[:apart]).unsqueeze(0)])
    return float(found.double().square().sum())


def _parts(size: int, processes: int) -> list[slice]:
    """Of so many numbers an even part for each process; but for the last, whole cache lines."""
    bounds = [size * rank // processes // _ALIGNED * _ALIGNED for rank in range(processes)] + [size]
    return [slice(begin, end) for begin, end in pairwise(bounds)]


def _room(sizes: Sequence[int]) -> int:
    """Floats that arrays of such sizes take, each in cache lines of its own."""
    return sum(size + -size % _ALIGNED for size in sizes)


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
