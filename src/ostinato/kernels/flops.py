"""What the native operators cost, for torch's counter of floating-point operations."""

from typing import Any

import torch
from torch.utils.flop_counter import register_flop_formula

from ostinato.kernels import native_operators  # noqa: F401  registers them
from ostinato.kernels.native_calls import READ, Inputs

# In the order of `Inputs`.
_OPERANDS = len(Inputs._fields)


def products(*arguments: Any) -> int:
    """Of the products of a run forward: a multiplication and an addition for each weight, step and sequence."""
    given = Inputs(*arguments[:_OPERANDS])
    matrices = (tensor for row, tensor in zip(READ, given.tensors, strict=True) if row.kind == "matrix")
    return 2 * given.x.shape[0] * given.x.shape[1] * sum(w.numel() for w in matrices if w is not None)


@register_flop_formula([torch.ops.ostinato.recurrence, torch.ops.ostinato.recurrence_saving], get_raw=True)
def _forward(*arguments: Any, **_: Any) -> int:
    return products(*arguments)


@register_flop_formula(torch.ops.ostinato.recurrence_backward, get_raw=True)
def _backward(*arguments: Any, **_: Any) -> int:
    """Twice that: by the inputs, and by the weights."""
    return 2 * products(*arguments)
