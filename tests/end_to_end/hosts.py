"""Two hosts on one machine: network namespaces with addresses of their own, and a cable between them."""

import ctypes
import itertools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NEW_MOUNTS, _NEW_NETWORK = 0x20000, 0x40000000
_BIND, _PRIVATE = 0x1000, 0x4000 | 0x40000
_NUMBERS = itertools.count()


class Hosts:
    """The hosts, by number.

    Attributes:
        names: of their namespaces.
        addresses: by which they reach each other.
    """

    def __init__(self) -> None:
        self._tag = f"{os.getpid() % 100_000}-{next(_NUMBERS)}"
        self.names = [f"ost-{self._tag}-{side}" for side in "ab"]
        self.addresses = ["10.77.0.1", "10.77.0.2"]
        self._cables = [f"o{self._tag}{side}" for side in "ab"]

    def connect(self) -> None:
        """Make them. Raises OSError or a CalledProcessError where that is not permitted."""
        for name in self.names:
            _ip("netns", "add", name)
        _ip("link", "add", self._cables[0], "type", "veth", "peer", "name", self._cables[1])
        for name, cable, address in zip(self.names, self._cables, self.addresses, strict=True):
            _ip("link", "set", cable, "netns", name)
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", cable)
            _ip("-n", name, "link", "set", cable, "up")
            _ip("-n", name, "link", "set", "lo", "up")

    def cut(self) -> None:
        """Pull the cable: nothing closes, nothing arrives any more."""
        _ip("-n", self.names[0], "link", "set", self._cables[0], "down")

    def mend(self) -> None:
        """Plug it in again."""
        _ip("-n", self.names[0], "link", "set", self._cables[0], "up")

    def remove(self) -> None:
        """They are gone, with the cable."""
        for name in self.names:
            with suppress(OSError, subprocess.CalledProcessError):
                _ip("netns", "del", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Two hosts with a cable, until the end. Raises OSError or a CalledProcessError where that is not permitted."""
    hosts = Hosts()
    try:
        hosts.connect()
        yield hosts
    finally:
        hosts.remove()


def move_to(namespace: str, hidden: str | None = None) -> None:
    """Bring this process to a host; `hidden` is a folder whose content only the others see.

    Python has a way from 3.12 on. Names are known without asking anybody, who would not answer."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", namespace).open() as file:
        _check(libc.setns(file.fileno(), _NEW_NETWORK))
    _check(libc.unshare(_NEW_MOUNTS))
    _check(libc.mount(b"none", b"/", None, ctypes.c_ulong(_PRIVATE), None))
    with tempfile.NamedTemporaryFile("w") as names:
        names.write("127.0.0.1 localhost\n10.77.0.1 host-a\n10.77.0.2 host-b\n")
        names.flush()
        _check(libc.mount(os.fsencode(names.name), b"/etc/hosts", None, ctypes.c_ulong(_BIND), None))
    if hidden is not None:
        _check(libc.mount(b"none", os.fsencode(hidden), b"tmpfs", ctypes.c_ulong(0), None))


def _check(status: int) -> None:
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
