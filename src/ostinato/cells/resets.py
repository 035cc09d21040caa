"""Resets inside a sequence: steps before which a new document or episode begins, with a state of its own."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.core.lengths import per_sequence, valid_steps


class Resets(NamedTuple):
    """Where a run over sequences starts anew, and from which state.

    Attributes:
        before: `[T, N]` bool: before these steps, in the order in which the run takes them; of any content beyond a
            sequence's length.
        state: the state that a sequence then has, `[N, ...]` a field. Gradients go there, and none to the steps before.
    """

    before: Tensor
    state: Any

    def to(self, dtype: torch.dtype) -> "Resets":
        """The same with the state in another dtype."""
        return Resets(self.before, type(self.state)(*(field.to(dtype) for field in self.state)))

    def applied(self, t: int, state: Any) -> Any:
        """The state before step t as the step finds it."""
        before = self.before[t]
        pairs = zip(self.state, state, strict=True)
        return type(state)(*(torch.where(per_sequence(before, old), new, old) for new, old in pairs))


def seen_from_the_end(before: Tensor, lengths: Tensor | None) -> Tensor:
    """The steps before which a run from the last step to the first starts anew, so that what is one document forward is
    one backward too: where a document begins at step t, the one before it is entered at its last step, t - 1.

    Args:
        before: `[T, N]` bool: the first steps of documents.
        lengths: `[N]`, or None where all are T; what lies beyond them borders on nothing.
    """
    if lengths is not None:
        before = before & valid_steps(lengths.to(before.device), before.shape[0])
    return torch.cat((before, before.new_zeros(1, before.shape[1])))[1:]
