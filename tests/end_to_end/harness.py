"""Commands in processes of their own.

They are forked from a server that has imported torch once, so that each costs milliseconds instead of seconds; what is
forked is an ordinary process, with its own group, which takes signals like any other.
"""

import importlib
import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.end_to_end.hosts import move_to

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["torch", "torch._dynamo", "ostinato.api", "ostinato.cli.commands"])
PATIENCE = int(os.environ.get("TEST_PATIENCE", 600))  #: seconds until a test is given up
_PORTS = itertools.count(20_000 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]))


def next_port() -> str:
    """A port for several processes to meet at: below those that Linux gives out, and another each time."""
    return str(next(_PORTS))


class Result(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str


class Command:
    """A command under way."""

    def __init__(self, process: multiprocessing.process.BaseProcess, logs: Path) -> None:
        self.process, self._logs = process, logs

    def kill(self) -> None:
        """Kill -9, its own processes included."""
        self.signal(signal.SIGKILL)
        self.process.join()

    def signal(self, number: int, *, group: bool = True) -> None:
        """Send a signal to it and its own processes, as Ctrl-C at a terminal does; or to itself alone."""
        if self.process.is_alive():
            with suppress(ProcessLookupError):  # it has just ended
                (os.killpg if group else os.kill)(self.process.pid, number)

    def processes(self) -> int:
        """How many there are of it: itself, those it trains in, and what keeps books for them."""
        found = 0
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(ProcessLookupError):
                found += os.getpgid(int(folder.name)) == self.process.pid
        return found

    def workers(self) -> list[int]:
        """The processes it trains in, by their ids."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (
                    os.getpgid(int(folder.name)) == self.process.pid
                    and b"spawn_main" in (folder / "cmdline").read_bytes()
                ):
                    found.append(int(folder.name))
        return sorted(found)

    def wait(self) -> Result:
        """What it left, once it has ended."""
        self.process.join(PATIENCE)
        assert not self.process.is_alive(), f"still running: {self._read('err')[-2000:]}"
        return Result(self.process.exitcode, self._read("out"), self._read("err"))

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Look every few milliseconds; False where it ended before the condition was met."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if condition():
                return True
            if not self.process.is_alive():
                return condition()
            time.sleep(0.003)
        raise AssertionError(f"nothing happened: {self._read('err')[-2000:]}")

    def _read(self, name: str) -> str:
        file = self._logs / name
        return file.read_text(encoding="utf-8") if file.exists() else ""


def start(
    arguments: list[str],
    folder: Path,
    logs: Path,
    environment: dict[str, str],
    stdin: str = os.devnull,
    out: str | None = None,
    err: str | None = None,
    program: str = "ostinato.cli.main",
) -> Command:
    """Start `ostinato` with these arguments, in a folder; its streams go to files in `logs` unless they are named.

    `program` is the module whose `main` is called with the arguments.
    """
    logs.mkdir()
    streams = [stdin, out or str(logs / "out"), err or str(logs / "err")]
    process = _FORKED.Process(target=_run, args=(program, arguments, str(folder), streams, environment))
    os.environ["OMP_NUM_THREADS"] = "1"  # what the server starts with, the first time
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # as the command line has it where there are several
    process.start()
    _wait_for_group(process.pid)
    return Command(process, logs)


def _wait_for_group(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if os.getpgid(pid) == pid:
                return
        except ProcessLookupError:
            return
        time.sleep(0.001)
    raise AssertionError("a process did not start")


def _run(program: str, arguments: list[str], folder: str, streams: list[str], environment: dict[str, str]) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run in the background, which ignores it
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if (namespace := os.environ.pop("TEST_HOST", None)) is not None:
        move_to(namespace, os.environ.pop("TEST_HIDDEN", None))
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY), number)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    # the server's own know whether what they led to can be sought in
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, encoding="utf-8") for number in (1, 2))
    from ostinato.cli import main

    main.STARTED = time.monotonic()
    if (script := os.environ.pop("TEST_IMPORT", None)) is not None:
        exec(Path(script).read_text(), {})

    sys.exit(importlib.import_module(program).main(arguments))
