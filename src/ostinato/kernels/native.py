"""The package's own kernels: a whole sequence in one call into the native library, as torch custom operators."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.unroll import Unrolled, unroll
from ostinato.core.legend import Parameters
from ostinato.core.registry import lookup
from ostinato.kernels import native_library
from ostinato.kernels.native_library import NativeLibrary, Run

if TYPE_CHECKING:
    from ostinato.kernels.dispatch import Request

NAME = "native"

_SHARED = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
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
    h0: Tensor
    c0: Optional
    lengths: Optional
    reverse: bool


def refuses(cell: Cell, request: Request) -> str | None:
    """Why the native kernels cannot run this; None where they can."""
    reasons = {
        "only float32": request.dtype != torch.float32,
        "only on the CPU": request.device != "cpu",
        "no recurrent dropout or zoneout": request.noise,
        "no state of every step": request.keep_states and (cell.State._fields != ("h",) or request.lengths),
        "no projection": bool(getattr(cell, "proj_size", 0)),
        "no torch.func transform or forward-mode gradient": request.transformed,
    }
    return _lacks(cell.name) or next((reason for reason, holds in reasons.items() if holds), None)


def run(
    cell: Cell, p: Parameters, x: Tensor, state: Any, *, lengths: Tensor | None = None, reverse: bool = False
) -> Unrolled:
    """As `unroll`, by one call into the native library."""
    extra = [tensor for name, tensor in p.items() if name not in _SHARED]
    output, *final, _ = torch.ops.ostinato.recurrence(
        cell.name,
        x,
        p["weight_ih"],
        p["weight_hh"],
        p.get("bias_ih"),
        p.get("bias_hh"),
        torch.stack(extra) if extra else None,
        state[0],
        state[1] if len(state) > 1 else None,
        lengths,
        reverse,
        torch.is_grad_enabled(),
    )
    states = cell.State(output) if cell.State._fields == ("h",) and lengths is None else None
    return Unrolled(output, cell.State(*final[: len(state)]), states)


def _lacks(cell: str) -> str | None:
    library = native_library.load()
    if isinstance(library, str):
        return library
    return None if cell in library.cells else f"no {cell} yet"


# To torch.compile the answer is a constant: it need not look into the loading of a library.
_lacks._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _library() -> NativeLibrary:
    library = native_library.load()
    if isinstance(library, str):
        raise RuntimeError(f"the native library is {library}")
    return library


_scratch = threading.local()


def _workspace(size: int) -> Tensor:
    kept: Tensor | None = getattr(_scratch, "kept", None)
    if kept is not None and kept.numel() >= size:
        return kept
    fresh = torch.empty(size, dtype=torch.uint8, device="cpu")
    if size <= _KEPT_SCRATCH:
        _scratch.kept = fresh
    return fresh


def _dense(name: str, tensor: Optional, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Optional:
    """The tensor in C order, once it is what the library will read."""
    if tensor is None:
        return None
    if tensor.shape != shape or tensor.dtype != dtype or not tensor.is_cpu:
        raise ValueError(
            f"{name}: expected {dtype} on the CPU of shape {shape}, "
            f"got {tensor.dtype} on {tensor.device} of shape {tuple(tensor.shape)}"
        )
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def _pointer(tensor: Optional) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _described(given: Inputs) -> tuple[Run, list[Optional]]:
    """A run with everything that both directions read, and the tensors to keep alive until it is over."""
    cell, x, weight_ih, weight_hh, bias_ih, bias_hh, extra, h0, c0, lengths, reverse = given
    library = _library()
    T, N, D = x.shape
    H = h0.shape[-1]
    rows = len(lookup(cell).gates) * H
    if x.dtype != torch.float32 or not x.is_cpu:
        raise ValueError(f"x: expected torch.float32 on the CPU, got {x.dtype} on {x.device}")
    if x.stride(2) != 1:
        x = x.contiguous()
    tensors = [
        _dense("lengths", None if lengths is None else lengths.to(torch.int64), (N,), torch.int64),
        x,
        _dense("weight_ih", weight_ih, (rows, D)),
        _dense("weight_hh", weight_hh, (rows, H)),
        _dense("bias_ih", bias_ih, (rows,)),
        _dense("bias_hh", bias_hh, (rows,)),
        _dense("extra", extra, (0 if extra is None else extra.shape[0], H)),
        _dense("h0", h0, (N, H)),
        _dense("c0", c0, (N, H)),
    ]
    pointers = [_pointer(tensor) for tensor in tensors]
    sizes = [library.cells[cell], library.isas[library.isa], N, T, D, H, torch.get_num_threads(), 0, int(reverse)]
    return Run(*sizes, *pointers[:2], x.stride(0), x.stride(1), *pointers[2:]), tensors


def _recurrence(*arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *inputs, training = arguments
    given = Inputs(*inputs)
    cell, x, weight_hh, c0 = given.cell, given.x, given.weight_hh, given.c0
    call, alive = _described(given)
    library = _library()
    T, N, H = x.shape[0], x.shape[1], weight_hh.shape[1]
    output, h = x.new_empty(T, N, H), x.new_empty(N, H)
    c = x.new_empty(0 if c0 is None else N, H)
    saved = x.new_empty(library.saved_size(cell, N, T, H) if training else 0)
    workspace = _workspace(library.workspace_size(call, backward=False))
    call.output, call.final_h, call.final_c = output.data_ptr(), h.data_ptr(), c.data_ptr()
    call.saved = saved.data_ptr() if training else None
    call.workspace = workspace.data_ptr()
    library.forward(call)
    del alive
    return output, h, c, saved


def _recurrence_fake(*arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *inputs, training = arguments
    given = Inputs(*inputs)
    cell, x, weight_hh, c0 = given.cell, given.x, given.weight_hh, given.c0
    T, N, H = x.shape[0], x.shape[1], weight_hh.shape[1]
    # ostinato_saved_size is linear in N and T
    saved = N * T * _library().saved_size(cell, 1, 1, H) if training else 0
    return x.new_empty(T, N, H), x.new_empty(N, H), x.new_empty(0 if c0 is None else N, H), x.new_empty(saved)


def _recurrence_backward(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, output, saved, grad_output, grad_h, grad_c, wanted = arguments
    given = Inputs(*inputs)
    cell, x, h0, c0 = given.cell, given.x, given.h0, given.c0
    call, alive = _described(given)
    library = _library()
    N, H = h0.shape
    alive += [
        _dense("output", output, (x.shape[0], N, H)),
        _dense("saved", saved, (library.saved_size(cell, N, x.shape[0], H),)),
        _dense("gradient of output", grad_output, (x.shape[0], N, H)),
        _dense("gradient of final h", grad_h, (N, H)),
        _dense("gradient of final c", None if c0 is None else grad_c, (N, H)),
    ]
    read = ("output", "saved", "grad_output", "grad_final_h", "grad_final_c")
    for name, tensor in zip(read, alive[-5:], strict=True):
        setattr(call, name, _pointer(tensor))
    grads = _gradients_like(given, wanted)
    wanting = ("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "extra", "h0", "c0")
    for name, grad in zip(wanting, grads, strict=True):
        setattr(call, f"grad_{name}", grad.data_ptr() if grad.dim() > 1 or grad.numel() else None)
    if not wanted[0]:
        call.grad_x = None
    workspace = _workspace(library.workspace_size(call, backward=True))
    call.workspace = workspace.data_ptr()
    library.backward(call)
    return grads


def _gradients_like(given: Inputs, wanted: Sequence[bool]) -> tuple[Tensor, ...]:
    """Empty tensors for the gradients; one of no elements where there is nothing to compute.

    `wanted` is for x and for both weights: what is large is left out where nobody asks for it.
    """
    _, x, weight_ih, weight_hh, bias_ih, bias_hh, extra, h0, c0, _, _ = given
    weights = wanted[1]
    sources = (x if wanted[0] else None, *(w if weights else None for w in (weight_ih, weight_hh)), bias_ih, bias_hh)
    return tuple(x.new_empty(0) if s is None else x.new_empty(s.shape) for s in (*sources, extra, h0, c0))


def _recurrence_backward_fake(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, _output, _saved, _grad_output, _grad_h, _grad_c, wanted = arguments
    return _gradients_like(Inputs(*inputs), wanted)


class _Recurrence(torch.autograd.Function):
    """What `torch.library.register_autograd` would make, without 40 microseconds a call."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        with torch._C._AutoDispatchBelowAutograd():
            output, h, c, saved = torch.ops.ostinato.recurrence(*arguments)
        ctx.cell, *tensors, ctx.reverse, _ = arguments
        ctx.mark_non_differentiable(saved)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, output, saved)
        return output, h, c, saved

    @staticmethod
    def backward(ctx: Any, *upstream: Optional) -> tuple[Optional, ...]:
        *inputs, output, saved = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:9]
        if torch.is_grad_enabled():
            return None, *_differentiate_reference(ctx, inputs, upstream[:3]), None, None, None
        wanted = [needed[0], needed[1] or needed[2]]  # x, either weight
        grads = torch.ops.ostinato.recurrence_backward(
            ctx.cell, *inputs, ctx.reverse, output, saved, *upstream[:3], wanted
        )
        return None, *(grad if need else None for grad, need in zip(grads, needed, strict=True)), None, None, None


def _recurrence_autograd(*arguments: Any) -> Any:
    if torch.is_grad_enabled() and torch._C._any_requires_grad(*arguments):
        return _Recurrence.apply(*arguments)  # type: ignore[no-untyped-call]
    with torch._C._AutoDispatchBelowAutograd():
        return torch.ops.ostinato.recurrence(*arguments)


def _differentiate_reference(
    ctx: Any, inputs: Sequence[Optional], upstream: Sequence[Optional]
) -> tuple[Optional, ...]:
    """Gradients that can be differentiated again: those of the reference, computed anew."""
    *tensors, lengths = inputs
    x, weight_ih, weight_hh, bias_ih, bias_hh, extra, h0, c0 = tensors
    assert x is not None
    assert weight_ih is not None
    assert weight_hh is not None
    cell = lookup(ctx.cell)(input_size=x.shape[2], hidden_size=weight_hh.shape[1], bias=bias_ih is not None)
    p = {"weight_ih": weight_ih, "weight_hh": weight_hh}
    p |= {name: bias for name, bias in (("bias_ih", bias_ih), ("bias_hh", bias_hh)) if bias is not None}
    if extra is not None:
        p |= dict(zip((name for name in cell.parameters() if name not in _SHARED), extra, strict=True))
    state = cell.State(*(field for field in (h0, c0) if field is not None))
    ran = unroll(cell, p, x, state, lengths=lengths, reverse=ctx.reverse)
    pairs = [(out, up) for out, up in zip((ran.output, *ran.final), upstream, strict=False) if up is not None]
    wanted = zip(tensors, ctx.needs_input_grad[1:9], strict=True)
    needed = [tensor for tensor, needs in wanted if needs and tensor is not None]
    found = iter(
        torch.autograd.grad(
            [out for out, _ in pairs], needed, [up for _, up in pairs], create_graph=True, allow_unused=True
        )
    )
    return tuple(next(found) if needs else None for needs in ctx.needs_input_grad[1:9])


_ARGUMENTS = (
    "str cell, Tensor x, Tensor weight_ih, Tensor weight_hh, Tensor? bias_ih, Tensor? bias_hh, Tensor? extra, "
    "Tensor h0, Tensor? c0, Tensor? lengths, bool reverse"
)
torch.library.define("ostinato::recurrence", f"({_ARGUMENTS}, bool training) -> (Tensor, Tensor, Tensor, Tensor)")
torch.library.define(
    "ostinato::recurrence_backward",
    f"({_ARGUMENTS}, Tensor output, Tensor saved, Tensor? grad_output, Tensor? grad_h, Tensor? grad_c, bool[] wanted)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
torch.library.impl("ostinato::recurrence", "CPU")(_recurrence)
torch.library.impl("ostinato::recurrence_backward", "CPU")(_recurrence_backward)
torch.library.register_fake("ostinato::recurrence")(_recurrence_fake)
torch.library.register_fake("ostinato::recurrence_backward")(_recurrence_backward_fake)
torch.library.impl("ostinato::recurrence", "Autograd")(_recurrence_autograd)
