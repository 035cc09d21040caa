"""Listens to a training, and says what goes wrong: once each, and at the end what is still so."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from statistics import median
from typing import TypeVar

import torch
from torch import Tensor, nn

from ostinato.advice.course import RULES, Course
from ostinato.advice.looking import Look, dead, in_eval_mode, look, saturated, vanishing
from ostinato.advice.words import GUESSING, TOO_HIGH, VANISHING
from ostinato.checkpoint import RunFolder
from ostinato.config.training import TrainingOptions
from ostinato.core.advice import Advice
from ostinato.core.batch import Batch
from ostinato.training import Job, Observer
from ostinato.training.events import Advised, Begun, Ended, Event, Trained, Validated, Where
from ostinato.training.metrics import said_in

#: Share of the training after which the model is looked at: at the first validation from there on.
LOOKS = (0.2, 0.5, 0.9)
#: Share of the training's time that looking may take.
BUDGET = 0.01
#: Batches whose loss is measured before the first step: one for so many steps, at most four.
STEPS_A_BATCH, MOST_BATCHES = 50, 4
#: Entries of each matrix of weights that are kept, to see how far it moves.
SAMPLED = 1_000

T = TypeVar("T")


class Adviser:
    """Observes a training in front of others, who hear what it has to say besides all that happens.

    It changes nothing: with it and without it a training ends in the same weights, to the last bit.

    Args:
        others: who is told of everything, advice included.
        job: what is trained.
        training: how.
        fresh: whether the training begins with random weights.
    """

    def __init__(
        self,
        others: Iterable[Observer],
        job: Job,
        training: TrainingOptions,
        *,
        fresh: bool = True,
    ) -> None:
        self._others, self._job, self._fresh = tuple(others), job, fresh
        self._course = Course(
            job.measured,
            clip=training.clip,
            lr=job.lr if training.lr is None else training.lr,
            default_lr=job.lr,
            chooses=job.best is not None,
            guess=cache(job.guess or (lambda: None)),
            moved=lambda: None if self._start is None else _moved(job.model, self._start),
        )
        self._start: dict[str, Tensor] | None = None
        self._said: dict[str, Advice] = {}
        self._before: set[str] = set()  # by an earlier command, of a training that goes on
        self._looked: list[Look] = []
        self._spent, self._last, self._began, self._next = 0.0, 0.0, 0.0, 0

    def __call__(self, event: Event) -> None:
        """Something has happened."""
        if isinstance(event, Ended):
            self._conclude(event)
            self._tell(event)  # nothing comes after this
            return
        self._tell(event)
        match event:
            case Begun():
                self._begin(event)
            case Trained():
                self._course.intervals.append(event)
                if len(self._course.intervals) >= self._next:  # rules look at all of them: seldom, where they are many
                    self._next = 1 + int(1.05 * len(self._course.intervals))
                    self._advise(event.at)
            case Validated():
                self._course.validations.append(event)
                self._look_if_due(event.at)
                self._advise(event.at)

    def _tell(self, event: Event) -> None:
        for other in self._others:
            other(event)

    def _begin(self, event: Begun) -> None:
        self._before = {advice.name for advice in said_in(RunFolder(event.folder).metrics)}
        self._began = event.at.seconds
        if not self._fresh or event.at.step:
            return
        self._start = _sample(self._job.model)
        self._course.first_losses = self._timed(lambda: self._losses(event.epochs))

    def _losses(self, epochs: int | None) -> list[float]:
        """Of some batches, before the first step."""
        job, count = self._job, len(self._job.batches)
        steps = count * epochs if epochs else STEPS_A_BATCH * MOST_BATCHES
        wanted = min(MOST_BATCHES, count, steps // STEPS_A_BATCH)
        with in_eval_mode(job.model), torch.no_grad():
            pieces = (job.batches.piece(number * count // wanted) for number in range(wanted))
            try:
                return [float(job.loss(job.model(piece.inputs, **piece.arguments()), piece)) for piece in pieces]
            except RuntimeError:  # no room, say: the training finds out by itself
                return []

    def _timed(self, work: Callable[[], T]) -> T:
        began = time.monotonic()
        found = work()
        self._last = time.monotonic() - began
        self._spent += self._last
        return found

    def _look_if_due(self, at: Where) -> None:
        """Look at the model, where the training is far enough and long enough."""
        if len(self._looked) == len(LOOKS) or at.progress < LOOKS[len(self._looked)]:
            return
        if self._spent + self._last > BUDGET * (at.seconds - self._began):
            return
        batches = self._job.batches
        self._looked.append(self._timed(lambda: self._look(batches.piece(len(batches) // 2), at.step)))

    def _look(self, batch: Batch, step: int) -> Look:
        return look(self._job.model, batch, self._job.loss, step)

    def _found(self, *, ended: bool) -> list[Advice]:
        """All that is to be said now."""
        found = [rule(self._course, ended=ended) for rule in RULES]
        found += [_lasting(self._looked, rule, ended=ended) for rule in (dead, saturated)]
        if self._looked and any(advice is not None and advice.name == GUESSING for advice in found):
            found.append(vanishing(self._looked[-1]))
        told = {advice.name: advice for advice in found if advice is not None}
        if TOO_HIGH in told.keys() | self._said.keys() | self._before:  # that is why: other reasons would lead astray
            told = {name: advice for name, advice in told.items() if name not in (GUESSING, VANISHING)}
        return list(told.values())

    def _advise(self, at: Where) -> None:
        for advice in self._found(ended=False):
            self._say(at, advice)

    def _say(self, at: Where, advice: Advice) -> None:
        if advice.name not in self._said.keys() | self._before:
            self._said[advice.name] = advice
            self._tell(Advised(at, advice))

    def _conclude(self, event: Ended) -> None:
        """At the end: what only then can be said, and what has been said and is still so."""
        if event.how != "finished":
            return
        said = set(self._said)
        for advice in self._found(ended=True):
            if advice.name in said | self._before:
                self._tell(Advised(event.at, advice, still=True))
            else:
                self._say(event.at, advice)


def _lasting(looked: Sequence[Look], rule: Callable[[Look], Advice | None], *, ended: bool) -> Advice | None:
    """What a rule says of the last look, where it says it of the one before too, or there is no other."""
    if len(looked) < (1 if ended else 2):
        return None
    found = [rule(one) for one in looked[-2:]]
    return found[-1] if None not in found else None


def _sample(model: nn.Module) -> dict[str, Tensor]:
    """Some entries of each matrix that learns, by name."""
    return {
        name: weight.detach().flatten()[:: max(1, weight.numel() // SAMPLED)].clone()
        for name, weight in model.named_parameters()
        if weight.ndim > 1 and weight.requires_grad
    }


def _moved(model: nn.Module, start: dict[str, Tensor]) -> float | None:
    """How far matrices have moved, as a share of the size they began with: the median over those that had one."""
    now = _sample(model)
    pairs = [(now[name], before) for name, before in start.items() if name in now and bool(before.any())]
    return median(float((after - before).norm() / before.norm()) for after, before in pairs) if pairs else None
