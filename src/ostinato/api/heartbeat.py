"""Signs of life between the processes of a training, so that one that is lost is missed, and named.

A process that is killed closes its connections, which the others notice at once, but not whose they were. A machine
without power, or a cut cable, closes nothing: whoever waits for it would wait for ever. So each process says every
second that it is there, in the store where they met; the first one reads all of it, the others read that of the first.
Whoever misses one for too long cuts the connections of its own process, and what waits in them ends.
"""

import os
import socket
import stat
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

from torch.distributed.distributed_c10d import Store

#: A connection of this process: file descriptor and inode, as the descriptor may be another's by now.
Connection: TypeAlias = tuple[int, int]

_BEAT = 1.0  #: seconds between signs of life
_AT_ONCE = 4.0  #: seconds without one that are enough where a connection has closed
_LOST = "lost"


class Heartbeat:
    """Signs of life of this process, and a look at those of others, in a thread.

    Args:
        store: where all of them met.
        rank: which this is.
        size: how many there are.
        patience: seconds without a sign of life after which a process is lost.
        connections: to the other processes; cut once one is lost.
    """

    def __init__(self, store: Store, rank: int, size: int, patience: float, connections: Iterable[Connection]) -> None:
        self._store: Any = store.clone()  # type: ignore[attr-defined]  # two threads would wait for each other at one
        self._store.set_timeout(timedelta(seconds=patience))
        self._rank, self._size, self._patience = rank, size, patience
        self._connections = tuple(connections)
        self._store.set(f"who-{rank}", f"rank {rank} (process {os.getpid()} on {socket.gethostname()})")
        self._store.compare_set(_LOST, "", "-")  # what is read must be there
        self._store.set(f"beat-{rank}", "0")
        self._names: dict[int, str] = {}
        self._heard: dict[int, tuple[bytes, float]] = {}
        self._found: str | None = None
        self._answered, self._at_once = time.monotonic(), False
        self._known, self._ended = threading.Event(), threading.Event()

    def start(self) -> None:
        """Once all processes have made theirs."""
        names = self._store.multi_get([f"who-{rank}" for rank in range(self._size)])
        self._names = {rank: name.decode() for rank, name in enumerate(names)}
        for work in (self._talk, self._watch):
            threading.Thread(target=work, name=f"ostinato{work.__name__}", daemon=True).start()

    def stop(self) -> None:
        """No more of it."""
        self._ended.set()

    def misses(self) -> bool:
        """Whether one is lost; without waiting."""
        return self._known.is_set()

    def lost(self) -> tuple[str, bool] | None:
        """Who is lost, once a connection has closed, and whether the first process is among them; None where all are
        there."""
        self._at_once = True
        self._known.wait(self._patience + _AT_ONCE)
        if self._found is None:
            return None
        return self._found, self._names[0] in self._found

    def _talk(self) -> None:
        count = 0
        while not self._known.is_set() and not self._ended.wait(_BEAT / 2 if self._at_once else _BEAT):
            count += 1
            try:
                found = self._look(count)
            except RuntimeError:  # the store is gone, and with it the machine of the first process
                found = self._names[0]
            self._answered = time.monotonic()
            if found is not None:
                self._tell(found)
                with suppress(RuntimeError):
                    self._store.compare_set(_LOST, "-", found)

    def _watch(self) -> None:
        """A store at the other end of a cut cable neither answers nor closes."""
        while not self._known.is_set() and not self._ended.wait(_BEAT):
            if time.monotonic() - self._answered > self._patience:
                self._tell(self._names[0])

    def _tell(self, found: str) -> None:
        if self._ended.is_set() or self._known.is_set():
            return
        self._found = found
        self._known.set()
        if not self._at_once:  # else it has ended already, what would wait
            cut(self._connections)

    def _look(self, count: int) -> str | None:
        self._store.set(f"beat-{self._rank}", str(count))
        everyone = self._at_once or self._rank == 0
        others = [rank for rank in (range(self._size) if everyone else (0,)) if rank != self._rank]
        said, *beats = self._store.multi_get([_LOST, *(f"beat-{rank}" for rank in others)])
        if said not in (b"-", b""):
            return str(said.decode())
        now = time.monotonic()
        for rank, beat in zip(others, beats, strict=True):
            if self._heard.get(rank, (None, now))[0] != beat:
                self._heard[rank] = (beat, now)
        enough = min(_AT_ONCE, self._patience) if self._at_once else self._patience
        gone = [self._names[rank] for rank in others if now - self._heard[rank][1] > enough]
        return ", ".join(gone) or None


def open_connections() -> set[Connection]:
    """Those of this process, where the system says so (Linux)."""
    found = set()
    for entry in Path("/proc/self/fd").glob("*"):
        with suppress(OSError, ValueError):
            status = os.fstat(int(entry.name))
            if stat.S_ISSOCK(status.st_mode):
                found.add((int(entry.name), status.st_ino))
    return found


def cut(connections: Iterable[Connection]) -> None:
    """End connections, so that what waits for something to come from them ends with an error."""
    for number, inode in connections:
        with suppress(OSError):
            if os.fstat(number).st_ino == inode:
                with socket.socket(fileno=os.dup(number)) as connection:
                    connection.getpeername()  # not a socket that listens: gloo would not survive it
                    connection.shutdown(socket.SHUT_RDWR)
