"""Wall time against a limit, and the wish to stop."""

import math
import multiprocessing
import signal
import threading
import time
from collections import deque
from statistics import median
from types import FrameType
from typing import Any, Self

from ostinato.core import cluster

#: Steps by which it is known how fast they are.
PACES = 32


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


class Reserve:
    """Seconds of a time limit to keep for the last validation and for saving.

    It is as long as the last validation took. Before the first one it goes by how fast steps are: by their median, as
    a step that was held up, and the first one, which is slow, say nothing of a validation. It is at most half of the
    time: where validating takes longer than that, the limit is passed, rather than nothing trained.

    Args:
        limit: seconds there are; None for no limit.
    """

    def __init__(self, limit: float | None) -> None:
        self._most = math.inf if limit is None else max(0.0, limit) / 2
        self._steps = -1
        self._paces: deque[float] = deque(maxlen=PACES)
        self._validation = 0.0

    def stepped(self, seconds: float, tokens: int) -> None:
        """Told of a step on so many tokens."""
        self._steps += 1
        if self._steps and not self._validation:
            self._paces.append(seconds / max(1, tokens))

    def validated(self, seconds: float) -> None:
        """Told of a validation."""
        self._validation = seconds

    def cost(self, tokens: float) -> float:
        """Seconds that a validation takes, where one is of so many tokens; 0 where nothing is known yet."""
        return self._validation or (0.6 * tokens * median(self._paces) if self._paces else 0.0)

    def seconds(self, tokens: float) -> float:
        """What to keep, where a validation is of so many tokens."""
        more = 1.2 if self._validation else 1.0
        return min(more * self.cost(tokens) + 0.5, self._most)


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
