"""Where a training stands: plain numbers, saved with every checkpoint; what `checkpoint/latest.json` holds."""

from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from msgspec import Meta

from ostinato.core.results import Result

#: A whole number that is counted up from 0.
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 62)]


@dataclass
class Interval:
    """Sums since the last line of metrics."""

    steps: Annotated[Count, "optimiser steps"] = 0
    tokens: Annotated[Count, "tokens of the first process, or whatever the job's unit is"] = 0
    loss: Annotated[float, "sum over them"] = 0.0
    gradient_norm: Annotated[float, "sum over the steps, before clipping"] = 0.0
    clipped: Annotated[Count, "steps whose gradient was clipped"] = 0

    def add(self, loss: float, tokens: int, norm: float, clipped: bool) -> None:
        """Take note of one step; `loss` is the sum over its tokens."""
        self.steps += 1
        self.tokens += tokens
        self.loss += loss
        self.gradient_norm += norm
        self.clipped += clipped


@dataclass
class Position:
    """Where training stands."""

    epoch: Annotated[Count, "whole passes so far"] = 0
    piece: Annotated[Count, "batches of the next one so far"] = 0
    step: Annotated[Count, "optimiser steps so far"] = 0
    tokens: Annotated[Count, "tokens trained on, or whatever the job's unit is"] = 0
    progress: Annotated[float, "share of the training that is done"] = 0.0
    best: Annotated[
        float | None, "the figure that weights are chosen by, the validation loss for most, at its best"
    ] = None
    best_step: Annotated[Count, "the step of that validation"] = 0
    best_figures: Annotated[dict[str, float], "all figures of that validation"] = field(default_factory=dict)
    lowest: Annotated[float | None, "the lowest validation loss"] = None
    since_best: Annotated[Count, "validations since the best one"] = 0
    validated_step: Annotated[int, Meta(ge=-1, le=1 << 62), "the step of the last validation; -1 before any"] = -1
    finished: Annotated[bool, "whether training is over"] = False
    planned_epochs: Annotated[Count | None, "those it was to have; null without a number"] = None
    seconds: Annotated[float, "of training so far, in all commands"] = 0.0
    interval: Annotated[Interval, "sums since the last line of metrics"] = field(default_factory=Interval)


class SavedTensors(Result):
    """Which tensors belong to it."""

    tensors: Annotated[str | None, "the file beside this one that holds them; null where `trim` removed it"]
    layout: Annotated[str, "a digest of their names, kinds and shapes"]


class SavedTraining(Result):
    """Where it stands."""

    position: Annotated[Position, "where training stands"]
    schedule: Annotated[dict[str, Any], "what the schedule of learning rates remembers"]
    metrics_bytes: Annotated[Count, "how much of metrics.jsonl belongs to it"]
