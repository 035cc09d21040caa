"""One thread writes all texts of a model side by side: whoever is active joins the next step and leaves after it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.serving.metrics import Metrics
from ostinato.serving.problems import Problem, problem_of
from ostinato.tasks.stepping import Rows, TextUnderWay

_log = logging.getLogger("ostinato.serving")

#: Tokens of a prompt that are read between two steps of the batch: a long one delays nobody.
_READ_AT_ONCE = 32


class Place(NamedTuple):
    """Where a sequence stands.

    Attributes:
        state: before the next token is read; None at the beginning of a text.
        token: the next token to read.
        after: the last sign of the text so far.
    """

    state: tuple[Tensor, ...] | None
    token: int
    after: str


@dataclass(eq=False)
class Job:
    """A text that somebody waits for.

    Attributes:
        ids: tokens to read before the first is written; one at least.
        state: to read them from.
        text: what is written.
        deadline: by `time.monotonic`, when it has to be done.
        keeps: whether somebody wants the place where it ends.
        place: that, at the end.
        problem: why it came to nothing.
        cancelled: set by whoever does not wait any more.
        on_end: called in the loop, once it has ended.
    """

    ids: Sequence[int]
    state: Any
    text: TextUnderWay
    deadline: float
    keeps: bool = False
    listens: bool = False
    place: Place | None = None
    problem: Problem | None = None
    cancelled: bool = False
    ended: bool = False
    written: int = 0
    on_end: Callable[[Job], None] | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _pieces: deque[str] = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def reads_only(self) -> bool:
        """Whether nothing is to be written."""
        return self.text.done and not self.written

    def add(self, piece: str) -> None:
        """Of the engine: more of the text."""
        self.written += 1
        if piece:
            self._pieces.append(piece)

    async def pieces(self) -> AsyncIterator[str]:
        """The text as it is written: what has come since it was last asked for.

        Raises:
            Problem: it came to nothing.
        """
        self.listens = True
        while True:
            ended = self.ended  # before its pieces are taken: none comes after
            if piece := self._taken():
                yield piece
            if ended:
                break
            if not self._pieces and not self.ended:
                await self._news.wait()
            self._news.clear()
        if self.problem is not None:
            raise self.problem

    async def whole(self) -> str:
        """All of the text.

        Raises:
            Problem: it came to nothing.
        """
        while not self.ended:
            await self._news.wait()
            self._news.clear()
        if self.problem is not None:
            raise self.problem
        return self._taken()

    def wake(self) -> None:
        """In the loop: there is something new."""
        self._news.set()
        if self.ended and self.on_end is not None:
            on_end, self.on_end = self.on_end, None
            on_end(self)

    def _taken(self) -> str:
        return "".join(self._pieces.popleft() for _ in range(len(self._pieces)))


class EngineClosedError(Exception):
    """An engine takes nothing more: its run has another model, or the server ends."""


class Engine:
    """Writes the texts of one model.

    Args:
        rows: the model's sequences.
        capacity: texts side by side.
        queue: texts that may wait beside them.
        metrics: told of steps and tokens.
        name: of the thread.
    """

    def __init__(self, rows: Rows, capacity: int, queue: int, metrics: Metrics, name: str) -> None:
        self.rows, self._capacity, self._queue, self._metrics = rows, capacity, queue, metrics
        self._arrived: deque[Job] = deque()
        self._reading: list[Job] = []
        self._active: list[Job] = []  # by row
        self._tokens: list[int] = []  # by row: what each reads next
        self._to_wake: set[Job] = set()
        self._changed, self._closing = threading.Condition(), False
        self._thread = threading.Thread(target=self._run, name=f"engine {name}", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> Job:
        """Let a text be written when its turn comes.

        Raises:
            Problem: 429, too many wait.
            EngineClosedError: it takes nothing more.
        """
        with self._changed:
            waiting = len(self._arrived) + len(self._reading) + len(self._active) - self._capacity
            if waiting >= self._queue:
                raise Problem(429, f"{waiting:,} texts wait already; ask again later", {"Retry-After": "1"})
            if self._closing:
                raise EngineClosedError
            self._arrived.append(job)
            self._changed.notify()
        return job

    @property
    def busy(self) -> int:
        """Texts under way or waiting."""
        return len(self._arrived) + len(self._reading) + len(self._active)

    def close(self) -> None:
        """Take nothing more; end once all texts are written."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    @torch.inference_mode()
    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._arrived or self._reading or self._active or self._closing):
                    self._changed.wait()
                if self._closing and not self.busy:
                    return
            try:
                self._drop()
                self._admit()
                self._read()
                if self._active:
                    self._step()
            except Exception as error:
                self._fail(error)
            self._tell()

    def _drop(self) -> None:
        """Let go of those that nobody waits for any more, and of those that took too long."""
        now = time.monotonic()
        for row in range(len(self._active) - 1, -1, -1):
            job = self._active[row]
            if job.cancelled or now > job.deadline:
                self._end_at(row, _late(job))
        for job in [job for job in (*self._reading, *self._arrived) if job.cancelled or now > job.deadline]:
            (self._reading if job in self._reading else self._arrived).remove(job)
            self._end(job, _late(job))

    def _admit(self) -> None:
        while self._arrived and len(self._reading) + len(self._active) < self._capacity:
            self._reading.append(self._arrived.popleft())

    def _read(self) -> None:
        """Read on in prompts: those with one token left join the batch, of one of the others a part is read."""
        read = 0
        for job in list(self._reading):
            if len(job.ids) > 1 and read and self._active:
                continue
            if job.reads_only or self.rows.batched:
                read += len(job.ids) > 1
                self._read_some(job)
            else:
                read += 1
                scores, state = self.rows.begin(job.ids, job.state)
                self._reading.remove(job)
                self._join(job, state, self._take(job, self.rows.choose(scores, [job.text])[0]))

    def _read_some(self, job: Job) -> None:
        if some := job.ids[: min(_READ_AT_ONCE, len(job.ids) - 1)]:
            job.state = self.rows.read(some, job.state)
            job.ids = job.ids[len(some) :]
        if len(job.ids) == 1:
            self._reading.remove(job)
            if job.reads_only:
                job.place = Place(job.state, job.ids[0], job.text.after)
                self._end(job)
            else:
                self._join(job, job.state, job.ids[0])

    def _join(self, job: Job, state: Any, token: int) -> None:
        if job.text.done:  # of one token
            job.place = Place(state, token, job.text.after)
            self._end(job)
            return
        self.rows.join(state)
        self._active.append(job)
        self._tokens.append(token)
        job.ids, job.state = (), None

    def _step(self) -> None:
        """One step of all."""
        began = time.perf_counter()
        count = len(self._active)
        scores = self.rows.step(self._tokens)
        self._tokens = self.rows.choose(scores, [job.text for job in self._active])
        for job, token in zip(self._active, self._tokens, strict=True):
            self._take(job, token)
        for row in range(count - 1, -1, -1):
            if self._active[row].text.done:
                self._end_at(row)
        self._metrics.step(count, time.perf_counter() - began)

    def _take(self, job: Job, token: int) -> int:
        job.add(job.text.take(token))
        if job.listens:
            self._to_wake.add(job)
        return token

    def _leave(self, row: int) -> Any:
        """Take a text out of the batch; the last one has its row then."""
        state = self.rows.leave(row)
        self._active[row], self._tokens[row] = self._active[-1], self._tokens[-1]
        self._active.pop()
        self._tokens.pop()
        return state

    def _end_at(self, row: int, problem: Problem | None = None) -> None:
        """End a text where it stands."""
        job, token = self._active[row], self._tokens[row]
        state = self._leave(row)
        if job.keeps:
            job.place = Place(state, token, job.text.after)
        self._end(job, problem)

    def _end(self, job: Job, problem: Problem | None = None) -> None:
        job.problem, job.ended = problem, True
        self._to_wake.add(job)

    def _tell(self) -> None:
        """Wake those who wait, all at once: a call into their loop for each would cost more than the step."""
        waking, self._to_wake = self._to_wake, set()
        for loop in {job.loop for job in waking}:
            own = [job for job in waking if job.loop is loop]
            try:
                loop.call_soon_threadsafe(_wake, own)
            except RuntimeError:  # the loop has ended, and nobody waits
                continue

    def _fail(self, error: Exception) -> None:
        """What a step came to that nobody expected: all texts of it end, others go on."""
        problem = problem_of(error)
        while self._active:
            job = self._active[-1]
            self._leave(len(self._active) - 1)
            self._end(job, problem)
        for job in self._reading:
            self._end(job, problem)
        self._reading.clear()


def _late(job: Job) -> Problem:
    return Problem(
        503, "cancelled" if job.cancelled else "no end within the time that this server allows; ask for less"
    )


def _wake(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.wake()
