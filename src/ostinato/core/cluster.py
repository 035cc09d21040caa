"""What torchrun, Slurm and the like say of the processes that they start, for those who do not wait for Fabric."""

import os
from typing import NamedTuple

_TORCH = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
_SLURM = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE")


class Place(NamedTuple):
    """Where a process stands.

    Attributes:
        rank: which process this is, from 0.
        size: how many there are.
        beside: how many of them are on this machine.
    """

    rank: int = 0
    size: int = 1
    beside: int = 1


def place() -> Place:
    """Where this process stands; alone where nothing has started several."""
    by_hand = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")  # in a shell of Slurm's
    for names in (_TORCH, *([] if by_hand else [_SLURM])):
        rank, size, beside = map(os.environ.get, names)
        if rank is not None and size is not None:
            return Place(int(rank), int(size), int(beside or size))
    return Place()
