"""State carried from one piece of a sequence to the next, in the open: the module itself remembers nothing."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ostinato.core.legend import State


class KeptState:
    """Holds the final state of one piece as the initial state of the next, as truncated backpropagation wants it.

        kept = KeptState()
        for x in pieces:                       # [T, N, D] each, the next going on where the last one ended
            output, state = layer(x, kept.state)
            kept.keep(state)                   # detached: no gradient flows into the piece before

    Attributes:
        state: what to pass to a layer or model: None (start from zeros), or the state kept last.
    """

    def __init__(self, state: State | None = None) -> None:
        self.state: State | None = None
        if state is not None:
            self.keep(state)

    def keep(self, state: State | Tensor) -> None:
        """Remember a state, cut off from the graph that made it."""
        fields = (state,) if isinstance(state, Tensor) else state
        self.state = tuple(field.detach() for field in fields)

    def reset(self, rows: Tensor | None = None) -> None:
        """Forget everything, or only the sequences that `rows` names (`[N]` bool, or indices).

        The batch is taken to be the state's second dimension, `[L*S, N, ...]`.
        """
        if rows is None:
            self.state = None
        elif self.state is not None:
            self.state = tuple(field.clone() for field in self.state)
            for field in self.state:
                field[:, rows] = 0

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors to save, one a field; empty where nothing is kept."""
        return {str(index): field for index, field in enumerate(self.state or ())}

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave, in any order."""
        fields = tuple(tensors[key] for key in sorted(tensors, key=int))
        self.state = tuple(torch.as_tensor(field) for field in fields) or None
