"""Sequences that come step by step, whose steps are taken side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from ostinato.serving.engine import Job
from ostinato.serving.problems import problem_of
from ostinato.tasks.stepping import Steps


@dataclass(eq=False, kw_only=True)
class StepsJob(Job):
    """Steps of a sequence that somebody wants to be answered.

    Attributes:
        sequence: of the task's.
        steps: those that have no answer yet.
    """

    sequence: Any
    steps: deque[Any]
    answers_left: deque[Any] = field(default_factory=deque)

    async def answers(self) -> AsyncIterator[Any]:
        """What is said after each step, as it is found.

        Raises:
            Problem: a step that cannot be read; what was said of those before it has come.
        """
        async for _ in self.changes():
            while self.answers_left:
                yield self.answers_left.popleft()


class AnswersToSteps:
    """The work of a model that answers steps.

    Args:
        steps: its sequences.
        computing: held while it computes, with what else does with the run.
    """

    def __init__(self, steps: Steps, computing: AbstractContextManager[Any]) -> None:
        self.steps, self.at_once, self._computing = steps, steps.at_once, computing

    def short(self, job: StepsJob) -> bool:
        """Always: there is nothing to do before a step."""
        return True

    def prepare(self, job: StepsJob, *, beside: bool) -> bool:
        """Nothing."""
        job.done = not job.steps
        return True

    def step(self, jobs: Sequence[StepsJob]) -> None:
        """One of each; one that cannot be read ends its job alone."""
        taken, read = list[StepsJob](), list[Any]()
        for job in jobs:
            try:
                read.append(self.steps.read(job.sequence, job.steps.popleft()))
                taken.append(job)
            except Exception as error:
                job.problem, job.done = problem_of(error), True
        if not taken:
            return
        with self._computing:
            answers = self.steps.push([job.sequence for job in taken], read)
        for job, answer in zip(taken, answers, strict=True):
            job.answers_left.append(answer)
            job.done = not job.steps

    def leave(self, job: StepsJob, *, broken: bool) -> None:
        """The sequence stays with whom it belongs to."""
