"""How a call is captured, and gradients of gradients of what a kernel computed in one go."""

from collections.abc import Callable, Sequence

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


def gradients(
    outputs: Sequence[Tensor], leaves: Sequence[Tensor], upstream: Sequence[Tensor | None], create_graph: bool = False
) -> tuple[Tensor | None, ...]:
    """`torch.autograd.grad`, where a gradient upstream may be None, for zero, and a leaf may want none."""
    pairs = [(o, g) for o, g in zip(outputs, upstream, strict=True) if g is not None and o.requires_grad]
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    if not pairs or not wanted:
        return (None,) * len(leaves)
    outs, grads = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(outs, wanted, grads, create_graph=create_graph, allow_unused=True))
    return tuple(next(found) if leaf.requires_grad else None for leaf in leaves)


def gradients_anew(
    function: Callable[[Sequence[Tensor]], Sequence[Tensor]],
    tensors: Sequence[Tensor],
    needs: Sequence[bool],
    upstream: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Gradients from within a backward, of results that are computed once more: such as can be differentiated again
    where gradients are on, and many at once.

    Args:
        function: gives the results.
        tensors: of these.
        needs: by which of them gradients are wanted.
        upstream: the gradients by the results.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        tensors = [own_node(tensor) for tensor in tensors]
        outputs = function(tensors)
    wanted = [tensor for tensor, need in zip(tensors, needs, strict=True) if need]
    found = iter(gradients(outputs, wanted, upstream, create_graph=again))
    return [next(found) if need else None for need in needs]
