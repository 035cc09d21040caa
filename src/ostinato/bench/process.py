"""A process of its own for measuring: threads, cores and instruction set are set before anything is imported."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ostinato.core.errors import ConfigError

Event = dict[str, Any]

#: For glibc: keep what is freed, for all sides. By default it gives large blocks back and asks for them again, page by
#: page, depending on what else the process has freed before: torch's LSTM then takes up to 1.7 times as long.
KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(1 << 33), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}


#: Settings of OpenBLAS that a machine may have for everybody, and that make NumPy slower than it is.
_FORCED_DOWN = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def today() -> str:
    """The date of a measurement."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def cores() -> list[int]:
    """Those that there are."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def require_cores(threads: int) -> None:
    """Raise a ConfigError where there are more threads than cores."""
    if threads > len(cores()):
        raise ConfigError(f"--threads {threads}: expected at most the {len(cores())} cores that there are")


def events(module: str, job: Event, threads: int, forced: Mapping[str, str]) -> Iterator[Event]:
    """Run `main` of a module that answers a job with lines of JSON (see `Answers`), and yield them.

    Args:
        module: its full name.
        job: what to do, as JSON.
        threads: threads of torch and BLAS, and cores to be bound to.
        forced: environment variables.

    Raises:
        RuntimeError: the process ended early.
    """
    environment = KEPT_MEMORY | os.environ | {"OMP_NUM_THREADS": str(threads), **forced}
    for forced_down in _FORCED_DOWN:
        environment.pop(forced_down, None)
    environment.pop("GOMP_SPINCOUNT", None)  # the command line's; a program that calls torch or us has the default
    # so that a peer with threads of its own (XLA) has as many cores as there are threads
    limit = f"import os; hasattr(os, 'sched_setaffinity') and os.sched_setaffinity(0, {cores()[:threads]})"
    code = f"{limit}; from {module} import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            with suppress(BrokenPipeError), process.stdin:  # it ended at once: its status will say so
                json.dump(job, process.stdin)
            yield from map(json.loads, process.stdout)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise RuntimeError(f"the process that measures ended with status {process.returncode}; its message is above")


class Answers:
    """The other end: a job from standard input, events to standard output; what libraries print goes to standard error.

    A context manager.
    """

    def __enter__(self) -> "Answers":
        self._file = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.job: Event = json.load(sys.stdin)
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def tell(self, event: Event) -> None:
        """Say what was found."""
        print(json.dumps(event), file=self._file, flush=True)


class Progress:
    """Parts done, and the time that the others will take if they take as long."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()

    def leave_out(self, parts: int) -> None:
        """Some parts will not be measured."""
        self._total -= parts

    def one_done(self) -> Event:
        """One more is done: `done`, `total`, `left` in seconds."""
        self._done += 1
        spent = time.monotonic() - self._began
        return {"done": self._done, "total": self._total, "left": spent / self._done * (self._total - self._done)}
