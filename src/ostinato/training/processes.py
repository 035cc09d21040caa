"""What several processes have to agree on, or share. With one process none of it costs anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def shared(fabric: Fabric, model: nn.Module) -> nn.Module:
    """The model, whose gradients are the mean over all processes.

    Not by `fabric.setup`: its wrapper puts a hook on each tensor that a call returns, and on parameters among them
    (those of an output layer, which the loss takes) the hooks of all calls gather.
    """
    return model if fabric.world_size == 1 else DistributedDataParallel(model)


def agreed(fabric: Fabric, *values: float) -> tuple[float, ...]:
    """The first process's values, in every process: what depends on time or signals must not differ between them."""
    if fabric.world_size == 1:
        return values
    shared = torch.tensor(values, dtype=torch.float64)
    torch.distributed.broadcast(shared, src=0)
    return tuple(shared.tolist())


def agreed_figures(fabric: Fabric, figures: dict[str, float]) -> dict[str, float]:
    """The first process's figures by name, in every process."""
    if fabric.world_size == 1:
        return figures
    shared: list[dict[str, float]] = [figures]
    torch.distributed.broadcast_object_list(shared, src=0)
    return shared[0]


def over_processes(fabric: Fabric, *values: float) -> tuple[float, ...]:
    """Sums of numbers that each process has its own of."""
    if fabric.world_size == 1:
        return values
    total = torch.tensor(values, dtype=torch.float64)
    torch.distributed.all_reduce(total)
    return tuple(total.tolist())


def from_each_process(fabric: Fabric, tensor: Tensor) -> Tensor:
    """Every process's tensor of that name, `[processes, ...]`."""
    if fabric.world_size == 1:
        return tensor.unsqueeze(0)
    gathered = [torch.empty_like(tensor) for _ in range(fabric.world_size)]
    torch.distributed.all_gather(gathered, tensor.contiguous())
    return torch.stack(gathered)
