"""One thread takes the steps of all that is under way with a model, some sequences at a time, in turns."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import torch

from ostinato.serving.metrics import Metrics
from ostinato.serving.problems import Problem, problem_of

_log = logging.getLogger("ostinato.serving")

#: Steps after somebody has come that are small.
_ALERT = 8

#: Seconds between two looks at jobs of which none may take a step.
_REST = 0.005

#: Seconds, for each job under way, between two times that one is told of new steps: sending a token by itself costs
#: the loop more than the token, and whoever else asks waits for the loop.
_APART = 0.001


@dataclass(eq=False, kw_only=True)
class Job:
    """What somebody waits for, and takes some steps.

    Attributes:
        deadline: by `time.monotonic`, when it has to be done.
        done: nothing is left to do.
        beginning: it has shown nothing yet, and so comes before those that have.
        listens: whether somebody wants to know of steps before the end.
        told: when they last were, by `time.perf_counter`.
        problem: why it came to nothing.
        cancelled: set by whoever does not wait any more.
        ended: it is done, or came to nothing.
        on_end: called in the loop, once it has ended.
    """

    deadline: float
    done: bool = False
    beginning: bool = False
    listens: bool = False
    told: float = -math.inf
    problem: Problem | None = None
    cancelled: bool = False
    ended: bool = False
    on_end: Callable[[Any], None] | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def changes(self) -> AsyncIterator[None]:
        """Yield whenever there may be something new, to the end.

        Raises:
            Problem: it came to nothing.
        """
        self.listens = True
        while True:
            ended = self.ended  # before what is new is looked at: nothing comes after
            yield
            if ended:
                break
            await self.news.wait()
            self.news.clear()
        self._settle()

    async def end(self) -> None:
        """Wait until it has ended.

        Raises:
            Problem: it came to nothing.
        """
        while not self.ended:
            await self.news.wait()
            self.news.clear()
        self._settle()

    def wake(self) -> None:
        """In the loop: there is something new."""
        self.news.set()
        self._call_on_end()

    def _settle(self) -> None:
        self._call_on_end()  # who is told of the end may ask for more at once, before the engine wakes us again
        if self.problem is not None:
            raise self.problem

    def _call_on_end(self) -> None:
        if self.ended and self.on_end is not None:
            on_end, self.on_end = self.on_end, None
            on_end(self)

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for it any more, or it took too long."""
        return self.cancelled or time.monotonic() > self.deadline

    @property
    def ahead(self) -> bool:
        """Whether whoever listens has so much to take that more would only fill the memory."""
        return False


Own = TypeVar("Own", bound=Job)
Taken = TypeVar("Taken", bound=Job, contravariant=True)


class Work(Protocol[Taken]):
    """What an engine does.

    Attributes:
        at_once: jobs that take a step together, at most.
    """

    at_once: int

    def short(self, job: Taken) -> bool:
        """Whether no more than a blink is left to do before its first step."""

    def prepare(self, job: Taken, *, beside: bool) -> bool:
        """Do a part of what comes before its first step, a small one where others take steps; whether that was all."""

    def step(self, jobs: Sequence[Taken]) -> None:
        """A step of each; whose last one it was is `done`."""

    def leave(self, job: Taken, *, broken: bool) -> None:
        """Let go of what is kept for a job that ends; of one that is broken nothing can be said."""


class EngineClosedError(Exception):
    """An engine takes nothing more: its run has another model, or the server ends."""


class Engine(Generic[Own]):
    """Does the work of one model.

    In turns: a part of what one job has to do before its first step, a step of those that have shown nothing yet, a
    step of the next of the others. So whoever comes waits for a few sequences' step, however many are under way.

    Args:
        work: what is done.
        capacity: jobs under way at once.
        queue: jobs that may wait beside them.
        metrics: told of steps.
        name: of the thread.
    """

    def __init__(self, work: Work[Own], capacity: int, queue: int, metrics: Metrics, name: str) -> None:
        self.work, self._capacity, self._queue, self._metrics = work, capacity, queue, metrics
        self._arrived: deque[Own] = deque()
        self._preparing: deque[Own] = deque()
        self._first: deque[Own] = deque()
        self._going: deque[Own] = deque()
        self._to_wake: set[Own] = set()
        self._quiet = 0  # large steps since somebody came
        self._submitted = self._ended = 0  # each counted by one thread alone
        self._changed, self._closing = threading.Condition(), False
        self._thread = threading.Thread(target=self._run, name=f"engine {name}", daemon=True)
        self._thread.start()

    def submit(self, job: Own) -> Own:
        """Let a job be done when its turn comes.

        Raises:
            Problem: 429, too many wait.
            EngineClosedError: it takes nothing more.
        """
        with self._changed:
            waiting = self.busy - self._capacity
            if waiting >= self._queue:
                raise Problem(429, f"{waiting:,} requests wait already; ask again later", {"Retry-After": "1"})
            if self._closing:
                raise EngineClosedError
            self._submitted += 1
            self._quiet = 0
            self._arrived.append(job)
            self._changed.notify()
        return job

    @property
    def busy(self) -> int:
        """Jobs under way or waiting."""
        return self._submitted - self._ended

    def close(self) -> None:
        """Take nothing more; end once all jobs have."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    @torch.inference_mode()
    def _run(self) -> None:
        while self._waited():
            try:
                self._admit()
                self._prepare()
                first = self._step(self._first, self.work.at_once)
                self._tell()  # of all since the last time: the loop sends it while the kernels of a large step compute
                if not (self._step(self._going, self._share()) or first or self._preparing):
                    self._rest()
            except Exception as error:  # none is expected here: jobs end by their own
                _log.error("engine", extra={"error": type(error).__name__})
            if not self.busy:
                self._tell()

    def _rest(self) -> None:
        """Nobody may take a step until somebody has taken what there is."""
        self._tell()
        with self._changed:
            if self.busy:
                self._changed.wait(_REST)

    def _waited(self) -> bool:
        """Wait for something to do; whether there will be."""
        with self._changed:
            while not (self.busy or self._closing):
                self._changed.wait()
            return bool(self.busy)

    def _admit(self) -> None:
        """Let those come in for whom there is room; those that have been given up before that end."""
        if not self._arrived:
            return
        with self._changed:
            arrived = [self._arrived.popleft() for _ in range(len(self._arrived))]
        waiting = []
        for job in arrived:
            if job.given_up:
                self._end(job, _given_up(job))
            elif len(self._preparing) + len(self._first) + len(self._going) < self._capacity:
                self._preparing.append(job)
            else:
                waiting.append(job)
        self._arrived.extendleft(reversed(waiting))

    def _prepare(self) -> None:
        """All that is short, and a part of one job that is not."""
        long = 0
        for _ in range(len(self._preparing)):
            job = self._preparing.popleft()
            if job.given_up:
                self._end(job, _given_up(job))
                continue
            if not self.work.short(job):
                if long:
                    self._preparing.append(job)
                    continue
                long += 1
            try:
                ready = self.work.prepare(job, beside=bool(self._first or self._going))
            except Exception as error:
                self._end(job, problem_of(error), broken=True)
                continue
            if job.done:
                self._end(job)
            else:
                (self._first if ready else self._preparing).append(job)

    def _share(self) -> int:
        """How many of those under way take the next step: half of what there may be where somebody has just come, since
        who comes one by one comes again soon, and waits for the step's end."""
        self._quiet += 1
        return self.work.at_once if self._quiet > _ALERT else max(1, self.work.at_once // 2)

    def _step(self, queue: deque[Own], most: int) -> bool:
        """One step of the next ones; whether there was one."""
        jobs = list[Own]()
        for _ in range(len(queue)):
            job = queue.popleft()
            if job.given_up:
                self._end(job, _given_up(job))
            elif job.ahead:
                queue.append(job)
            else:
                jobs.append(job)
                if len(jobs) == most:
                    break
        if not jobs:
            return False
        began = time.perf_counter()
        try:
            self.work.step(jobs)
        except Exception as error:
            for job in jobs:
                self._end(job, problem_of(error), broken=True)
            return True
        now = time.perf_counter()
        heard = now - _APART * (len(jobs) + len(self._going))
        for job in jobs:
            if job.listens and job.told <= heard:
                job.told = now
                self._to_wake.add(job)
            if job.done:
                self._end(job)
            else:
                (self._first if job.beginning else self._going).append(job)
        self._metrics.step(len(jobs), now - began)
        return True

    def _end(self, job: Own, problem: Problem | None = None, *, broken: bool = False) -> None:
        with suppress(Exception):
            self.work.leave(job, broken=broken)
        self._ended += 1
        job.problem, job.ended = problem or job.problem, True
        self._to_wake.add(job)

    def _tell(self) -> None:
        """Wake those who wait, all at once: a call into their loop for each would cost more than the step."""
        if not self._to_wake:
            return
        waking, self._to_wake = self._to_wake, set()
        for loop in {job.loop for job in waking}:
            own = [job for job in waking if job.loop is loop]
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(_wake, own)


def _given_up(job: Job) -> Problem:
    return Problem(
        503, "cancelled" if job.cancelled else "no end within the time that this server allows; ask for less"
    )


def _wake(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.wake()
