"""The way back from the native operators' tensors to a cell and its parameters, for gradients of gradients."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ostinato.cells import form
from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets
from ostinato.cells.unroll import How, unroll
from ostinato.core.registry import lookup
from ostinato.kernels.native_calls import DIFFERENTIABLE, Inputs
from ostinato.kernels.transforms import own_node

Optional = Tensor | None


def differentiate(
    given: Inputs,
    needed: Sequence[bool],
    upstream: Sequence[Optional],
) -> tuple[Optional, ...]:
    """Gradients that can be differentiated again: those of the reference, computed anew.

    Args:
        given: as given to the operator.
        needed: which of the operands that can be differentiated by want a gradient.
        upstream: gradients by output, final h and c, and every step's c; None for zero.
    """
    every = [getattr(given, row.name) for row in DIFFERENTIABLE]
    tensors = [tensor if tensor is None else own_node(tensor) for tensor in every]
    given = given._replace(**{row.name: tensor for row, tensor in zip(DIFFERENTIABLE, tensors, strict=True)})
    D, (rows, R) = given.weight_ih.shape[1], given.weight_hh.shape
    cell = form.configured(lookup(given.cell), D, rows, R, given.bias_ih is not None)
    p: dict[str, Tensor] = {}
    row = 0
    for parameter, declared in cell.parameters().items():
        tensor = getattr(given, form.operand(parameter, declared))
        if tensor is given.extra:
            rows = math.prod(declared.shape) // cell.hidden_size
            tensor = tensor[row : row + rows].reshape(declared.shape)
            row += rows
        assert tensor is not None
        p[parameter] = tensor
    state = cell.State(*(field for field in (given.h0, given.c0) if field is not None))
    zoneout = [share for share in (given.zoneout_h, given.zoneout_c) if share is not None]
    noise = StateNoise(given.recurrent_mask, zoneout or None)
    anew = [field for field in (given.reset_h, given.reset_c) if field is not None]
    resets = None if given.resets is None else Resets(given.resets, cell.State(*anew))
    keep = upstream[3] is not None
    how: How = {"lengths": given.lengths, "reverse": given.reverse, "noise": noise, "resets": resets}
    how["keep_states"] = keep
    ran = unroll(cell, p, given.x, state, **how)
    outputs = [ran.output, *ran.final, *[None] * (2 - len(state)), ran.states[1] if keep else None]
    by = [tensor for tensor, needs in zip(tensors, needed, strict=True) if needs and tensor is not None]
    # of no steps, and of a state that depends on nothing wanted, there is no gradient to ask for
    pairs = [
        (out, up)
        for out, up in zip(outputs, upstream, strict=True)
        if out is not None and up is not None and out.requires_grad
    ]
    outs, ups = [out for out, _ in pairs], [up for _, up in pairs]
    grads = torch.autograd.grad(outs, by, ups, create_graph=True, allow_unused=True) if pairs else [None] * len(by)
    found = (torch.zeros_like(tensor) if grad is None else grad for tensor, grad in zip(by, grads, strict=True))
    return tuple(next(found) if needs else None for needs in needed)
