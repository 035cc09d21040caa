"""What a training stands at when a loss, a gradient or a weight is no number: for who says why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn

from ostinato.core.advice import Advice
from ostinato.core.batch import Batch
from ostinato.core.legend import State


@dataclass(frozen=True)
class NotFinite:
    """A step that was not taken.

    Attributes:
        found: what was found, and where, in words.
        model: as it was before the step; gradients are those of the step, where it came to them.
        loss: of an output and a batch.
        batches: that the step is of, or the last one before what was found; with the state each began with.
        carried: whether the model is called with that state.
        lr: learning rate of the step.
        clip: bound of the gradient's norm; 0 for none.
        again: computes once more, of the model as it is, what gave what was found, where that was none of the batches.
    """

    found: str
    model: nn.Module
    loss: Callable[[Any, Batch], Tensor]
    batches: Sequence[tuple[Batch, State | None]]
    carried: bool
    lr: float
    clip: float
    again: Callable[[], object] | None = None


#: Says what became not finite first, why, and what to do.
Explaining: TypeAlias = Callable[[NotFinite], Advice]
