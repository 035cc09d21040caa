"""Values cut, put side by side and widened: what shapes of tensors are on rows."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ostinato.compiler.program import Graph, Node
from ostinato.compiler.tracer import Tracer, is_batch, refuse


def row_dim(tensor: Tensor, dim: int) -> int:
    """Which of the dimensions without batch and time."""
    dim %= tensor.dim()
    if is_batch(tensor.shape[dim]):
        raise refuse("an operation along the batch or time")
    return sum(not is_batch(size) for size in tensor.shape[:dim])


def broadcast(tracer: Tracer, value: Any, like: Any) -> int:
    """An operand as wide as the result, or of width 1."""
    graph = tracer.graph
    if not isinstance(value, Tensor):
        return graph.constant(value)
    if value.dim() == 0 and not tracer.is_row(value) and not value.is_meta:
        return graph.constant(value.item())
    like = like[0] if isinstance(like, (tuple, list)) else like
    sizes = [1] * (like.dim() - value.dim()) + list(value.shape)
    wanted = [size for size in like.shape if not is_batch(size)]
    have = [have for have, size in zip(sizes, like.shape, strict=True) if not is_batch(size)]
    return expanded(graph, tracer.node_of(value), have, wanted)


def expanded(graph: Graph, at: int, have: Sequence[int], wanted: Sequence[int]) -> int:
    """A value of the shape `have` as one of the shape `wanted`, or of width 1."""
    if list(have) == list(wanted) or math.prod(have) == 1:
        return at
    size = math.prod(have[1:])
    parts = []
    for index in range(wanted[0]):
        begin = index * size if have[0] > 1 else 0
        part = expanded(graph, sliced(graph, at, begin, size), have[1:], wanted[1:])
        width = math.prod(wanted[1:])
        parts.append(part if graph[part].width == width else widened(graph, part, width))
    return joined(graph, parts)


def widened(graph: Graph, at: int, width: int) -> int:
    """A value of width 1 for `width` numbers."""
    number = graph.number(at)
    if graph[at].width == width:
        return at
    return graph.add(Node("expand", (at,), width)) if number is None else graph.constant(number, width)


def sliced(graph: Graph, at: int, begin: int, width: int) -> int:
    """Some numbers of a value."""
    node = graph[at]
    if node.width == width:
        return at
    if node.op == "constant":
        return graph.constant(node.value, width)
    return graph.add(Node("slice", (at,), width, begin))


def joined(graph: Graph, parts: Sequence[int]) -> int:
    """Values side by side."""
    if len(parts) == 1:
        return parts[0]
    return graph.add(Node("concatenation", tuple(parts), sum(graph[p].width for p in parts)))
