"""Sequences of unequal length, padded on the right."""

import torch
from torch import Tensor


def valid_steps(lengths: Tensor, T: int) -> Tensor:
    """`[T, N]` bool: whether a step is within its sequence, of `lengths` [N]; on their device."""
    return torch.arange(T, device=lengths.device).unsqueeze(1) < lengths


def per_sequence(flags: Tensor, field: Tensor) -> Tensor:
    """Flags `[..., N]`, shaped to go with each sequence's part of a field `[..., N, ...]`, whatever its size."""
    return flags.reshape(*flags.shape, *[1] * (field.dim() - flags.dim()))
