"""One call into the native library for a whole sequence, forward or backward, on torch tensors.

The products of float32 tensors are as precise as `torch.set_float32_matmul_precision` says when they are computed,
forward and backward; bfloat16 tensors are computed in "medium", with gates, state and sums in float32.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from operator import is_
from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.core.errors import TensorError
from ostinato.core.registry import lookup
from ostinato.native import library as native_library
from ostinato.native.library import PRECISIONS, NativeLibrary, Run

Optional = Tensor | None
#: Address and strides of each tensor.
Places = tuple[tuple[int, tuple[int, ...]] | None, ...]

# Scratch up to this size is kept by each thread for its next call.
_KEPT_SCRATCH = 64 << 20

# The library's names for what it reads in both directions, in the order of `Inputs.tensors`; the first ten of them have
# a gradient.
_READ = (
    *("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_extra", "weight_out", "bias_out", "h0", "c0"),
    *("lengths", "recurrent_mask", "zoneout_h", "zoneout_c"),
)
_GRADIENTS = tuple(f"grad_{name.removeprefix('weight_') if name == 'weight_extra' else name}" for name in _READ[:10])


class Inputs(NamedTuple):
    """What both directions read, in the operators' order; shapes as in `native/ostinato.h`."""

    cell: str
    x: Tensor
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Optional
    bias_hh: Optional
    extra: Optional
    weight_out: Optional
    bias_out: Optional
    h0: Tensor
    c0: Optional
    lengths: Optional
    recurrent_mask: Optional
    zoneout_h: Optional
    zoneout_c: Optional
    reverse: bool

    @property
    def tensors(self) -> tuple[Optional, ...]:
        """Without the cell's name and the direction."""
        return self[1:-1]

    @property
    def noisy(self) -> bool:
        """Whether there is a mask or zoneout."""
        return self.recurrent_mask is not None or self.zoneout_h is not None or self.zoneout_c is not None

    def saved_size(self, N: int, T: int) -> int:
        """Floats that forward keeps for backward: linear in N and T."""
        return N * T * loaded().saved_size(self.kernel, 1, 1, self.units, self.h0.shape[-1], noisy=self.noisy)

    @property
    def units(self) -> int:
        """H; the width of h differs where there is an output layer."""
        return self.h0.shape[-1] if self.weight_out is None else self.weight_out.shape[-1]

    @property
    def kernel(self) -> str:
        """The library's name for the cell."""
        return kernel_of(self.cell, self.weight_out is not None)


def kernel_of(cell: str, output_layer: bool) -> str:
    """The library's name for a cell."""
    return "lstm_projected" if cell == "lstm" and output_layer else cell


class Call(NamedTuple):
    """A run with everything that both directions read.

    Attributes:
        run: the library's.
        read: the tensors it points to, those of `Inputs.tensors` or copies; to keep alive until it is over.
        places: where they lie, and how.
    """

    run: Run
    read: tuple[Optional, ...]
    places: Places


class Before(NamedTuple):
    """Forward's run, for backward to use again: the places alone, which keep nothing alive."""

    run: Run
    places: Places


class Forward(NamedTuple):
    """What forward makes; None for what was not asked for, or the cell has not.

    Attributes:
        output: `[T, N, R]`.
        final_h: `[N, R]`.
        final_c: `[N, H]`.
        states_c: c after every step, `[T, N, H]`.
        saved: what backward reads, in the library's own order.
    """

    output: Tensor
    final_h: Tensor
    final_c: Optional
    states_c: Optional
    saved: Optional


def shapes(given: Inputs, training: bool, keep_states: bool) -> tuple[tuple[int, ...], ...]:
    """Of what forward makes, field by field; a size of 0 where there is nothing."""
    x, h0, c0 = given.x, given.h0, given.c0
    T, N, H, R = x.shape[0], x.shape[1], given.units, h0.shape[1]
    saved = given.saved_size(N, T) if training or keep_states else 0
    return (T, N, R), (N, R), (0 if c0 is None else N, H), (0 if c0 is None or not keep_states else T, N, H), (saved,)


def forward(given: Inputs, training: bool, keep_states: bool, *, fill: bool = False) -> tuple[Forward, Before | None]:
    """Run the cell over the sequences.

    Args:
        given: all that is read.
        training: whether to save what backward needs.
        keep_states: whether to return c after every step.
        fill: where there are lengths, put zeros for what lies beyond them; else it is of any content.

    Returns:
        The results, and the run, for `backward` to use again; None where it read copies, which are gone by then.

    Raises:
        TensorError: a shape, dtype or device that does not fit, with what was expected.
    """
    run, read, places = described(given)
    library, x, dtype = loaded(), given.x, given.x.dtype
    memory = given.c0 is not None
    wanted = (True, True, memory, keep_states and memory, training or keep_states)
    made = x.new_zeros if fill and given.lengths is not None else x.new_empty
    output, final_h, final_c, states_c, saved = (
        made(shape, dtype=torch.float32) if want else None
        for shape, want in zip(shapes(given, training, keep_states), wanted, strict=True)
    )
    assert output is not None
    assert final_h is not None
    workspace = _workspace(library.workspace_size(run, backward=False))
    run.output, run.final_h, run.final_c = output.data_ptr(), final_h.data_ptr(), _address(final_c)
    run.states_c, run.saved, run.workspace = _address(states_c), _address(saved), workspace.data_ptr()
    library.forward(run)
    if dtype != torch.float32:
        output, final_h, final_c, states_c = (
            tensor if tensor is None else tensor.to(dtype) for tensor in (output, final_h, final_c, states_c)
        )
        assert output is not None
        assert final_h is not None
    own = all(map(is_, read, given.tensors))
    return Forward(output, final_h, final_c, states_c, saved), Before(run, places) if own else None


def backward(
    given: Inputs,
    output: Tensor,
    saved: Tensor,
    upstream: Sequence[Optional],
    wanted: Sequence[bool],
    before: Before | None = None,
) -> tuple[Optional, ...]:
    """Gradients by x, the weights, biases, extra weights, those of an output layer, h0 and c0.

    Args:
        given: as given to `forward`.
        output: what it returned.
        saved: what it saved.
        upstream: gradients by output, final h and c, and every step's c; None for zero.
        wanted: which of them; those of the matrices are computed together.
        before: what `forward` returned.

    Returns:
        One for each, None where there is none.

    Raises:
        TensorError: a shape, dtype or device that does not fit, with what was expected.
    """
    run, inputs, _ = described(given) if before is None else _again(before, given)
    library, x, dtype = loaded(), given.x, given.x.dtype
    (N, R), H, T = given.h0.shape, given.units, x.shape[0]
    grad_output, grad_h, grad_c, grad_states_c = upstream
    read = {
        "output": _dense("output", output, (T, N, R), dtype),
        "saved": _dense("saved", saved, (given.saved_size(N, T),), torch.float32),
        "grad_output": _dense("gradient of output", grad_output, (T, N, R), dtype),
        "grad_final_h": _dense("gradient of final h", grad_h, (N, R), dtype),
        "grad_final_c": None if given.c0 is None else _dense("gradient of final c", grad_c, (N, H), dtype),
        "grad_states_c": _dense("gradient of every step's c", grad_states_c, (T, N, H), dtype),
    }
    for name, tensor in read.items():
        setattr(run, name, _address(tensor))
    likes = having_gradients(given, wanted)
    grads = [None if like is None else x.new_empty(like.shape, dtype=torch.float32) for like in likes]
    for name, grad in zip(_GRADIENTS, grads, strict=True):
        if grad is not None:
            setattr(run, name, grad.data_ptr())
    workspace = _workspace(library.workspace_size(run, backward=True))
    run.workspace = workspace.data_ptr()
    library.backward(run)
    del inputs, read
    return tuple(grads) if dtype == torch.float32 else tuple(grad if grad is None else grad.to(dtype) for grad in grads)


def having_gradients(given: Inputs, wanted: Sequence[bool]) -> list[Optional]:
    """The tensors by which gradients are computed, None where there is none or nobody wants it; as `backward`."""
    matrices = wanted[1] or wanted[2] or wanted[6]
    among = (wanted[0], matrices, matrices, *wanted[3:6], matrices, *wanted[7:])
    return [tensor if want else None for tensor, want in zip(given[1:11], among, strict=True)]


def described(given: Inputs) -> Call:
    """A run with everything that both directions read.

    Raises:
        TensorError: a shape, dtype or device that does not fit, with what was expected.
    """
    x, extra, h0, dtype = given.x, given.extra, given.h0, given.x.dtype
    library, kind = loaded(), lookup(given.cell)
    T, N, D = x.shape
    H, R = given.units, h0.shape[-1]
    rows = len(kind.gates) * H
    if given.c0 is None and len(kind.State._fields) > 1:
        raise TensorError(f"c0: expected a tensor, {given.cell} has a memory cell")
    if given.weight_out is None and given.cell == "jordan":
        raise TensorError("weight_out: expected a tensor, jordan has an output layer")
    extra_rows = 0 if extra is None else extra.shape[0]
    if dtype not in (torch.float32, torch.bfloat16) or not x.is_cpu:
        raise TensorError(f"x: expected torch.float32 or torch.bfloat16 on the CPU, got {dtype} on {x.device}")
    x = resolved(x).float()
    if x.stride(2) != 1:
        x = x.contiguous()
    lengths = None if given.lengths is None else given.lengths.to(torch.int64)
    read = (
        x,
        _dense("weight_ih", given.weight_ih, (rows, D), dtype),
        _dense("weight_hh", given.weight_hh, (rows, R), dtype),
        _dense("bias_ih", given.bias_ih, (rows,), dtype),
        _dense("bias_hh", given.bias_hh, (rows,), dtype),
        _dense("extra", extra, (extra_rows, H), dtype),
        _dense("weight_out", given.weight_out, (R, H), dtype),
        _dense("bias_out", given.bias_out, (R,), dtype),
        _dense("h0", h0, (N, R), dtype),
        _dense("c0", given.c0, (N, H), dtype),
        _dense("lengths", lengths, (N,), torch.int64),
        _dense("recurrent_mask", given.recurrent_mask, (N, R), dtype),
        _rows("zoneout of h", given.zoneout_h, (T, N, R), dtype),
        _rows("zoneout of c", given.zoneout_c, (T, N, H), dtype),
    )
    places = _places(read)
    run = Run()
    run.cell, run.isa = library.cells[given.kernel], library.isas[library.isa]
    run.N, run.T, run.D, run.H, run.R = N, T, D, H, R
    run.reverse, run.extra_rows = given.reverse, extra_rows
    run.x_stride_t, run.x_stride_n = x.stride(0), x.stride(1)
    for name, place in zip(_READ, places, strict=True):
        if place is not None:
            setattr(run, name, place[0])
    for field, share in zip("hc", read[-2:], strict=True):
        if share is not None:
            setattr(run, f"zoneout_{field}_stride_t", share.stride(0))
            setattr(run, f"zoneout_{field}_stride_n", share.stride(1))
    _set_up(run, dtype)
    return Call(run, read, places)


def _set_up(run: Run, dtype: torch.dtype) -> None:
    """What may change from one call to the next: the precision asked for, and the number of threads."""
    precision = "medium" if dtype == torch.bfloat16 else torch.get_float32_matmul_precision()
    run.precision, run.threads = PRECISIONS.index(precision), torch.get_num_threads()


def _again(before: Before, given: Inputs) -> Call:
    """As `described`, from forward's run where the tensors lie where they lay.

    Those that autograd saved may be others: a hook can have packed them and unpacked copies.
    """
    read = given.tensors
    if _places(read) != before.places:
        return described(given)
    run = Run.from_buffer_copy(before.run)  # another thread may be going backward through the same graph
    _set_up(run, given.x.dtype)
    return Call(run, read, before.places)


def _places(tensors: Sequence[Optional]) -> Places:
    return tuple([None if tensor is None else (tensor.data_ptr(), tensor.stride()) for tensor in tensors])


_scratch = threading.local()


def _workspace(size: int) -> Tensor:
    kept: Tensor | None = getattr(_scratch, "kept", None)
    if kept is not None and kept.numel() >= size:
        return kept
    fresh = torch.empty(size, dtype=torch.uint8, device="cpu")
    if size <= _KEPT_SCRATCH:
        _scratch.kept = fresh
    return fresh


def _dense(name: str, tensor: Optional, shape: tuple[int, ...], dtype: torch.dtype) -> Optional:
    """The tensor as the library will read it, in C order and float32, once it is what is expected."""
    if tensor is None:
        return None
    tensor = _checked(name, tensor, shape, dtype)
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def _rows(name: str, tensor: Optional, shape: tuple[int, ...], dtype: torch.dtype) -> Optional:
    """The same with the last dimension dense, the others at any stride."""
    if tensor is None:
        return None
    tensor = _checked(name, tensor, shape, dtype)
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _checked(name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    if tensor.shape != shape or tensor.dtype != dtype or not tensor.is_cpu:
        raise TensorError(
            f"{name}: expected {dtype} on the CPU of shape {shape}, "
            f"got {tensor.dtype} on {tensor.device} of shape {tuple(tensor.shape)}"
        )
    tensor = resolved(tensor)
    return tensor.float() if dtype == torch.bfloat16 else tensor


def resolved(tensor: Tensor) -> Tensor:
    """The tensor as its memory says: torch may have marked it as the negative of that (`z.conj().imag`)."""
    return tensor.resolve_neg() if tensor.is_neg() else tensor


def _address(tensor: Optional) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def loaded() -> NativeLibrary:
    """The library, where `refuses` has found one.

    Raises:
        RuntimeError: there is none.
    """
    library = native_library.load()
    if isinstance(library, str):
        raise RuntimeError(f"the native library is {library}")
    return library
