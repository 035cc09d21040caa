"""The package's own kernels: a whole sequence in one call into the native library, as torch custom operators.

The products of float32 tensors are as precise as `torch.set_float32_matmul_precision` says when they are computed,
forward and backward; bfloat16 tensors are computed in "medium", with gates, state and sums in float32.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.unroll import Unrolled
from ostinato.core import native_library
from ostinato.core.legend import Parameters
from ostinato.core.native_library import PRECISIONS, NativeLibrary, Run
from ostinato.core.registry import lookup
from ostinato.kernels.native_reference import OUT, SHARED, differentiate

if TYPE_CHECKING:
    from ostinato.kernels.dispatch import Request

NAME = "native"

# Scratch up to this size is kept by each thread for its next call.
_KEPT_SCRATCH = 64 << 20

Optional = Tensor | None


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
    def noise(self) -> tuple[Optional, Optional, Optional]:
        """Mask and zoneout, None for each there is none of."""
        return self.recurrent_mask, self.zoneout_h, self.zoneout_c

    def saved_size(self, N: int, T: int) -> int:
        """Floats that forward keeps for backward."""
        noisy = any(tensor is not None for tensor in self.noise)
        return loaded().saved_size(self.kernel, N, T, self.units, self.h0.shape[-1], noisy=noisy)

    @property
    def units(self) -> int:
        """H; the width of h differs where there is an output layer."""
        return self.h0.shape[-1] if self.weight_out is None else self.weight_out.shape[-1]

    @property
    def kernel(self) -> str:
        """The library's name for the cell."""
        return _kernel(self.cell, self.weight_out is not None)


def refuses(cell: Cell, request: Request) -> str | None:
    """Why the native kernels cannot run this; None where they can."""
    reasons = {
        "only float32 and bfloat16": request.dtype not in (torch.float32, torch.bfloat16),
        "only on the CPU": request.device != "cpu",
        "no torch.func transform or forward-mode gradient": request.transformed,
    }
    return _lacks(cell.name, bool(getattr(cell, "proj_size", 0))) or next(
        (reason for reason, holds in reasons.items() if holds), None
    )


def run(
    cell: Cell,
    p: Parameters,
    x: Tensor,
    state: Any,
    *,
    lengths: Tensor | None = None,
    reverse: bool = False,
    noise: StateNoise | None = None,
    keep_states: bool = False,
) -> Unrolled:
    """As `unroll`, by one call into the native library."""
    given = inputs(cell, p, x, state, lengths, noise, reverse)
    keep_c = keep_states and given.c0 is not None
    output, *final, states_c, _ = torch.ops.ostinato.recurrence(*given, torch.is_grad_enabled(), keep_c)
    final = final[: len(state)]
    states = None
    if keep_states:
        every = (output, states_c)[: len(state)]
        if lengths is not None:  # a sequence that is over, or has not begun, holds its state
            valid = (torch.arange(x.shape[0])[:, None] < lengths).unsqueeze(-1)
            held = state if reverse else final
            every = tuple(torch.where(valid, field, still) for field, still in zip(every, held, strict=True))
        states = cell.State(*every)
    return Unrolled(output, cell.State(*final), states)


def inputs(
    cell: Cell,
    p: Parameters,
    x: Tensor,
    state: Any,
    lengths: Optional = None,
    noise: StateNoise | None = None,
    reverse: bool = False,
) -> Inputs:
    """What the operators take for a cell over a sequence."""
    extra = [tensor.reshape(-1, cell.hidden_size) for name, tensor in p.items() if name not in (*SHARED, *OUT)]
    out = {OUT[name]: tensor for name, tensor in p.items() if name in OUT}
    memory = len(state) > 1
    zoneout = noise.zoneout if noise and noise.zoneout else (None, None)
    return Inputs(
        cell.name,
        x,
        p["weight_ih"],
        p["weight_hh"],
        p.get("bias_ih"),
        p.get("bias_hh"),
        torch.cat(extra) if extra else None,
        out.get("weight_out"),
        out.get("bias_out"),
        state[0],
        state[1] if memory else None,
        lengths,
        noise.recurrent_mask if noise else None,
        zoneout[0],
        zoneout[1] if memory else None,
        reverse,
    )


def _kernel(cell: str, output_layer: bool) -> str:
    return "lstm_projected" if cell == "lstm" and output_layer else cell


def _lacks(cell: str, projected: bool) -> str | None:
    library = native_library.load()
    if isinstance(library, str):
        return library
    return None if _kernel(cell, projected) in library.cells else f"no {cell} yet"


# To torch.compile the answer is a constant: it need not look into the loading of a library.
_lacks._dynamo_marked_constant = True  # type: ignore[attr-defined]


def loaded() -> NativeLibrary:
    """The library, where `refuses` has found one."""
    library = native_library.load()
    if isinstance(library, str):
        raise RuntimeError(f"the native library is {library}")
    return library


def multiplies_bfloat16_without_tiles() -> bool:
    """Whether the instruction set in use multiplies bfloat16 in vectors: torch rounds float32 only for AMX's tiles."""
    library = native_library.load()
    return not isinstance(library, str) and not library.has_tiles and library.precision("medium") == "medium"


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
    tensor = _checked(name, tensor, shape, dtype)
    return tensor if tensor is None or tensor.is_contiguous() else tensor.contiguous()


def _rows(name: str, tensor: Optional, shape: tuple[int, ...], dtype: torch.dtype) -> Optional:
    """The same with the last dimension dense, the others at any stride."""
    tensor = _checked(name, tensor, shape, dtype)
    return tensor if tensor is None or tensor.stride(-1) == 1 else tensor.contiguous()


def _checked(name: str, tensor: Optional, shape: tuple[int, ...], dtype: torch.dtype) -> Optional:
    if tensor is None:
        return None
    if tensor.shape != shape or tensor.dtype != dtype or not tensor.is_cpu:
        raise ValueError(
            f"{name}: expected {dtype} on the CPU of shape {shape}, "
            f"got {tensor.dtype} on {tensor.device} of shape {tuple(tensor.shape)}"
        )
    return tensor.float() if dtype == torch.bfloat16 else tensor


def _pointer(tensor: Optional) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def described(given: Inputs) -> tuple[Run, list[Optional]]:
    """A run with everything that both directions read, and the tensors to keep alive until it is over."""
    x, extra, h0, c0 = given.x, given.extra, given.h0, given.c0
    library = loaded()
    T, N, D = x.shape
    H, R = given.units, h0.shape[-1]
    rows = len(lookup(given.cell).gates) * H
    extra_rows = 0 if extra is None else extra.shape[0]
    dtype = x.dtype
    if dtype not in (torch.float32, torch.bfloat16) or not x.is_cpu:
        raise ValueError(f"x: expected torch.float32 or torch.bfloat16 on the CPU, got {dtype} on {x.device}")
    precision = "medium" if dtype == torch.bfloat16 else torch.get_float32_matmul_precision()
    x = x.float()
    if x.stride(2) != 1:
        x = x.contiguous()
    tensors = [
        _dense("lengths", None if given.lengths is None else given.lengths.to(torch.int64), (N,), torch.int64),
        x,
        _dense("weight_ih", given.weight_ih, (rows, D), dtype),
        _dense("weight_hh", given.weight_hh, (rows, R), dtype),
        _dense("bias_ih", given.bias_ih, (rows,), dtype),
        _dense("bias_hh", given.bias_hh, (rows,), dtype),
        _dense("extra", extra, (extra_rows, H), dtype),
        _dense("weight_out", given.weight_out, (R, H), dtype),
        _dense("bias_out", given.bias_out, (R,), dtype),
        _dense("h0", h0, (N, R), dtype),
        _dense("c0", c0, (N, H), dtype),
        _dense("recurrent_mask", given.recurrent_mask, (N, R), dtype),
        _rows("zoneout of h", given.zoneout_h, (T, N, R), dtype),
        _rows("zoneout of c", given.zoneout_c, (T, N, H), dtype),
    ]
    pointers = [_pointer(tensor) for tensor in tensors]
    what = [library.cells[given.kernel], library.isas[library.isa], PRECISIONS.index(precision)]
    sizes = [*what, N, T, D, H, R, torch.get_num_threads(), 0, int(given.reverse), extra_rows]
    strides = [stride for share in tensors[-2:] for stride in ((0, 0) if share is None else share.stride()[:2])]
    return Run(*sizes, *pointers[:2], x.stride(0), x.stride(1), *pointers[2:], *strides), tensors


def _recurrence(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, training, keep_states = arguments
    given = Inputs(*inputs)
    call, alive = described(given)
    library = loaded()
    results = _results(given, training, keep_states, torch.float32)
    workspace = _workspace(library.workspace_size(call, backward=False))
    call.output, call.final_h, call.final_c = (tensor.data_ptr() for tensor in results[:3])
    call.states_c = results[3].data_ptr() if keep_states else None
    call.saved = results[4].data_ptr() if training or keep_states else None
    call.workspace = workspace.data_ptr()
    library.forward(call)
    del alive
    *state, saved = results
    return *(tensor.to(given.x.dtype) for tensor in state), saved


def _results(given: Inputs, training: bool, keep_states: bool, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Empty tensors for output, final h and c, c of every step, and what is saved for backward."""
    x, h0, c0 = given.x, given.h0, given.c0
    T, N, H, R = x.shape[0], x.shape[1], given.units, h0.shape[1]
    # ostinato_saved_size is linear in N and T
    saved = N * T * given.saved_size(1, 1) if training or keep_states else 0
    shapes = ((T, N, R), (N, R), (0 if c0 is None else N, H), (T if keep_states else 0, N, H))
    return *(x.new_empty(shape, dtype=dtype) for shape in shapes), x.new_empty(saved, dtype=torch.float32)


def _recurrence_fake(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, training, keep_states = arguments
    given = Inputs(*inputs)
    return _results(given, training, keep_states, given.x.dtype)


def _recurrence_backward(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, output, saved, grad_output, grad_h, grad_c, grad_states_c, wanted = arguments
    given = Inputs(*inputs)
    x, h0, c0 = given.x, given.h0, given.c0
    call, alive = described(given)
    library = loaded()
    (N, R), H, dtype = h0.shape, given.units, x.dtype
    if c0 is None:
        grad_c = None
    if grad_states_c is not None and not grad_states_c.numel():  # not kept
        grad_states_c = None
    alive += [
        _dense("output", output, (x.shape[0], N, R), dtype),
        _dense("saved", saved, (given.saved_size(N, x.shape[0]),), torch.float32),
        _dense("gradient of output", grad_output, (x.shape[0], N, R), dtype),
        _dense("gradient of final h", grad_h, (N, R), dtype),
        _dense("gradient of final c", grad_c, (N, H), dtype),
        _dense("gradient of every step's c", grad_states_c, (x.shape[0], N, H), dtype),
    ]
    read = ("output", "saved", "grad_output", "grad_final_h", "grad_final_c", "grad_states_c")
    for name, tensor in zip(read, alive[-6:], strict=True):
        setattr(call, name, _pointer(tensor))
    grads = _gradients_like(given, wanted, torch.float32)
    wanting = ("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "extra", "weight_out", "bias_out", "h0", "c0")
    for name, grad in zip(wanting, grads, strict=True):
        setattr(call, f"grad_{name}", grad.data_ptr() if grad.dim() > 1 or grad.numel() else None)
    if not wanted[0]:
        call.grad_x = None
    workspace = _workspace(library.workspace_size(call, backward=True))
    call.workspace = workspace.data_ptr()
    library.backward(call)
    return tuple(grad.to(dtype) for grad in grads)


def _gradients_like(given: Inputs, wanted: Sequence[bool], dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Empty tensors for the gradients; one of no elements where there is nothing to compute.

    `wanted` is for x and for the matrices: what is large is left out where nobody asks for it.
    """
    _, x, weight_ih, weight_hh, bias_ih, bias_hh, extra, weight_out, bias_out, h0, c0, *_ = given
    x_, weight_ih_, weight_hh_, weight_out_ = (
        tensor if want else None
        for tensor, want in zip((x, weight_ih, weight_hh, weight_out), (wanted[0], *[wanted[1]] * 3), strict=True)
    )
    sources = (x_, weight_ih_, weight_hh_, bias_ih, bias_hh, extra, weight_out_, bias_out, h0, c0)
    return tuple(x.new_empty((0,) if source is None else source.shape, dtype=dtype) for source in sources)


def _recurrence_backward_fake(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, _output, _saved, _grad_output, _grad_h, _grad_c, _grad_states_c, wanted = arguments
    given = Inputs(*inputs)
    return _gradients_like(given, wanted, given.x.dtype)


class _Recurrence(torch.autograd.Function):
    """What `torch.library.register_autograd` would make, without 40 microseconds a call."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        with torch._C._AutoDispatchBelowAutograd():
            output, *states, saved = torch.ops.ostinato.recurrence(*arguments)
        ctx.cell, *tensors, ctx.reverse, _, _ = arguments
        ctx.mark_non_differentiable(saved)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, output, saved)
        return output, *states, saved

    @staticmethod
    def backward(ctx: Any, *upstream: Optional) -> tuple[Optional, ...]:
        *inputs, output, saved = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:11]
        if torch.is_grad_enabled():
            grads = differentiate(ctx.cell, inputs, ctx.reverse, ctx.needs_input_grad[1:11], upstream[:4])
            return None, *grads, *[None] * 7
        wanted = [needed[0], needed[1] or needed[2] or needed[6]]  # x, any matrix
        grads = torch.ops.ostinato.recurrence_backward(
            ctx.cell, *inputs, ctx.reverse, output, saved, *upstream[:4], wanted
        )
        return None, *(grad if need else None for grad, need in zip(grads, needed, strict=True)), *[None] * 7


def _recurrence_autograd(*arguments: Any) -> Any:
    if torch.is_grad_enabled() and torch._C._any_requires_grad(*arguments):
        return _Recurrence.apply(*arguments)  # type: ignore[no-untyped-call]
    with torch._C._AutoDispatchBelowAutograd():
        return torch.ops.ostinato.recurrence(*arguments)


_ARGUMENTS = (
    "str cell, Tensor x, Tensor weight_ih, Tensor weight_hh, Tensor? bias_ih, Tensor? bias_hh, Tensor? extra, "
    "Tensor? weight_out, Tensor? bias_out, "
    "Tensor h0, Tensor? c0, Tensor? lengths, Tensor? recurrent_mask, Tensor? zoneout_h, Tensor? zoneout_c, bool reverse"
)
torch.library.define(
    "ostinato::recurrence",
    f"({_ARGUMENTS}, bool training, bool keep_states) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
torch.library.define(
    "ostinato::recurrence_backward",
    f"({_ARGUMENTS}, Tensor output, Tensor saved, Tensor? grad_output, Tensor? grad_h, Tensor? grad_c, "
    "Tensor? grad_states_c, bool[] wanted)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
torch.library.impl("ostinato::recurrence", "CPU")(_recurrence)
torch.library.impl("ostinato::recurrence_backward", "CPU")(_recurrence_backward)
torch.library.register_fake("ostinato::recurrence")(_recurrence_fake)
torch.library.register_fake("ostinato::recurrence_backward")(_recurrence_backward_fake)
torch.library.impl("ostinato::recurrence", "Autograd")(_recurrence_autograd)
