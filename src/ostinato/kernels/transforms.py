"""Torch's transforms, and gradients of gradients, of what a kernel computed in one go."""

from collections.abc import Iterable

import torch
from torch import Tensor


def is_transformed() -> bool:
    """Whether torch.func (vmap, grad, jvp) or forward-mode differentiation is at work."""
    functorch = torch._C._functorch  # torch.compile takes its None for an object, which alone it can tell from a class
    if isinstance(functorch.peek_interpreter_stack(), functorch.CInterpreter):
        return True
    return not torch.compiler.is_compiling() and torch.autograd.forward_ad._current_level >= 0


def is_captured() -> bool:
    """Whether this call is recorded rather than only run: by torch.compile, torch.export or torch.jit.trace."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


def is_batched(gradients: Iterable[Tensor | None]) -> bool:
    """Whether gradients stand for many at once (`is_grads_batched`, or `torch.autograd.grad` within vmap): no memory
    of their own lies behind such a tensor."""
    functorch = torch._C._functorch
    return any(
        gradient is not None and (functorch.is_batchedtensor(gradient) or functorch.is_legacy_batchedtensor(gradient))
        for gradient in gradients
    )


def own_node(tensor: Tensor) -> Tensor:
    """The same tensor at a node of its own in the graph.

    A gradient by it is then that by this one use. By the tensor itself it would be that by all ways to it, those
    through the other inputs of the same function too: by weights that made the input as well, for example.
    """
    return tensor.view_as(tensor)
