"""How a call is captured, and gradients of gradients of what a kernel computed in one go."""

import torch
from torch import Tensor

from ostinato.core.torch_private import is_traced


def is_captured() -> bool:
    """Whether this call is recorded rather than only run: by torch.compile, torch.export or torch.jit.trace."""
    return torch.compiler.is_compiling() or is_traced()


def own_node(tensor: Tensor) -> Tensor:
    """The same tensor at a node of its own in the graph.

    A gradient by it is then that by this one use. By the tensor itself it would be that by all ways to it, those
    through the other inputs of the same function too: by weights that made the input as well, for example.
    """
    return tensor.view_as(tensor)
