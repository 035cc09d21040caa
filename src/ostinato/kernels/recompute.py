"""Long sequences: the state of every k-th step is kept, the rest is computed again in backward (Chen et al. 2016,
arXiv:1604.06174).

The memory that training takes above input, output and their gradients then grows with T/k + k instead of T.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets
from ostinato.cells.unroll import Unrolled
from ostinato.core.autocast import autocast_again
from ostinato.core.legend import Parameters
from ostinato.core.torch_private import is_batched, is_transformed
from ostinato.kernels.dispatch import run
from ostinato.kernels.transforms import gradients, gradients_anew, is_captured

Optional = Tensor | None


class _Plan(NamedTuple):
    """All of a run but the tensors that may have gradients."""

    cell: Cell
    names: tuple[str, ...]
    every: int
    lengths: Optional
    reverse: bool
    noise: StateNoise | None
    keep_states: bool
    resets: Optional

    def parted(self) -> tuple["_Plan", list[Optional]]:
        """Without its tensors, and these: autograd keeps them, and sees whether somebody changes them."""
        mask, zoneout = (self.noise.recurrent_mask, self.noise.zoneout) if self.noise else (None, None)
        return self._replace(lengths=None, noise=None, resets=None), [self.lengths, self.resets, mask, *(zoneout or ())]

    def joined(self, tensors: Sequence[Optional]) -> "_Plan":
        """The other way round."""
        lengths, resets, mask, *zoneout = tensors
        noise = StateNoise(mask, cast(list[Tensor], zoneout) or None)
        return self._replace(lengths=lengths, noise=noise, resets=resets)

    def pieces(self, T: int) -> list[tuple[int, int]]:
        """Begin and end of each piece, in the order in which they are run."""
        found = [(begin, min(begin + self.every, T)) for begin in range(0, T, self.every)]
        return found[::-1] if self.reverse else found

    def run(self, begin: int, end: int, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor]) -> Unrolled:
        """The piece `x` of steps from begin to end; behind the weights stands the state that resets bring."""
        weights, anew = weights[: len(self.names)], weights[len(self.names) :]
        return run(
            self.cell,
            dict(zip(self.names, weights, strict=True)),
            x,
            self.cell.State(*state),
            lengths=None if self.lengths is None else (self.lengths - begin).clamp(0, end - begin),
            reverse=self.reverse,
            noise=self.noise.steps(begin, end) if self.noise else None,
            keep_states=self.keep_states,
            resets=None if self.resets is None else Resets(self.resets[begin:end], self.cell.State(*anew)),
        )


def run_recomputing(
    cell: Cell,
    p: Parameters,
    x: Tensor,
    state: Any,
    *,
    every: int,
    lengths: Tensor | None = None,
    reverse: bool = False,
    noise: StateNoise | None = None,
    keep_states: bool = False,
    resets: Resets | None = None,
) -> Unrolled:
    """As `kernels.run`, keeping for backward the state of every k-th step only.

    Args:
        cell: as `kernels.run`, and so are the others.
        p: parameters.
        x: `[T, N, D]`.
        state: the initial state.
        every: k, 1 or more; about the square root of T takes the least memory.
        lengths: valid steps.
        reverse: the other direction.
        noise: recurrent dropout and zoneout.
        keep_states: return the state of every step (which keeps it, for the caller).
        resets: steps before which sequences start anew.
    """
    lengths = None if lengths is None else lengths.to(torch.int64)  # from which steps can be subtracted
    plan = _Plan(cell, tuple(p), every, lengths, reverse, noise, keep_states, resets.before if resets else None)
    weights = (*p.values(), *(resets.state if resets else ()))
    tensors = (*state, *weights)
    compiled = torch.compiler.is_dynamo_compiling() and not torch.compiler.is_exporting()
    exported = is_captured() and not compiled  # for sequences of any length: in one piece
    short = exported or x.shape[0] <= every or not torch.is_grad_enabled()
    learned_noise = noise is not None and noise.requires_grad
    if short or learned_noise or is_transformed() or not any(tensor.requires_grad for tensor in (x, *tensors)):
        return plan.run(0, x.shape[0], x, state, weights)
    if compiled:
        return _compiled(plan, x, state, weights)
    output, *rest = _Recomputing.apply(plan, x, *tensors)  # type: ignore[no-untyped-call]
    fields = len(cell.State._fields)
    states = cell.State(*rest[fields:]) if keep_states else None
    return Unrolled(output, cell.State(*rest[:fields]), states)


def _compiled(plan: _Plan, x: Tensor, state: Any, weights: tuple[Tensor, ...]) -> Unrolled:
    """As part of a graph of torch.compile, which is told what to compute again."""
    outputs, states = [], []
    for begin, end in plan.pieces(x.shape[0]):
        ran = checkpoint(plan.run, begin, end, x[begin:end], state, weights, use_reentrant=False)
        outputs.append(ran.output)
        states.append(ran.states)
        state = ran.final
    if plan.reverse:
        outputs, states = outputs[::-1], states[::-1]
    whole = plan.cell.State(*map(torch.cat, zip(*states, strict=True))) if plan.keep_states else None
    return Unrolled(torch.cat(outputs), state, whole)


class _Recomputing(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: _Plan, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        fields, T = len(plan.cell.State._fields), x.shape[0]
        state: Sequence[Tensor] = tensors[:fields]
        whole: list[Tensor] = []
        kept = []
        for begin, end in plan.pieces(T):
            kept.append(state)
            ran = plan.run(begin, end, x[begin:end], state, tensors[fields:])
            found = (ran.output, *(ran.states if plan.keep_states else ()))
            whole = whole or [part.new_empty(T, *part.shape[1:]) for part in found]
            for all_of_it, part in zip(whole, found, strict=True):
                all_of_it[begin:end] = part
            state = ran.final
        ctx.plan, own = plan.parted()
        ctx.kept, ctx.autocast, ctx.inputs = kept[1:], autocast_again(x.device.type), 1 + len(tensors)
        ctx.save_for_backward(x, *tensors, *own)
        ctx.set_materialize_grads(False)
        return whole[0], *state, *whole[1:]

    @staticmethod
    def backward(ctx: Any, *upstream: Optional) -> tuple[Optional, ...]:
        saved = ctx.saved_tensors
        plan, (x, *tensors) = ctx.plan.joined(saved[ctx.inputs :]), saved[: ctx.inputs]
        fields = len(plan.cell.State._fields)
        needs = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled() or is_batched(upstream):
            with ctx.autocast():
                return None, *gradients_anew(partial(_whole, plan), (x, *tensors), needs, upstream)
        grad_x = torch.zeros_like(x) if needs[0] else None
        # in bfloat16 a sum of many pieces would stop to grow
        sums = [
            torch.zeros_like(w, dtype=torch.promote_types(w.dtype, torch.float32)) if n else None
            for w, n in zip(tensors, needs[1:], strict=True)
        ]
        carried = list(upstream[1 : 1 + fields])
        starts = [tensors[:fields], *ctx.kept]
        for (begin, end), before in zip(reversed(plan.pieces(x.shape[0])), reversed(starts), strict=True):
            leaves = [x[begin:end].detach().requires_grad_(needs[0])]
            leaves += [field.detach().requires_grad_() for field in before]
            leaves += [w.detach().requires_grad_(n) for w, n in zip(tensors[fields:], needs[1 + fields :], strict=True)]
            with torch.enable_grad(), ctx.autocast():
                ran = plan.run(begin, end, leaves[0], leaves[1 : 1 + fields], leaves[1 + fields :])
            parts = [part if part is None else part[begin:end] for part in (upstream[0], *upstream[1 + fields :])]
            outputs = (ran.output, *ran.final, *(ran.states if plan.keep_states else ()))
            grad, *rest = gradients(outputs, leaves, (parts[0], *carried, *parts[1:]))
            carried = rest[:fields]
            if grad_x is not None and grad is not None:
                grad_x[begin:end] = grad
            for total, part in zip(sums[fields:], rest[fields:], strict=True):
                if total is not None and part is not None:
                    total += part
        by_state = (grad if need else None for grad, need in zip(carried, needs[1:], strict=False))
        weights = zip(sums[fields:], tensors[fields:], strict=True)
        return None, grad_x, *by_state, *(total if total is None else total.to(w.dtype) for total, w in weights)


def _whole(plan: _Plan, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """All results, from the whole sequence in one piece."""
    (x, *rest), fields = tensors, len(plan.cell.State._fields)
    ran = plan.run(0, x.shape[0], x, rest[:fields], rest[fields:])
    return (ran.output, *ran.final, *(ran.states if plan.keep_states else ()))
