"""The processes that train together, and what they agree on or share. Of one process none of it costs anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, cast

import torch
from torch import Tensor, nn

from ostinato.checkpoint.resume_point import load_optimizer, optimizer_tensors
from ostinato.core.accelerator import resolve
from ostinato.core.errors import OstinatoError
from ostinato.training.shared_memory import SharedMemory

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.distributed import GradBucket  # type: ignore[attr-defined]

T = TypeVar("T")


class Processes(NamedTuple):
    """Those that train together.

    Attributes:
        rank: which of them this one is, from 0.
        size: how many there are.
        fabric: what holds them together; None where there is one.
        beside: how many of them are on this machine.
        memory: what they share where all of them are on it; None where they cannot.
    """

    rank: int = 0
    size: int = 1
    fabric: Fabric | None = None
    beside: int = 1
    memory: SharedMemory | None = None

    @classmethod
    @contextmanager
    def of(cls, fabric: Fabric, lost: Callable[[], bool] | None = None) -> Iterator[Self]:
        """Those that Fabric has brought together, until the end of the context.

        Args:
            fabric: which holds them together.
            lost: says that one of them is lost, where somebody watches.
        """
        beside: int = fabric.strategy.num_processes  # type: ignore[attr-defined]
        rank, size = fabric.global_rank, fabric.world_size
        near = beside == size and fabric.device.type == "cpu"
        memory = SharedMemory.join(rank, size, lost) if near else None
        try:
            yield cls(rank, size, fabric, beside, memory)
        finally:
            if memory is not None:
                memory.leave()

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def device(self, kind: str) -> torch.device:
        """What this one computes on, of that kind."""
        return resolve(kind) if self.fabric is None else self.fabric.device

    def share(self, model: nn.Module, waiting: Waiting) -> nn.Module:
        """The model, whose gradients are the mean over all processes: `average` takes it in memory that they share, or
        else they travel in buckets while backward still runs.

        Args:
            model: the same in all of them afterwards, as the first one's.
            waiting: told when backward has nothing left to do but to wait.
        """
        if self.fabric is None:
            return model
        if self.memory is not None and self.memory.share(model):
            return model
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                module.sparse = False  # buckets are dense, and DDP would expect it of tied weights too
        # the strategy's own wrapper: Fabric's around it leaves a hook on an output layer's parameters at every call
        shared = self.fabric.strategy.setup_module(model)
        if self.fabric.device.type == "cpu":  # elsewhere nobody waits for what was only asked for
            cast("Any", shared).register_comm_hook(waiting, lambda to, bucket: _sent(to, bucket))
        return shared

    def by_itself(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Within it, gradients add up in each process, and none travel."""
        return cast("Any", model).no_sync() if hasattr(model, "no_sync") else nullcontext()

    @property
    def divides(self) -> bool:
        """Whether each process updates its part of the weights, and takes the others' from them."""
        return self.memory is not None and self.memory.shares

    def divide(self, optimizer: torch.optim.Optimizer) -> None:
        """Once the model is shared: have an optimiser that has not begun update what is for this process to update."""
        if self.divides:
            self._memory.divide(optimizer)

    def average(self, waiting: Waiting) -> float | None:
        """After the last backward: what has not travelled yet is averaged now, and that is waiting. The norm of all
        gradients, where it has been found on the way."""
        return waiting.within(self._memory.average) if self.divides else None

    def spread(self, waiting: Waiting) -> None:
        """After the update: all weights in all processes."""
        if self.divides:
            waiting.within(self._memory.spread)

    def gathered(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """What the optimisers of all have gathered, as of one; all call this at once."""
        own = optimizer_tensors(optimizer)
        return self._memory.whole(optimizer, own) if self.divides else own

    def take_back(self, optimizer: torch.optim.Optimizer, gathered: dict[str, Tensor]) -> None:
        """Set an optimiser to what `gathered` gave, in this training or another."""
        load_optimizer(optimizer, self._memory.own(optimizer, gathered) if self.divides else gathered)

    @property
    def _memory(self) -> SharedMemory:
        assert self.memory is not None
        return self.memory

    def agree(self, *values: float, wishes: tuple[bool, ...] = ()) -> tuple[float, ...]:
        """The first one's values, in every process: what depends on time must not differ between them. Behind them, of
        each wish, whether any process has it."""
        if self.fabric is None:
            return (*values, *wishes)
        if self.memory is not None:
            said = self.memory.each(*values, *wishes)
            return (*said[0][: len(values)], *(any(each) for each in list(zip(*said, strict=True))[len(values) :]))
        own = values if self.first else (0.0,) * len(values)
        shared = torch.tensor([*own, *wishes], dtype=torch.float64, device="cpu")
        torch.distributed.all_reduce(shared)  # at every step: Fabric's, which pickles, takes several times as long
        return tuple(shared.tolist())

    def from_first(self, make: Callable[[], T]) -> T:
        """What the first process makes, in every process.

        Raises:
            OstinatoError: what it raises, everywhere.
        """
        if self.fabric is None:
            return make()
        made: T | OstinatoError | None = None
        if self.first:
            try:
                made = make()
            except OstinatoError as error:
                made = error
        made = self.fabric.broadcast(made)
        if isinstance(made, OstinatoError):
            raise made
        return made  # type: ignore[return-value]

    def total(self, *values: float) -> tuple[float, ...]:
        """Sums of numbers that each process has its own of."""
        if self.fabric is None:
            return values
        if self.memory is not None:
            return tuple(map(sum, zip(*self.memory.each(*values), strict=True)))
        total = torch.tensor(values, dtype=torch.float64, device="cpu")
        torch.distributed.all_reduce(total)
        return tuple(total.tolist())

    def from_each(self, tensor: Tensor) -> Tensor:
        """Every process's tensor of that name, `[processes, ...]`."""
        if self.fabric is None:
            return tensor.unsqueeze(0)
        gathered = [torch.empty_like(tensor) for _ in range(self.size)]
        torch.distributed.all_gather(gathered, tensor.contiguous())
        return torch.stack(gathered)

    def wait(self) -> None:
        """Until all of them are here."""
        if self.fabric is not None:
            self.fabric.barrier()


class Waiting:
    """Seconds that a process has waited for others within steps.

    That is what it takes to agree on going on, and the end of backward: from when its last gradients were sent until
    all have come. What travels while backward still computes costs nothing.
    """

    def __init__(self) -> None:
        self.seconds, self.sent = 0.0, 0.0

    def within(self, work: Callable[[], T]) -> T:
        """Do something that is nothing but waiting."""
        began = time.perf_counter()
        found = work()
        self.seconds += time.perf_counter() - began
        return found

    def backward(self, work: Callable[[], None]) -> None:
        """Do a backward, of which the end is waiting."""
        self.sent = 0.0
        work()
        if self.sent:
            self.seconds += time.perf_counter() - self.sent

    def taken(self) -> float:
        """The seconds, which begin anew."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


def _sent(waiting: Waiting, bucket: GradBucket) -> torch.futures.Future[Tensor]:
    """Torch's own way to send a bucket of gradients, with a look at the clock."""
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

    waiting.sent = time.perf_counter()
    whole = torch.distributed.group.WORLD
    assert whole is not None
    return allreduce_hook(whole, bucket)


#: One process that trains by itself, whatever process group it may be in.
ALONE = Processes()
