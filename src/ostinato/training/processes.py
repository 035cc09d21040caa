"""The processes that train together, and what they agree on or share. Of one process none of it costs anything."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class Processes(NamedTuple):
    """Those that train together.

    Attributes:
        rank: which of them this one is, from 0.
        size: how many there are; of several, torch's process group holds them.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def of_group(cls) -> Self:
        """Those of torch's process group, which has been set up."""
        return cls(torch.distributed.get_rank(), torch.distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def share(self, model: nn.Module) -> nn.Module:
        """The model, whose gradients are the mean over all processes."""
        return model if self.size == 1 else DistributedDataParallel(model)

    def agree(self, *values: float) -> tuple[float, ...]:
        """The first one's values, in every process: what depends on time or signals must not differ between them."""
        if self.size == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64)
        torch.distributed.broadcast(shared, src=0)
        return tuple(shared.tolist())

    def agree_on(self, figures: dict[str, float]) -> dict[str, float]:
        """The first one's figures by name, in every process."""
        if self.size == 1:
            return figures
        shared: list[dict[str, float]] = [figures]
        torch.distributed.broadcast_object_list(shared, src=0)
        return shared[0]

    def total(self, *values: float) -> tuple[float, ...]:
        """Sums of numbers that each process has its own of."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64)
        torch.distributed.all_reduce(total)
        return tuple(total.tolist())

    def from_each(self, tensor: Tensor) -> Tensor:
        """Every process's tensor of that name, `[processes, ...]`."""
        if self.size == 1:
            return tensor.unsqueeze(0)
        gathered = [torch.empty_like(tensor) for _ in range(self.size)]
        torch.distributed.all_gather(gathered, tensor.contiguous())
        return torch.stack(gathered)

    def wait(self) -> None:
        """Until all of them are here."""
        if self.size > 1:
            torch.distributed.barrier()


#: One process that trains by itself, whatever process group it may be in.
ALONE = Processes()
