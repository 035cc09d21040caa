"""Processes that torchrun or Slurm has started: how they meet, and whether they are alike."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from ostinato.api.heartbeat import Heartbeat, open_connections
from ostinato.checkpoint.files import fingerprint
from ostinato.core import cluster
from ostinato.core.errors import ConfigError, DataError, LostError, OstinatoError
from ostinato.core.versions import versions

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: How long processes wait for each other within a collective operation: whether one is lost, heartbeats say.
PATIENCE = timedelta(days=1)
#: What carries tensors of each kind of device: on GPUs NCCL the gradients, and gloo all else.
_BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}


def make_fabric(devices: int, nodes: int = 1, kind: str = "cpu", **strategy: Any) -> Fabric:
    """What holds processes together: so many on each of so many machines, which compute on a kind of device."""
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    ddp = DDPStrategy(process_group_backend=_BACKENDS[kind], timeout=PATIENCE, **strategy)
    return Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy=ddp)


@contextmanager
def joined(
    place: cluster.Place, patience: float, data: Iterable[str], kind: str = "cpu"
) -> Iterator[tuple[Fabric, Heartbeat | None]]:
    """The processes that are there already, brought together.

    Args:
        place: of this process.
        patience: seconds to wait for others, at the start and ever after.
        data: names of files that must be the same where there are any.
        kind: of the devices that compute.

    Raises:
        ConfigError: they are started in a way that cannot be, or have different versions.
        DataError: they have different files.
        LostError: not all of them have come.
    """
    from lightning_fabric.plugins.environments.kubeflow import KubeflowEnvironment

    # torch's variables without torchrun: Fabric has a class that reads them, and does not look for them by itself
    bare = "RANK" in os.environ and not distributed.is_torchelastic_launched()
    heartbeat, ours = None, not distributed.is_initialized()
    with one_message():
        environment = KubeflowEnvironment() if bare else None
        fabric = make_fabric(place.beside, place.size // place.beside, kind, cluster_environment=environment)
        if ours:
            heartbeat = _meet(fabric, place, patience, kind)
        fabric.launch()
    try:
        if heartbeat is not None:
            heartbeat.start()
        _require_alike(fabric, place, data)
        yield fabric, heartbeat
    finally:
        if heartbeat is not None:
            heartbeat.stop()
        if ours:
            distributed.destroy_process_group()


@contextmanager
def one_message() -> Iterator[None]:
    """What Fabric or torch cannot do with the processes it is to bring together, as an error of ours."""
    try:
        yield
    except OstinatoError:
        raise
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"several processes cannot work together here: {error}") from None


def _meet(fabric: Fabric, place: cluster.Place, patience: float, kind: str) -> Heartbeat:
    environment: Any = fabric.strategy.cluster_environment  # type: ignore[attr-defined]
    address, port = environment.main_address, environment.main_port
    os.environ.update(MASTER_ADDR=address, MASTER_PORT=str(port))
    if "GLOO_SOCKET_IFNAME" not in os.environ and (interface := cluster.interface_to(address)) is not None:
        os.environ["GLOO_SOCKET_IFNAME"] = interface  # else gloo takes that of the host's name, often the loopback
    try:
        where = rendezvous("env://", place.rank, place.size, timeout=timedelta(seconds=patience))
        store, _, _ = next(where)
    except RuntimeError as error:
        raise _not_met(str(error), place, f"{address}:{port}", patience) from None
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # what the last one left in the store is none of ours
    before = open_connections()
    group = PrefixStore(f"group-{attempt}", store)
    try:
        distributed.init_process_group(
            _BACKENDS[kind], store=group, rank=place.rank, world_size=place.size, timeout=timedelta(seconds=patience)
        )
    except RuntimeError as error:
        raise LostError(
            f"the processes have met, but cannot talk to each other: {_short(error)}", speaks=place.local == 0
        ) from None
    whole: Any = distributed.group.WORLD
    whole._get_backend(torch.device("cpu")).set_timeout(PATIENCE)
    own = PrefixStore(f"ostinato-{attempt}", store)
    return Heartbeat(own, place.rank, place.size, patience, open_connections() - before)


def _not_met(error: str, place: cluster.Place, where: str, patience: float) -> OstinatoError:
    if place.rank == 0 and re.search("EADDRINUSE|address already in use", error, re.IGNORECASE):
        return ConfigError(
            f"port {where.rpartition(':')[2]} is taken by another program of this machine: choose another one, by "
            "--master-port of torchrun or MASTER_PORT"
        )
    if place.rank == 0:
        came = re.search(r"(\d+)/\d+ clients joined", error)
        some = f"{came[1]} of " if came else "not all of "
        return LostError(
            f"{some}{place.size} processes have come to {where} within {patience:g} s: see whether all were started, "
            "and with this address (--master-addr of torchrun, MASTER_ADDR)"
        )
    return LostError(
        f"rank {place.rank} on {socket.gethostname()} has not found the first process at {where} within "
        f"{patience:g} s: see whether that is its address and a free port of its, and whether the network lets it "
        "through",
        speaks=place.local == 0,
    )


def _require_alike(fabric: Fabric, place: cluster.Place, data: Iterable[str]) -> None:
    """That all processes have the same versions and, on whichever machine there is any, the same data."""
    several = place.beside < place.size
    prints = {name: fingerprint(name) for name in data} if several and place.local == 0 else {}
    said: list[Any] = [None] * place.size
    own = {"host": socket.gethostname(), "versions": versions(), "data": prints}
    distributed.all_gather_object(said, own)
    first, *others = said
    for rank, other in enumerate(others, 1):
        if other["versions"] != first["versions"]:
            raise ConfigError(_unlike(rank, other, first))
        for name, found in other["data"].items():
            if None not in (found, first["data"][name]) and found != first["data"][name]:
                raise DataError(
                    f"{name}: on {other['host']} (rank {rank}) it is not what it is at the first process: its SHA-256 "
                    f"is {found[:12]}..., not {first['data'][name][:12]}...; copy it again, or remove it there: it is "
                    "sent then"
                )


def _unlike(rank: int, other: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    name = next(
        name
        for name in {**first["versions"], **other["versions"]}
        if first["versions"].get(name) != other["versions"].get(name)
    )
    return (
        f"rank {rank} on {other['host']} has {name} {other['versions'].get(name)}, the first process has "
        f"{first['versions'].get(name)}: install the same versions everywhere"
    )


def _short(error: Exception) -> str:
    """An error of torch's without where in its source it comes from."""
    return re.sub(r"^(\[[^\]]*\]\s*)+", "", str(error)).partition("\n")[0].strip()
