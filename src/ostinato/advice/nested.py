"""What functions take and give: tensors in tuples, lists, dicts."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors that a value holds, however deep; of a PackedSequence its data."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, torch.nn.utils.rnn.PackedSequence):
        yield value.data
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from tensors_in(one)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for name in value.__dataclass_fields__:
            yield from tensors_in(getattr(value, name, None))


#: Nodes of a graph that are looked at, at most.
_MOST = 500_000


def graph_of(value: Any) -> set[Node]:
    """The nodes of the graphs that made a value's tensors; parameters, which are there from one call to the next, are
    not among them."""
    return {node for node in _walk(value) if not hasattr(node, "variable")}


def leaves_of(value: Any) -> set[int]:
    """The ids of the tensors that a value's tensors get gradients for."""
    return {id(node.variable) for node in _walk(value) if hasattr(node, "variable")}


def _walk(value: Any) -> set[Node]:
    left = [tensor.grad_fn for tensor in tensors_in(value) if tensor.grad_fn is not None]
    found: set[Node] = set()
    while left and len(found) < _MOST:
        node = left.pop()
        if node not in found:
            found.add(node)
            left += [below for below, _ in node.next_functions if below is not None]
    return found
