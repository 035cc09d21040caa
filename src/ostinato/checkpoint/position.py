"""Where a training stands: plain numbers, saved with every checkpoint."""

from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from msgspec import Meta

#: A whole number that is counted up from 0.
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 62)]


@dataclass
class Interval:
    """Sums since the last line of metrics.

    Attributes:
        steps: optimiser steps.
        tokens: tokens of this process, or whatever the job's unit is.
        loss: sum over the tokens.
        gradient_norm: sum over the steps, before clipping.
        clipped: steps whose gradient was clipped.
    """

    steps: Count = 0
    tokens: Count = 0
    loss: float = 0.0
    gradient_norm: float = 0.0
    clipped: Count = 0

    def add(self, loss: float, tokens: int, norm: float, clipped: bool) -> None:
        """Take note of one step."""
        self.steps += 1
        self.tokens += tokens
        self.loss += loss * tokens
        self.gradient_norm += norm
        self.clipped += clipped


@dataclass
class Position:
    """Where training stands.

    Attributes:
        tokens: trained on, or whatever the job's unit is.
        best: the figure that the best weights are chosen by, the lowest validation loss for most, at its best.
        best_figures: all figures of that validation.
        lowest: the lowest validation loss.
        planned_epochs: those it finished with.
    """

    epoch: Count = 0
    piece: Count = 0
    step: Count = 0
    tokens: Count = 0
    progress: float = 0.0
    best: float | None = None
    best_step: Count = 0
    best_figures: dict[str, float] = field(default_factory=dict)
    lowest: float | None = None
    since_best: Count = 0
    validated_step: Annotated[int, Meta(ge=-1, le=1 << 62)] = -1
    finished: bool = False
    planned_epochs: Count | None = None
    seconds: float = 0.0
    interval: Interval = field(default_factory=Interval)
