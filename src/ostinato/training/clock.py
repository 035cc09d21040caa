"""Wall time against a limit, and the wish to stop."""

import multiprocessing
import signal
import threading
import time
from types import FrameType
from typing import Any, Self

from ostinato.core import cluster


class Clock:
    """Seconds since the command started.

    Args:
        limit: seconds the whole command may take; None means no limit.
        started: `time.monotonic()` of the start; now where None.
    """

    def __init__(self, limit: float | None = None, started: float | None = None) -> None:
        self.limit = limit
        self.started = time.monotonic() if started is None else started

    def elapsed(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self.started


class Interrupt:
    """Turns the first Ctrl-C (or SIGTERM, or SIGHUP of a terminal that is closed) into a flag, so that a step is
    finished and saved; the second one stops at once, except in a process that another one started.

    A context manager. Outside the main thread, where Python takes no signals, it does nothing. SIGHUP stays ignored
    where it is, as by nohup.
    """

    SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in self.SIGNALS if _heard(number)}
            if multiprocessing.parent_process() is not None:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)  # a Ctrl-C held back since the start comes now
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        # a process started by another hears of the same Ctrl-C twice
        if multiprocessing.parent_process() is None and cluster.place().size == 1:
            self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def _heard(number: signal.Signals) -> bool:
    """Whether a signal is to be taken: not a hang-up that is ignored, as by nohup."""
    return number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) != signal.SIG_IGN
