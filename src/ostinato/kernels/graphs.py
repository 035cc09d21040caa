"""The loop over time recorded once and replayed, as an implementation: on GPUs of NVIDIA's, what cuDNN has not.

A step is some dozens of small kernels, each of which takes longer to launch than to run. A CUDA graph launches those of
all steps at once. The numbers are the loop's: the same kernels run, in the same order.

A kind of call is what a recording depends on: the cell, shapes and dtypes, by which tensors gradients are wanted,
lengths or not, and so on. Whatever is within `refuses`, the loop also runs the first calls of a kind, and those for
which there is no recording free or no room for one.
"""

import os
import warnings
from functools import partial
from typing import Any, Unpack

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.unroll import How, Unrolled, unroll
from ostinato.core.autocast import autocast_again
from ostinato.core.legend import Parameters
from ostinato.core.torch_private import is_batched, is_recorded_elsewhere
from ostinato.kernels.compiled_kernels import named_by
from ostinato.kernels.cuda_graphs import CudaGraphs
from ostinato.kernels.recordings import Held, Optional, Plan, Recording, Recordings, parted
from ostinato.kernels.request import Request
from ostinato.kernels.transforms import gradients_anew, is_captured

NAME = "graphs"
#: 0 leaves the loop to run step by step.
VARIABLE = "OSTINATO_CUDA_GRAPHS"
#: Where it runs.
DEVICE = "cuda"
#: Of fewer steps the loop launches about as much as copying to and from a recording does.
FEWEST = 8
#: Of more, a graph has too many nodes to be made and kept.
MOST = 1000
#: With lengths, T is rounded up to a multiple of this, so that batches of nearly one length are of one kind.
ROUNDED = 16

recordings = Recordings(CudaGraphs())


def refuses(cell: Cell, request: Request) -> str | None:
    """Why the loop is not replayed; None where it is, or will be when it has run some times."""
    if request.device != DEVICE:
        return "only on GPUs of NVIDIA's"
    if is_captured():
        return "no torch.compile or trace"
    reasons = {
        f"turned off ({VARIABLE}=0)": os.environ.get(VARIABLE, "1") in ("", "0"),
        "no ONNX": request.onnx,
        "no torch.func transform or forward-mode gradient": request.transformed,
        f"only from {FEWEST} to {MOST} steps": not FEWEST <= request.steps <= MOST,
        "somebody watches or records what is called": is_recorded_elsewhere() or recordings.recorder.is_recording(),
        "no detection of anomalies": torch.is_anomaly_enabled(),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def run(cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
    """As `unroll`."""
    plan, tensors = parted(cell, p, x, state, **how)
    needs = [tensor.requires_grad and torch.is_grad_enabled() for tensor in tensors]
    held = _held(plan, tensors, needs) if _is_usual(tensors) else None
    if held is None:
        return unroll(cell, p, x, state, **how)
    ran = _Replayed.apply(held, plan, *tensors) if any(needs) else held.recording.forward(tensors)  # type: ignore[no-untyped-call]
    output, *rest = ran
    fields = len(state)
    return Unrolled(output, cell.State(*rest[:fields]), cell.State(*rest[fields:]) if plan.keep_states else None)


def _is_usual(tensors: list[Tensor]) -> bool:
    """Whether a recording can take tensors: those of other classes may be anything, and of none there is nothing to
    record."""
    kinds, device = (Tensor, torch.nn.Parameter), tensors[0].device
    return all(type(tensor) in kinds and tensor.device == device for tensor in tensors) and tensors[0].numel() > 0


def _held(plan: Plan, tensors: list[Tensor], needs: list[bool]) -> Held | None:
    T, device = len(tensors[0]), tensors[0].device
    ragged = plan.sizes[3] > 0
    steps = -(-T // ROUNDED) * ROUNDED if ragged else T
    shapes = [
        (tensor.dtype, *(tensor.shape[1:] if by_step else tensor.shape))
        for tensor, by_step in zip(tensors, plan.inputs_by_step(), strict=True)
    ]
    key = (
        (named_by(plan.cell), *plan[1:], steps, *shapes, *needs),
        (device, recordings.recorder.queue(device)),
        (torch.get_float32_matmul_precision(), torch.are_deterministic_algorithms_enabled()),  # which kernels run
    )
    record = partial(Recording, recordings.recorder, plan, steps, tensors, needs)
    held, why = recordings.hold(key, plan.cell, record)
    if why:
        warnings.warn(f"the cell {plan.cell.name!r} runs step by step on the GPU: {why}", stacklevel=2)
    return held


class _Replayed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, held: Held, plan: Plan, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.held, ctx.plan, ctx.steps = held, plan, len(tensors[0])
        ctx.autocast = autocast_again(tensors[0].device.type)
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        ran = held.recording.forward(tensors)
        differentiable = zip(ran, held.recording.differentiable, strict=True)
        ctx.mark_non_differentiable(*(result for result, by_something in differentiable if not by_something))
        return ran

    @staticmethod
    def backward(ctx: Any, *upstream: Optional) -> tuple[Optional, ...]:
        held, ctx.held = ctx.held, None
        if held is not None and not torch.is_grad_enabled() and not is_batched(upstream):
            return None, None, *held.recording.backward(upstream, ctx.steps)
        # the second time, many at once, or to be differentiated again
        with ctx.autocast():
            needs = ctx.needs_input_grad[2:]
            return None, None, *gradients_anew(ctx.plan.unroll, ctx.saved_tensors, needs, upstream)
