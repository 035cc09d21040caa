"""What happens in a training, said once: whoever shows, writes down or passes on any of it observes these.

All of it is plain numbers and text, so that it can be sent on as JSON.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from ostinato.checkpoint.position import Position
from ostinato.core.advice import Advice


class Where(msgspec.Struct, frozen=True):
    """Where a training stands.

    Attributes:
        step: optimiser steps so far.
        epoch: the one that the last step was of, from 1; 0 before any.
        seen: tokens trained on, or whatever the job's unit is.
        progress: share of the training that is done.
        seconds: of training so far, in all commands.
    """

    step: int
    epoch: int
    seen: int
    progress: float
    seconds: float

    @classmethod
    def of(cls, at: Position) -> "Where":
        """A position as it is now."""
        return cls(at.step, at.epoch + (at.piece > 0), at.tokens, at.progress, at.seconds)


class Begun(msgspec.Struct, frozen=True, tag=True):
    """A training begins, or goes on.

    Attributes:
        folder: of the run, for now.
        about: one line on what is trained, and on what it is validated; may be empty.
        epochs: the last epoch; None where only the clock ends training.
        unit: what is counted: "tokens", "examples", "windows".
        measured: what validations measure, in a word.
    """

    folder: str
    at: Where
    about: str
    epochs: int | None
    unit: str
    measured: str


class Trained(msgspec.Struct, frozen=True, tag=True):
    """An interval of training is over.

    Attributes:
        figures: loss, the mean over the interval, and what people read of it, where there is such a figure.
        lr: learning rate of its last step.
        gradient_norm: before clipping, the mean over its steps.
        clipped: share of its steps whose gradient was.
        speed: units a second.
        seconds_left: until the clock ends the training, at most; None without a time limit.
        waiting: share of the time that processes waited for each other, the mean over them; None where there is one.
    """

    at: Where
    figures: dict[str, float]
    lr: float
    gradient_norm: float
    clipped: float
    speed: float
    seconds_left: float | None
    waiting: float | None = None


class Validated(msgspec.Struct, frozen=True, tag=True):
    """A validation is over, with figures by name, `loss` among them.

    Attributes:
        kept: whether these weights are now the run's.
        best: whether that is because they are the best so far.
    """

    at: Where
    figures: dict[str, float]
    kept: bool
    best: bool


class Saved(msgspec.Struct, frozen=True, tag=True):
    """A checkpoint has been written."""

    at: Where


class Moved(msgspec.Struct, frozen=True, tag=True):
    """The run's folder now lies where it belongs, in the place of one that stood there perhaps."""

    folder: str


class Advised(msgspec.Struct, frozen=True, tag=True):
    """Something goes wrong, in words.

    Attributes:
        still: whether it was said before, and is still so at the training's end.
    """

    at: Where
    advice: Advice
    still: bool = False


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The training is over; nothing comes after this.

    Attributes:
        how: "interrupted" by Ctrl-C and the like; "failed" by an error, which is raised.
    """

    at: Where
    how: Literal["finished", "interrupted", "failed"]


Event: TypeAlias = Begun | Trained | Validated | Saved | Moved | Advised | Ended

#: Called with everything that happens, in the first process alone, in the order in which it happens. It takes what it
#: has a use for and passes over the rest. What it raises ends the training.
Observer: TypeAlias = Callable[[Event], None]
