"""Penalties on what a recurrent stack gives, beside the loss."""

from typing import Protocol

from torch import Tensor


class HasOutputs(Protocol):
    """A model output that shows its stack's outputs `[T, N, E]`: after dropout, and `raw` before it."""

    hidden: Tensor
    raw: Tensor | None


def activation_penalty(output: HasOutputs, ar: float, tar: float) -> Tensor:
    """Ar * mean((m * h_t)^2) + tar * mean((h_t - h_{t-1})^2), with m the dropout's mask (Merity et al. 2017,
    arXiv:1708.01009): outputs are kept small, and from changing much from one step to the next.

    Raises:
        ValueError: tar of an output without `raw`.
    """
    penalty = ar * output.hidden.square().mean()
    if not tar:
        return penalty
    if output.raw is None:
        raise ValueError("temporal activation regularisation: expected an output with `raw`, got None there")
    changes = output.raw.diff(dim=0)
    return penalty + tar * changes.square().sum() / max(changes.numel(), 1)  # of one step there are none
