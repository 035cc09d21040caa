"""Recurrent layers of torch.nn over padded sequences."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def recurrent(input_size: int, kind: str, **options: Any) -> nn.Module:
    """nn.RNN, nn.LSTM or nn.GRU, by its name."""
    made: nn.Module = getattr(nn, kind)(input_size, **options)
    return made


def run_padded(layer: Any, x: Tensor, lengths: Tensor, state: Any = None) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a layer over sequences `[T, N, D]`, padded on the right, of which `lengths` `[N]` steps are valid, 0 to T.

    Returns the outputs, zero beyond a length, and the state after each sequence's last step, as a tuple of its fields.
    """
    T, N = x.shape[:2]
    before = zeros(layer, N) if state is None else tuple(state)
    if not T * N:  # nothing to pack
        return x.new_zeros(T, N, before[0].shape[-1] * (2 if layer.bidirectional else 1)), before
    packed = pack_padded_sequence(x, lengths.clamp(min=1), enforce_sorted=False)  # which takes no empty sequence
    output, after = layer(packed, before if len(before) > 1 else before[0])
    output, _ = pad_packed_sequence(output, total_length=T)
    output = output * (torch.arange(T)[:, None] < lengths).unsqueeze(-1)
    fields = after if isinstance(after, tuple) else (after,)
    some = (lengths > 0).unsqueeze(-1)
    return output, tuple(new.where(some, old) for new, old in zip(fields, before, strict=True))


def run(layer: Any, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a layer over whole sequences `[T, N, D]` from a state, a tuple of its fields."""
    output, after = layer(x, state if len(state) > 1 else state[0])
    return output, after if isinstance(after, tuple) else (after,)


def zeros(layer: Any, N: int) -> tuple[Tensor, ...]:
    """The state that a layer begins with."""
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    h = torch.zeros(rows, N, layer.proj_size or layer.hidden_size)
    return (h, torch.zeros(rows, N, layer.hidden_size)) if layer.mode == "LSTM" else (h,)
