"""Texts that are written side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from ostinato.serving.engine import Job
from ostinato.serving.metrics import Metrics
from ostinato.tasks.stepping import Rows, TextUnderWay

#: Tokens of a prompt that are read between two steps of others, and while there are no others.
_BESIDE, _ALONE = 16, 64
#: Tokens that are read by steps, among those of others: each costs a row, a quarter of what it costs by itself.
_BY_STEPS = 8
#: Pieces of a text that wait for a client that takes it as it is written; then it is written on when they are taken.
_AHEAD = 1_000


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


@dataclass(eq=False, kw_only=True)
class TextJob(Job):
    """A text that somebody waits for.

    Attributes:
        ids: tokens to read before the first is written; one at least.
        state: to read them from.
        text: what is written.
        keeps: whether somebody wants the place where it ends.
        place: that, at the end.
    """

    ids: Sequence[int]
    state: Any
    text: TextUnderWay
    keeps: bool = False
    place: Place | None = None
    at: int | None = None  # of the model's sequences the one that writes it
    pieces_left: deque[str] = field(default_factory=deque)

    async def pieces(self) -> AsyncIterator[str]:
        """The text as it is written: what has come since it was last asked for.

        Raises:
            Problem: it came to nothing.
        """
        async for _ in self.changes():
            if piece := self._taken():
                yield piece

    async def whole(self) -> str:
        """All of the text.

        Raises:
            Problem: it came to nothing.
        """
        await self.end()
        return self._taken()

    @property
    def ahead(self) -> bool:
        """Whether its client takes less than is written."""
        return self.listens and len(self.pieces_left) >= _AHEAD

    def _taken(self) -> str:
        return "".join(self.pieces_left.popleft() for _ in range(len(self.pieces_left)))


class WritesTexts:
    """The work of a model that writes.

    Args:
        rows: its sequences.
        metrics: told of tokens.
    """

    def __init__(self, rows: Rows, metrics: Metrics) -> None:
        self.rows, self.at_once, self._metrics = rows, rows.at_once, metrics

    def short(self, job: TextJob) -> bool:
        """Whether what is left to read is read by steps."""
        return len(job.ids) <= (_BY_STEPS if self.rows.batched else job.text.done)

    def prepare(self, job: TextJob, *, beside: bool) -> bool:
        """Read on in the prompt."""
        if self.rows.batched or job.text.done:
            if not self.short(job):
                some = job.ids[: min(_BESIDE if beside else _ALONE, len(job.ids) - 1)]
                job.state, job.ids = self.rows.read(some, job.state), job.ids[len(some) :]
                if not self.short(job):
                    return False
        else:  # read by parts it would have other numbers
            scores, job.state = self.rows.begin(job.ids, job.state)
            job.ids = self.rows.choose(scores, [job.text])
            _take(job)
        _read_on(job)
        if not job.done:
            job.at, job.state = self.rows.join(job.state), None
        return True

    def step(self, jobs: Sequence[TextJob]) -> None:
        """A token of each: the next of its prompt, or the next that it writes."""
        scores = self.rows.step([job.at or 0 for job in jobs], [job.ids[0] for job in jobs])
        writing = [row for row, job in enumerate(jobs) if len(job.ids) == 1]
        if len(writing) < len(jobs):
            scores = scores[writing]
            for job in jobs:
                if len(job.ids) > 1:
                    job.ids = job.ids[1:]
                    _read_on(job)
        writers = [jobs[row] for row in writing]
        for job, token in zip(writers, self.rows.choose(scores, [job.text for job in writers]), strict=True):
            job.ids, job.beginning = (token,), False
            _take(job)
        self._metrics.tokens.inc(len(writers))

    def leave(self, job: TextJob, *, broken: bool) -> None:
        """Say where it ended."""
        if job.at is not None:
            job.state, job.at = self.rows.leave(job.at), None
        if job.keeps and not broken and len(job.ids) == 1:
            job.place = Place(job.state, job.ids[0], job.text.after)


def _read_on(job: TextJob) -> None:
    job.done = job.text.done and len(job.ids) == 1
    job.beginning = True


def _take(job: TextJob) -> None:
    if piece := job.text.take(job.ids[0]):
        job.pieces_left.append(piece)
    job.done = job.text.done
