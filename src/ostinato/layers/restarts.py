"""Resets of a call, as each layer and direction takes them."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.cells.resets import Resets, seen_from_the_end
from ostinato.core.errors import TensorError
from ostinato.layers.shapes import Sequences
from ostinato.layers.stack import Stack

#: By name, what a reset brings: each cell's own initial state, or that of the call.
CHOICES = ("zeros", "initial")


class Restarts(NamedTuple):
    """Where documents or episodes begin, and the state that each begins with.

    Attributes:
        before: `[T, N]` bool, the first steps of documents, in the package's own layout and without gaps.
        lengths: `[N]`, or None.
        state: of all layers, as `Stack` joins it; None for each cell's own initial state.
    """

    before: Tensor
    lengths: Tensor | None
    state: Any

    @classmethod
    def of(cls, resets: Tensor, view: Sequences, state: Any) -> "Restarts":
        """Those of a call.

        Args:
            resets: as it was passed, laid out as the input.
            view: the input.
            state: as above.

        Raises:
            TensorError: another shape or dtype.
        """
        (T, N), given = view.x.shape[:2], resets
        if not isinstance(resets, Tensor) or resets.dtype != torch.bool:
            kind = resets.dtype if isinstance(resets, Tensor) else type(resets).__name__
            raise TensorError(f"expected resets of torch.bool, True where a document begins, got {kind}")
        if not view.batched:
            resets = resets.unsqueeze(-1)
        elif view.batch_first and resets.dim() == 2:
            resets = resets.transpose(0, 1)
        if tuple(resets.shape) != (T, N):
            raise TensorError(
                f"expected resets of the input's steps and sequences, [T, N] = ({T}, {N}) once laid out as the input, "
                f"got {tuple(given.shape)}"
            )
        before = resets.to(view.x.device)
        return cls(before if view.gaps is None else view.gaps.closed_borders(before), view.lengths, state)

    def part(self, stack: Stack, layer: int, direction: int, reverse: bool, like: Tensor) -> Resets:
        """Those of one layer and direction.

        Args:
            stack: the cells.
            layer: from 0.
            direction: 0 or 1.
            reverse: it runs from the end to the start.
            like: a parameter.
        """
        if self.state is None:
            state = stack.cells[layer].initial_state(self.before.shape[1], like)
        else:
            state = stack.part(self.state, layer, direction)
        return Resets(seen_from_the_end(self.before, self.lengths) if reverse else self.before, state)
