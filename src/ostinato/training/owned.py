"""What each process has its own of in a training: carried state, random numbers, sums. Saved as one, taken back by any
number of processes."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.checkpoint.position import Interval
from ostinato.core.kept_state import KeptState
from ostinato.training.processes import Processes


def saved(
    kept: Sequence[KeptState], interval: Interval, processes: Processes, device: torch.device
) -> dict[str, Tensor]:
    """What to save, by name, each `[processes, ...]`. The state of streams side by side is one along their dimension.

    Args:
        kept: the state carried in each part of this process's batch.
        interval: its sums.
        processes: which all do this at once.
        device: what computes.
    """
    fields = [one.state for one in kept if one.state is not None]
    own = {f"kept.{index}": torch.cat(parts, 1) for index, parts in enumerate(zip(*fields, strict=True))}
    own["random.torch"] = torch.get_rng_state()
    if device.type != "cpu":
        own["random.device"] = torch.get_device_module(device).get_rng_state()
    own["interval.loss"] = torch.tensor(interval.loss, dtype=torch.float64)
    own["interval.tokens"] = torch.tensor(interval.tokens)
    return {name: processes.from_each(field.cpu()) for name, field in own.items()}


def taken_back(
    groups: Mapping[str, Mapping[str, Tensor]], kept: Sequence[KeptState], processes: Processes, device: torch.device
) -> Any:
    """Set the carried state and the random numbers; gives the sums of the interval, by name.

    Where there were other processes than now, each stream's state goes to the one that has the stream now. Sums go to
    the first. Random numbers are those of the process of that number, or others where there was none.
    """
    rank, before, now = processes.rank, len(groups["random"]["torch"]), processes.size
    if before != now and processes.first:
        warnings.warn(
            f"--resume: {now} processes now, {before} before: the same batches, so the loss stays the same within "
            "rounding, but not to the last bit; what dropout draws is another",
            stacklevel=2,
        )
    names = sorted(groups["kept"], key=int)
    states = [torch.cat(tuple(groups["kept"][name]), 1).chunk(now * len(kept), 1) for name in names]
    for part, own in enumerate(kept):
        own.state = tuple(field[rank * len(kept) + part].clone().to(device) for field in states) or None
    if rank < before:
        torch.set_rng_state(groups["random"]["torch"][rank].clone())
        if device.type != "cpu" and "device" in groups["random"]:  # not where another device computed before
            torch.get_device_module(device).set_rng_state(groups["random"]["device"][rank].clone())
    if before == now:
        return {name: field[rank].item() for name, field in groups["interval"].items()}
    return {name: field.sum().item() if processes.first else 0 for name, field in groups["interval"].items()}
