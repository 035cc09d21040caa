"""The layouts a sequence can arrive in, brought to `[T, N, D]` and back; and what a wrong shape is told.

Where torch.nn has a message for a mistake, ours begins with its words: programs and their tests look for them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from ostinato import kernels
from ostinato.core.autocast import autocast_dtype
from ostinato.core.errors import TensorError
from ostinato.core.torch_private import check_when_run
from ostinato.layers.gaps import Gaps, are_padding, from_lengths, from_mask


class Sequences(NamedTuple):
    """Sequences in the package's own layout, with what it takes to go back.

    Attributes:
        x: `[T, N, D]`.
        lengths: `[N]`, or None.
        batch_first: the input was `[N, T, D]`.
        batched: False where the input was one sequence, `[T, D]`.
        packed: the PackedSequence the input was, or None.
        gaps: where the steps of `x`, which has none, lay in the input; None where it had none either.
    """

    x: Tensor
    lengths: Tensor | None
    batch_first: bool = False
    batched: bool = True
    packed: PackedSequence | None = None
    gaps: Gaps | None = None

    @classmethod
    def of(
        cls,
        input: Tensor | PackedSequence,
        lengths: Tensor | None,
        *,
        batch_first: bool,
        mask: Tensor | None = None,
        hold: bool = False,
    ) -> "Sequences":
        """Read any accepted layout.

        Args:
            input: sequences.
            lengths: their valid steps, or None.
            batch_first: of input and mask.
            mask: the steps that count, in place of lengths; laid out as the input.
            hold: outputs are wanted at every step, so that lengths too have to be known step by step.

        Raises:
            TensorError: a layout, lengths or a mask that does not fit; both of these two.
        """
        if mask is not None and (lengths is not None or isinstance(input, PackedSequence)):
            raise TensorError("expected a mask or lengths (a PackedSequence holds its own), got both: pass one")
        view = cls._laid_out(input, lengths, batch_first=batch_first)
        if mask is not None:
            return view._closed(mask, hold)
        if hold and view.packed is None and view.lengths is not None and view.lengths.shape == (view.batch_size,):
            return view._replace(gaps=from_lengths(view.lengths.to(view.x.device), view.x.shape[0]))
        return view

    @classmethod
    def _laid_out(cls, input: Tensor | PackedSequence, lengths: Any, *, batch_first: bool) -> "Sequences":
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise TensorError("a PackedSequence holds its lengths: expected lengths=None beside it")
            x, lengths = pad_packed_sequence(input)
            # Batches without a single long and a single short sequence need no mask, and run fused.
            return cls(x, None if bool((lengths == x.shape[0]).all()) else lengths, packed=input)
        if lengths is not None and not isinstance(lengths, Tensor):  # of a tensor, a trace makes a constant
            lengths = torch.as_tensor(lengths)
        if input.dim() == 2:
            lengths = lengths.unsqueeze(0) if lengths is not None and lengths.dim() == 0 else lengths
            return cls(input.unsqueeze(1), lengths, batched=False)
        if input.dim() != 3:
            raise TensorError(f"Expected input to be 2D or 3D, got {input.dim()}D instead, {tuple(input.shape)}")
        return cls(input.transpose(0, 1) if batch_first else input, lengths, batch_first)

    def _closed(self, mask: Tensor, hold: bool) -> "Sequences":
        """Without the steps that a mask leaves out."""
        if not self.batched:
            mask = mask.unsqueeze(-1)
        elif self.batch_first and mask.dim() == 2:
            mask = mask.transpose(0, 1)
        gaps = from_mask(mask.to(self.x.device), *self.x.shape[:2])
        if are_padding(gaps):  # as lengths, then
            return self._replace(lengths=gaps.lengths, gaps=gaps if hold else None)
        return self._replace(x=gaps.closed(self.x), lengths=gaps.lengths, gaps=gaps)

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
            lengths = torch.full((self.batch_size,), self.x.shape[0], device="cpu")
        if packed.sorted_indices is not None:
            output = output.index_select(1, packed.sorted_indices)
            lengths = lengths[packed.sorted_indices.cpu()]
        data = pack_padded_sequence(output, lengths).data
        return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


def check_sequences(view: Sequences, input_size: int, counted: bool = False) -> None:
    """Refuse inputs of another width, and lengths that cannot be.

    Args:
        view: what came.
        input_size: D.
        counted: the lengths were counted here, and need no check.

    Raises:
        TensorError: says what was expected and what came.
    """
    T, N, _ = view.x.shape
    check_width(view.x, input_size)
    if view.lengths is None or counted:
        return
    if view.lengths.dtype.is_floating_point or view.lengths.dtype == torch.bool:
        raise TensorError(f"expected lengths of an integer dtype, got {view.lengths.dtype}")
    if view.lengths.shape != (N,):
        raise TensorError(f"expected one length for each of the {N} sequences, got shape {tuple(view.lengths.shape)}")
    _check_range(view.lengths, T)


def _check_range(lengths: Tensor, T: int) -> None:
    if kernels.is_exported():
        return  # ONNX Runtime checks them
    if kernels.is_captured():  # the numbers come when the graph is run
        check_when_run(((lengths >= 0) & (lengths <= T)).all(), "expected lengths from 0 to the number of padded steps")
    elif not lengths.is_meta and len(lengths) and not 0 <= int(lengths.min()) <= int(lengths.max()) <= T:
        raise TensorError(f"expected lengths from 0 to {T} (the padded steps), got {lengths.tolist()}")


def check_width(x: Tensor, input_size: int) -> None:
    """Refuse an input of other features.

    Raises:
        TensorError: says what was expected and what came.
    """
    if x.shape[-1] != input_size:
        raise TensorError(
            "input.size(-1) must be equal to input_size. "
            f"Expected {input_size} features in the last dimension, got {x.shape[-1]}"
        )


def check_tensor(x: Tensor, weight: Tensor) -> None:
    """Refuse an input of another dtype (autocast aside) or device than the weights.

    Raises:
        TensorError: says what was expected and what came.
    """
    if x.dtype != weight.dtype and autocast_dtype(x.device.type) is None:
        raise TensorError(
            f"RNN input dtype ({x.dtype}) does not match weight dtype ({weight.dtype}). "
            f"Convert input: input.to({weight.dtype}), or convert model: model.to({x.dtype})"
        )
    if x.device != weight.device:
        raise TensorError(
            "Input and parameter tensors are not at the same device: "
            f"found the input at {x.device}, the layer's parameters at {weight.device}"
        )


def state_fields(names: Sequence[str], hx: Any, dimensions: Sequence[int]) -> tuple[Tensor, ...]:
    """The tensors of a state that was passed as a tuple, or bare where there is one.

    Args:
        names: of the fields.
        hx: the state.
        dimensions: how many each field has.

    Raises:
        TensorError: another number of tensors or of dimensions.
    """
    fields = (hx,) if isinstance(hx, Tensor) else tuple(hx)
    if len(fields) != len(names):
        raise TensorError(
            f"expected a state of {len(names)} tensors ({', '.join(names)}), got {len(fields)}: "
            "pass what the layer returned"
        )
    for name, field, wanted in zip(names, fields, dimensions, strict=True):
        if field.dim() != wanted:
            raise TensorError(
                f"hx should also be {wanted}-D, as this input asks for, but got {field.dim()}-D: "
                f"the initial state's {name} has the shape {tuple(field.shape)}"
            )
    return fields


def as_returned(state: Any, *, as_namedtuple: bool) -> Any:
    """A state as a layer returns it: the cell's NamedTuple, or what torch.nn gives, a tuple or a tensor alone."""
    if as_namedtuple:
        return state
    return tuple(state) if len(state) > 1 else state[0]


def check_state(names: Sequence[str], state: Any, like: Sequence[Tensor], layers: int | None = None) -> None:
    """Refuse a state that does not fit.

    Args:
        names: of its fields.
        state: what came, in the package's own layout.
        like: the cell's own initial state, `[N, ...]` a field.
        layers: L*S where the fields are `[L*S, N, ...]`.

    Raises:
        TensorError: says what was expected and what came.
    """
    for index, (name, field, one) in enumerate(zip(names, state, like, strict=True)):
        if layers is None:
            _check_one_step(index, name, field, one)
        elif (expected := (layers, *one.shape)) != tuple(field.shape):
            raise TensorError(
                f"Expected hidden size {expected} (layers, N, size) of the initial state's {name}, "
                f"got {tuple(field.shape)}"
            )
        if field.dtype != one.dtype and autocast_dtype(one.device.type) is None:
            raise TensorError(
                f"Input and hidden tensors are not the same dtype: expected the initial state's {name} of dtype "
                f"{one.dtype}, got {field.dtype}"
            )
        if field.device != one.device:
            raise TensorError(
                f"Input and hidden tensors are not at the same device: expected the initial state's {name} on "
                f"{one.device}, got {field.device}"
            )


def check_step_state(hx: Any, like: Sequence[Tensor]) -> None:
    """Refuse a single step's state of other dimensions than one sequence's, or several's: one or two, as a rule.

    Args:
        hx: what came.
        like: the cell's own initial state, `[N, ...]` a field.

    Raises:
        TensorError: says what was expected and what came.
    """
    for index, (field, one) in enumerate(zip((hx,) if isinstance(hx, Tensor) else hx, like, strict=False)):
        if field.dim() not in (one.dim() - 1, one.dim()):
            name = "hidden" if isinstance(hx, Tensor) else f"hx[{index}]"
            raise TensorError(
                f"Expected {name} to be {one.dim() - 1}D or {one.dim()}D, got {field.dim()}D instead, "
                f"of {tuple(field.shape)}"
            )


def _check_one_step(index: int, name: str, field: Tensor, one: Tensor) -> None:
    N, batch = one.shape[0], field.shape[0]
    size, width = ("x".join(map(str, each.shape[1:])) for each in (one, field))
    if width != size:
        raise TensorError(
            f"hidden{index} has inconsistent hidden_size: got {width}, expected {size} (the initial state's {name})"
        )
    if batch != N:
        raise TensorError(
            f"Input batch size {N} doesn't match hidden{index} batch size {batch} (the initial state's {name})"
        )
