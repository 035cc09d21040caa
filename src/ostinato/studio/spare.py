"""A process that has imported what is slow to import, and waits to be the next training: most of what lies between a
click on Start and the first step is torch."""

import json
import os
import select
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path
from runpy import run_module

#: Seconds that it waits for, and is there for nothing at most.
_PATIENCE = 600.0


class Spare:
    """At most one process that waits."""

    def __init__(self) -> None:
        self._waiting: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ready(self) -> None:
        """Have one: somebody is about to start a training."""
        with self._lock:
            if self._waiting is None or self._waiting.poll() is not None:
                self._waiting = subprocess.Popen(
                    [sys.executable, "-m", "ostinato.studio.spare"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip

    def take(self, line: list[str], result: Path, log: Path) -> subprocess.Popen[bytes] | None:
        """Let it be a command.

        Args:
            line: the command's words.
            result: file of its standard output.
            log: file of its standard error.

        Returns:
            The process; None where none waits.
        """
        with self._lock:
            taken, self._waiting = self._waiting, None
        if taken is None or taken.stdin is None or taken.poll() is not None:
            return None
        asked = json.dumps({"line": line, "result": str(result.resolve()), "log": str(log.resolve())})
        try:
            with taken.stdin as channel:
                channel.write(asked.encode() + b"\n")
        except OSError:  # it has just lost patience
            return None
        return taken

    def close(self) -> None:
        """Let it go."""
        with self._lock:
            taken, self._waiting = self._waiting, None
        if taken is not None and taken.stdin is not None:
            taken.stdin.close()
            taken.wait()


def wait() -> None:
    """Import, wait for a command on standard input, and be it; nothing where none comes."""
    from ostinato.tasks import TRAIN_OPTIONS, find

    import_module("ostinato.api.training")
    for name in TRAIN_OPTIONS:
        find(name)
    if not select.select([0], [], [], _PATIENCE)[0] or not (said := sys.stdin.readline()):
        return
    asked = json.loads(said)
    for number, name in ((0, os.devnull), (1, asked["result"]), (2, asked["log"])):
        file = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(file, number)
        os.close(file)
    sys.argv[1:] = asked["line"]
    run_module("ostinato", run_name="__main__")  # as `python -m ostinato`; a time limit counts from here


if __name__ == "__main__":
    wait()
