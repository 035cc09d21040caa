"""The layouts a sequence can arrive in, brought to `[T, N, D]` and back; and what a wrong shape is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

if TYPE_CHECKING:
    from ostinato.layers.recurrent import Recurrent


class Sequences(NamedTuple):
    """Sequences in the package's own layout, with what it takes to go back.

    Attributes:
        x: `[T, N, D]`.
        lengths: `[N]`, or None.
        batch_first: the input was `[N, T, D]`.
        batched: False where the input was one sequence, `[T, D]`.
        packed: the PackedSequence the input was, or None.
    """

    x: Tensor
    lengths: Tensor | None
    batch_first: bool = False
    batched: bool = True
    packed: PackedSequence | None = None

    @classmethod
    def of(cls, input: Tensor | PackedSequence, lengths: Tensor | None, *, batch_first: bool) -> Sequences:
        """Read any accepted layout."""
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ValueError("a PackedSequence holds its lengths: expected lengths=None beside it")
            x, lengths = pad_packed_sequence(input)
            # Batches without a single long and a single short sequence need no mask, and run fused.
            return cls(x, None if bool((lengths == x.shape[0]).all()) else lengths, packed=input)
        if lengths is not None:
            lengths = torch.as_tensor(lengths)
        if input.dim() == 2:
            lengths = lengths.reshape(1) if lengths is not None else None
            return cls(input.unsqueeze(1), lengths, batched=False)
        if input.dim() != 3:
            raise ValueError(f"expected input of 3 dimensions (2 for one sequence), got {tuple(input.shape)}")
        return cls(input.transpose(0, 1) if batch_first else input, lengths, batch_first)

    @property
    def batch_size(self) -> int:
        """N."""
        return self.x.shape[1]

    def restore(self, output: Tensor) -> Any:
        """Lay an output `[T, N, O]` out as the input was."""
        if self.packed is not None:
            return self._pack(output, self.packed)
        if not self.batched:
            return output.squeeze(1)
        return output.transpose(0, 1) if self.batch_first else output

    def _pack(self, output: Tensor, packed: PackedSequence) -> PackedSequence:
        lengths = self.lengths
        if lengths is None:
            lengths = torch.full((self.batch_size,), self.x.shape[0])
        if packed.sorted_indices is not None:
            output = output.index_select(1, packed.sorted_indices)
            lengths = lengths[packed.sorted_indices.cpu()]
        data = pack_padded_sequence(output, lengths).data
        return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


def check(layer: Recurrent, view: Sequences, state: Any) -> None:
    """Refuse what does not fit.

    Raises:
        ValueError: says what was expected and what came.
    """
    T, N, D = view.x.shape
    weight = next(layer.parameters())
    if layer.input_size != D:
        raise ValueError(f"expected {layer.input_size} features in the input's last dimension, got {D}")
    if view.x.dtype != weight.dtype and not torch.is_autocast_enabled(view.x.device.type):
        raise ValueError(f"expected input of the layer's dtype {weight.dtype}, got {view.x.dtype}: use input.to(...)")
    if view.x.device != weight.device:
        raise ValueError(f"expected input on the layer's device {weight.device}, got {view.x.device}")
    directions = 2 if layer.bidirectional else 1
    like = layer.cell.initial_state(N, weight)
    for name, field, one in zip(like._fields, state, like, strict=True):
        expected = (layer.num_layers * directions, *one.shape)
        if tuple(field.shape) != expected:
            raise ValueError(
                f"expected the initial state's {name} as {expected} (layers, N, size), got {tuple(field.shape)}"
            )
    if view.lengths is None:
        return
    if view.lengths.dtype.is_floating_point or view.lengths.dtype == torch.bool:
        raise ValueError(f"expected lengths of an integer dtype, got {view.lengths.dtype}")
    if view.lengths.shape != (N,):
        raise ValueError(f"expected one length for each of the {N} sequences, got shape {tuple(view.lengths.shape)}")
    if N and not 0 <= int(view.lengths.min()) <= int(view.lengths.max()) <= T:
        raise ValueError(f"expected lengths from 0 to {T} (the padded steps), got {view.lengths.tolist()}")
