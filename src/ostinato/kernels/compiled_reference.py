"""Gradients of a compiled cell that can be differentiated again: its traced equations step by step, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.compiler.kernel import Kernel
from ostinato.compiler.program import Node, run
from ostinato.core.lengths import per_sequence, valid_steps
from ostinato.kernels.compiled_calls import rows
from ostinato.kernels.transforms import own_node

Optional = Tensor | None


def differentiate(kernel: Kernel, given: Any, wanted: Sequence[bool], upstream: Sequence[Optional]) -> list[Optional]:
    """Gradients by all that a compiled cell is differentiated by, None for those that are not wanted.

    Args:
        kernel: the cell's.
        given: `compiled_operators.Inputs`, as given to the operator.
        wanted: which.
        upstream: gradients by output, fields of the final state and those of every step's; None for zero.
    """
    again, count = torch.is_grad_enabled(), given.differentiable
    with torch.enable_grad():
        tensors = [own_node(tensor) for tensor in given.tensors[:count]]
        outputs = _unrolled(kernel, given.of((*tensors, *given.tensors[count:])))
    pairs = [(o, u) for o, u in zip(outputs, upstream, strict=False) if u is not None and o.requires_grad]
    by = [tensor for tensor, want in zip(tensors, wanted, strict=True) if want]
    if not pairs:
        return [None] * count
    outs, ups = [o for o, _ in pairs], [u for _, u in pairs]
    found = iter(torch.autograd.grad(outs, by, ups, create_graph=again, allow_unused=True))
    return [next(found) if want else None for want in wanted]


def _unrolled(kernel: Kernel, given: Any) -> list[Tensor]:
    """Output, final state and every step's."""
    x, T = given.x, given.x.shape[0]
    factors = [factor.double() for factor in given.factors]
    state = [rows(field.double(), 1) for field in given.state]
    anew = [rows(field.double(), 1) for field in given.reset_state]
    valid = None
    if given.lengths is not None:
        valid = valid_steps(given.lengths, T)
        x = x.masked_fill(~per_sequence(valid, x), 0)
    noise = [*([] if given.mask is None else [given.mask.expand(T, *given.mask.shape)]), *given.zoneout]
    inputs = [rows(one.double(), 2) for one in (x, *noise)]
    outputs, states = [x.new_zeros(())] * T, [state] * T
    for t in reversed(range(T)) if given.reverse else range(T):
        before = state
        if given.resets is not None:
            at = given.resets[t].unsqueeze(-1)
            before = [torch.where(at, new, old) for new, old in zip(anew, state, strict=True)]
        output, after = _step(kernel, [one[t] for one in inputs], before, factors)
        if valid is not None:
            at = valid[t].unsqueeze(-1)
            output = torch.where(at, output, 0)
            after = [torch.where(at, new, old) for new, old in zip(after, state, strict=True)]
        outputs[t], states[t], state = output, after, after
    final = [field.view(like.shape) for field, like in zip(state, given.state, strict=True)]
    if not T:
        return [field.to(x.dtype) for field in (x.new_zeros(0, x.shape[1], kernel.output_width), *final)]
    every = [
        torch.stack(fields).view(T, *like.shape)
        for fields, like in zip(zip(*states, strict=True), given.state, strict=True)
    ]
    return [made.to(x.dtype) for made in (torch.stack(outputs), *final, *every)]


def _step(
    kernel: Kernel, inputs: Sequence[Tensor], state: Sequence[Tensor], factors: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    traced, N = kernel.traced, inputs[0].shape[0]
    count = len(traced.matrices)
    vectors = [vector.flatten() for vector in factors[count:]]
    sources: dict[str, Sequence[Tensor]] = {"time": inputs, "state": state, "vector": vectors}

    def leaf(node: Node) -> Tensor:
        index, begin = node.value
        return sources[node.op][index][..., begin : begin + node.width]

    ends = [*traced.state, *([] if traced.output is None else [traced.output])]
    found = [value.expand(N, value.shape[-1]) for value in run(traced.graph, ends, leaf, factors[:count])]
    fields = len(traced.state)
    return (found[fields] if len(found) > fields else inputs[0].new_zeros(N, 0)), found[:fields]
