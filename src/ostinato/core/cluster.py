"""What torchrun, Slurm and the like say of the processes that they start, for those who do not wait for Fabric."""

import os
import socket
import struct
import sys
from contextlib import suppress
from typing import NamedTuple

_TORCH = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "LOCAL_RANK")
_SLURM = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_LOCALID")
_ADDRESS_OF = 0x8915  #: Linux's request for an interface's address, SIOCGIFADDR


class Place(NamedTuple):
    """Where a process stands.

    Attributes:
        rank: which process this is, from 0.
        size: how many there are.
        beside: how many of them are on this machine.
        local: which of those it is.
    """

    rank: int = 0
    size: int = 1
    beside: int = 1
    local: int = 0


def place() -> Place:
    """Where this process stands; alone where nothing has started several."""
    by_hand = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")  # in a shell of Slurm's
    for names in (_TORCH, *([] if by_hand else [_SLURM])):
        rank, size, beside, local = map(os.environ.get, names)
        if rank is not None and size is not None:
            on_this = int(beside or size)
            return Place(int(rank), int(size), on_this, int(rank) % on_this if local is None else int(local))
    return Place()


def restarted() -> bool:
    """Whether torchrun has started these processes before, and one of them, or a machine, was lost."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0


def interface_to(address: str) -> str | None:
    """The network interface from which another machine is reached, or this one by its own address; None where the
    system does not say."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # sends nothing
        own = probe.getsockname()[0]
        for _, name in socket.if_nameindex():
            if _address_of(name, probe) == own:
                return name
    return None


def _address_of(interface: str, probe: socket.socket) -> str | None:
    if sys.platform == "win32":
        return None
    import fcntl

    with suppress(OSError):  # it has none
        answer = fcntl.ioctl(probe.fileno(), _ADDRESS_OF, struct.pack("256s", interface.encode()[:15]))
        return socket.inet_ntoa(answer[20:24])
    return None
