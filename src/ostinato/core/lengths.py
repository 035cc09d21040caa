"""Sequences of unequal length, padded on the right."""

import torch
from torch import Tensor


def valid_steps(lengths: Tensor, T: int) -> Tensor:
    """`[T, N]` bool: whether a step is within its sequence, of `lengths` [N]; on their device."""
    return torch.arange(T, device=lengths.device).unsqueeze(1) < lengths
