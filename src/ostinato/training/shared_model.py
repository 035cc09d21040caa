"""A model whose gradients are averaged, and whose weights are updated, a part by each process of one machine.

Of each process the same numbers lie at the same place of its memory, where all others read them.
"""

import mmap
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

_PAGE = mmap.PAGESIZE
_CHAIN = 1024  #: numbers whose squares are added up one after the other
_ALIGNED = 16  #: floats; whoever adds up a part has cache lines of its own

#: What a process has of a parameter's gradient, beside a number of rows.
_NONE, _DENSE = -1, -2


class SharedModel:
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
        #: What this process updates: of each parameter a part, as a view, or the parameter itself.
        self.own = [
            p if sparse else nn.Parameter(p.detach().view(-1)[parts[rank]])
            for p, sparse, parts in zip(parameters, by_rows, self.parts, strict=True)
        ]
        self.said: list[list[int]] = []

    @staticmethod
    def room(parameters: Sequence[Tensor]) -> int:
        """Bytes that all of it takes in each process: of each parameter how many rows there are, their numbers, and
        what is in them."""
        rows = sum(len(p) if p.dim() > 1 else 0 for p in parameters)
        return 8 * (len(parameters) + rows) + 4 * _room([p.numel() for p in parameters]) + _PAGE

    def places(self, optimizer: torch.optim.Optimizer) -> list[int]:
        """Of each thing that an optimiser of `own` updates, which parameter it is of."""
        known = {id(part): index for index, part in enumerate(self.own)}
        return [known[id(part)] for group in optimizer.param_groups for part in group["params"]]

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
            elif gradient.is_sparse and not self.divided(index):
                gradient = gradient.coalesce()
                (numbers,), values = gradient.indices(), gradient.values()
                said.append(len(numbers))
                self.ids[self.rank][index][: len(numbers)] = numbers
                torch.mul(values, self.share, out=flat[: values.numel()].view(values.shape))
            else:
                said.append(_DENSE)
                gradient = gradient.to_dense() if gradient.is_sparse else gradient.contiguous()
                parameter.grad = gradient
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
                if self.divided(index):
                    self.own[index].grad = None
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
