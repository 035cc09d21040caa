"""The processes that train together, and what they agree on or share. Of one process none of it costs anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Processes(NamedTuple):
    """Those that train together.

    Attributes:
        rank: which of them this one is, from 0.
        size: how many there are.
        fabric: what holds them together; None where there is one.
    """

    rank: int = 0
    size: int = 1
    fabric: Fabric | None = None

    @classmethod
    def of(cls, fabric: Fabric) -> Self:
        """Those that Fabric has brought together."""
        return cls(fabric.global_rank, fabric.world_size, fabric)

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def share(self, model: nn.Module) -> nn.Module:
        """The model, whose gradients are the mean over all processes."""
        # the strategy's own wrapper: Fabric's around it leaves a hook on an output layer's parameters at every call
        return model if self.fabric is None else self.fabric.strategy.setup_module(model)

    def agree(self, *values: float) -> tuple[float, ...]:
        """The first one's values, in every process: what depends on time or signals must not differ between them."""
        if self.fabric is None:
            return values
        shared = torch.tensor(values, dtype=torch.float64)
        torch.distributed.broadcast(
            shared, src=0
        )  # at every step: Fabric's, which pickles, takes several times as long
        return tuple(shared.tolist())

    def agree_on(self, figures: dict[str, float]) -> dict[str, float]:
        """The first one's figures by name, in every process."""
        return figures if self.fabric is None else self.fabric.broadcast(figures)

    def total(self, *values: float) -> tuple[float, ...]:
        """Sums of numbers that each process has its own of."""
        if self.fabric is None:
            return values
        total = self.fabric.all_reduce(torch.tensor(values, dtype=torch.float64), reduce_op="sum")
        assert isinstance(total, Tensor)
        return tuple(total.tolist())

    def from_each(self, tensor: Tensor) -> Tensor:
        """Every process's tensor of that name, `[processes, ...]`."""
        if self.fabric is None:
            return tensor.unsqueeze(0)
        gathered = self.fabric.all_gather(tensor)
        assert isinstance(gathered, Tensor)
        return gathered

    def wait(self) -> None:
        """Until all of them are here."""
        if self.fabric is not None:
            self.fabric.barrier()


#: One process that trains by itself, whatever process group it may be in.
ALONE = Processes()
