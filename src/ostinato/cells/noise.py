"""Noise on the state: recurrent dropout and zoneout, drawn once a sequence and applied to any cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.core.legend import State


@dataclass(frozen=True)
class StateNoise:
    """What one layer and direction draws before it runs over a sequence; empty, it changes nothing.

    Attributes:
        recurrent_mask: `[N, R]`, 0 or 1/(1-p), the same at every step: multiplies what the cell feeds back (Gal,
            Ghahramani 2016, arXiv:1512.05287).
        zoneout: `[T, N, ...]` a field of the state: the share of the old value that stays, 0 or 1 in training and
            the rate itself at evaluation (Krueger et al. 2017, arXiv:1606.01305).
    """

    recurrent_mask: Tensor | None = None
    zoneout: Sequence[Tensor] | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to apply."""
        return self.recurrent_mask is not None or self.zoneout is not None

    @property
    def requires_grad(self) -> bool:
        """Whether gradients by it are wanted: it may have been learned."""
        return any(tensor.requires_grad for tensor in self.tensors)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The mask and the shares, as far as there are any."""
        return (*(() if self.recurrent_mask is None else (self.recurrent_mask,)), *(self.zoneout or ()))

    def to(self, dtype: torch.dtype) -> "StateNoise":
        """The same masks in another dtype."""
        mask, zoneout = self.recurrent_mask, self.zoneout
        return StateNoise(
            None if mask is None else mask.to(dtype),
            None if zoneout is None else [share.to(dtype) for share in zoneout],
        )

    def steps(self, begin: int, end: int) -> "StateNoise":
        """That of the steps from begin to end."""
        return StateNoise(self.recurrent_mask, self.zoneout and [share[begin:end] for share in self.zoneout])

    @classmethod
    def draw(
        cls, state: State, steps: int, *, recurrent_dropout: float, zoneout: float, training: bool
    ) -> "StateNoise":
        """Draw the masks for a run of `steps` steps from `state`, whose first field is what the cell feeds back."""
        mask = held = None
        if recurrent_dropout and training:
            mask = torch.bernoulli(state[0].detach(), 1 - recurrent_dropout) / (1 - recurrent_dropout)
        if zoneout:
            if training:
                held = [field.new_full((steps, *field.shape), zoneout).bernoulli() for field in state]
            else:  # one row stands for all
                held = [field.new_full(field.shape[-1:], zoneout).expand(steps, *field.shape) for field in state]
        return cls(mask, held)
