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
        self._parts: _Parts | None = None

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
        by_rows = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse}
        self._parts = _Parts(parameters, rooms, self._rank, [id(p) in by_rows for p in parameters])
        with torch.no_grad():
            for tensor in (*parameters, *model.buffers()):
                distributed.broadcast(tensor.data, 0)
        return True

    @property
    def parts(self) -> "_Parts":
        """Of the model that is shared."""
        assert self._parts is not None
        return self._parts

    @property
    def shares(self) -> bool:
        """Whether there is room for gradients."""
        return self._parts is not None

    def divide(self, optimizer: torch.optim.Optimizer) -> None:
        """Have an optimiser that has not begun update this process's part of the weights alone. What it does to a
        number must not depend on others."""
        own = {id(p): part for p, part in zip(self.parts.parameters, self.parts.own, strict=True)}
        for group in optimizer.param_groups:
            group["params"] = [own[id(p)] for p in group["params"]]

    def average(self) -> float:
        """Set the gradients of what an optimiser was given by `divide` to the mean over all processes; the norm of the
        whole mean.

        Who has none counts as zeros where another has one. Of a sparse one, rows are exchanged and nothing else.
        """
        self.parts.lay_out()
        self.meet()
        sparse, dense = self.parts.add_up()
        squares = [own for (own,) in self.each(dense)]
        self.parts.take_gradients()
        return math.sqrt(sparse + sum(squares))

    def spread(self) -> None:
        """After the update: every weight in every process, the same bits."""
        self.parts.lay_out_weights()
        self.meet()
        self.parts.take_weights()

    def whole(self, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the optimisers of all have gathered, as if one had updated all weights; all call this at once.

        Args:
            optimizer: of this process.
            tensors: what it has gathered, by `place.name`.
        """
        found = {}
        for key in sorted(tensors):
            found[key], index = tensors[key], self._divided(optimizer, key)
            if index is not None:
                self.meet()  # whoever is behind still reads the one before
                self.parts.own_part(index).copy_(tensors[key])
                self.meet()
                found[key] = self.parts.together(index)
        self.meet()
        return found

    def own(self, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The part of what `whole` gave that is this process's."""
        found = {}
        for key, tensor in tensors.items():
            found[key], index = tensor, self._divided(optimizer, key)
            if index is not None and tensor.shape == self.parts.parameters[index].shape:
                found[key] = tensor.reshape(-1)[self.parts.parts[index][self._rank]].clone()
        return found

    def _divided(self, optimizer: torch.optim.Optimizer, key: str) -> int | None:
        """Which parameter something is of that an optimiser has gathered; None where it is not in parts."""
        place, name = key.split(".", 1)
        known = {id(part): index for index, part in enumerate(self.parts.own)}
        own = [p for group in optimizer.param_groups for p in group["params"]]
        index = known[id(own[int(place)])]
        return index if name != "step" and self.parts.divided(index) else None

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


class _Parts:
    """Where gradients and weights lie: of each process the same places, of which it adds up and updates an even part of
    every parameter's. Of a parameter whose gradient is sparse every process updates all rows that any has.

    Args:
        parameters: of this process's model.
        rooms: memory, by rank.
        rank: which is this one's.
        by_rows: of which parameters gradients are sparse.
    """

    def __init__(
        self, parameters: Sequence[Tensor], rooms: Sequence[mmap.mmap], rank: int, by_rows: Sequence[bool]
    ) -> None:
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
        #: What this process updates.
        self.own = [
            p if sparse else nn.Parameter(p.detach().view(-1)[parts[rank]])
            for p, sparse, parts in zip(parameters, by_rows, self.parts, strict=True)
        ]
        self.said: list[list[int]] = []

    def divided(self, index: int) -> bool:
        """Whether this process updates a part of a parameter."""
        return self.own[index] is not self.parameters[index]

    def own_part(self, index: int) -> Tensor:
        """Where others read this process's part."""
        return self.flat[self.rank][index][self.parts[index][self.rank]]

    def together(self, index: int) -> Tensor:
        """A copy of all parts, as they lie there."""
        parts = [flat[index][part] for flat, part in zip(self.flat, self.parts[index], strict=True)]
        return torch.cat(parts).view(self.parameters[index].shape)

    @torch.no_grad()
    def lay_out(self) -> None:
        """Write what others add up of this process's gradients, by its share of the mean."""
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
            dense += _squared(own)
            if self.divided(index):
                self.own[index].grad, parameter.grad = own, None
            else:
                self.own_part(index).copy_(own)
        return sparse, dense

    @torch.no_grad()
    def take_gradients(self) -> None:
        """Of parameters that are updated whole: the rest of a gradient that was dense after all."""
        for index in self._dense():
            gradient = self.parameters[index].grad
            if gradient is not None:
                self._take(index, gradient)

    @torch.no_grad()
    def lay_out_weights(self) -> None:
        """Write this process's part of the weights that have been updated."""
        for index in self._dense():
            if self.divided(index):
                self.own_part(index).copy_(self.own[index])

    @torch.no_grad()
    def take_weights(self) -> None:
        """Set the others' parts to theirs."""
        for index in self._dense():
            if self.divided(index):
                self._take(index, self.parameters[index])

    def _dense(self) -> list[int]:
        """The parameters of which any process had a dense gradient."""
        return [index for index in range(len(self.parameters)) if any(said[index] == _DENSE for said in self.said)]

    def _take(self, index: int, into: Tensor) -> None:
        for rank, part in enumerate(self.parts[index]):
            if rank != self.rank:
                into.view(-1)[part] = self.flat[rank][index][part]

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
