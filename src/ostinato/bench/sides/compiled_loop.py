"""The loop over a cell's `step` under `torch.compile`: unrolled, so that compiling takes longer the longer it is."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from ostinato.bench.problem import Problem
from ostinato.bench.sides.eager import Eager, bare
from ostinato.bench.sides.side import LeftOutError
from ostinato.cells.unroll import unroll


class CompiledLoop(Eager):
    """Compiled for one size, forward and backward.

    Attributes:
        seconds: from the first call until it had its gradients.

    Raises:
        LeftOutError: it was not compiled within the group's time.
    """

    def __init__(self, problem: Problem) -> None:
        torch.compiler.reset()
        eager = bare(problem, unroll)
        forward = torch.compile(eager.forward, fullgraph=True, dynamic=False)
        super().__init__(problem, eager.parameters, forward)
        began, limit = time.perf_counter(), problem.group.compile_limit
        with time_limit(limit), self.within():
            self.run()
        self.seconds = time.perf_counter() - began


class _TimeIsUp(BaseException):
    """Not an Exception: torch's compiler takes those for faults of its own, and goes on without what failed."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt a block once so many seconds have passed; without a limit where the system has no such signal.

    Raises:
        LeftOutError: they have passed.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeIsUp:
        raise LeftOutError(f"not compiled after {seconds:.0f} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
