"""What torch's sums, means, norms and softmax over units mean on rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.compiler.program import Graph
from ostinato.compiler.slices import broadcast, expanded, joined, row_dim, sliced
from ostinato.compiler.tracer import Tracer, refuse, row_shape

Nodes = Sequence[int | None]


def _reduced(graph: Graph, op: str, at: int, shape: Sequence[int], first: int, last: int) -> int:
    """Over the dimensions first to last of a row's."""
    outer, count, inner = math.prod(shape[:first]), math.prod(shape[first : last + 1]), math.prod(shape[last + 1 :])
    pointwise = "add" if op == "sum" else "larger"
    found = []
    for o in range(outer):
        begin = o * count * inner
        if inner == 1:
            found.append(graph.reduce(op, sliced(graph, at, begin, count)))
            continue
        total = sliced(graph, at, begin, inner)
        for i in range(1, count):
            total = graph.apply(pointwise, total, sliced(graph, at, begin + i * inner, inner))
        found.append(total)
    return joined(graph, found)


def _dims(tensor: Tensor, dims: Any) -> tuple[int, int]:
    if dims is None or dims == []:
        raise refuse("a reduction over the batch")
    listed = sorted(row_dim(tensor, dim) for dim in ([dims] if isinstance(dims, int) else dims))
    if listed != list(range(listed[0], listed[-1] + 1)):
        raise refuse("a reduction over dimensions that are not side by side")
    return listed[0], listed[-1]


def _reduction(op: str, mean: bool = False) -> Callable[..., Nodes]:
    def rule(tracer: Tracer, args: Any, kwargs: Any, result: Any) -> Nodes:
        tensor, graph = args[0], tracer.graph
        first, last = _dims(tensor, args[1] if len(args) > 1 else None)
        shape = row_shape(tensor)
        at = _reduced(graph, op, tracer.node_of(tensor), shape, first, last)
        if mean:
            at = graph.apply("mul", at, graph.constant(1 / math.prod(shape[first : last + 1])))
        return [at]

    return rule


def _variance(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensor, graph = args[0], tracer.graph
    first, last = _dims(tensor, args[1] if len(args) > 1 else kwargs.get("dim"))
    shape, at = row_shape(tensor), tracer.node_of(tensor)
    count = math.prod(shape[first : last + 1])
    correction = kwargs.get("correction", 1)
    off = _centred(graph, at, shape, first, last)
    total = _reduced(graph, "sum", graph.apply("mul", off, off), shape, first, last)
    return [graph.apply("mul", total, graph.constant(1 / (count - (1 if correction is None else correction))))]


def _spread(graph: Graph, at: int, shape: Sequence[int], first: int, last: int) -> int:
    """What was reduced, as wide as before."""
    return expanded(graph, at, [*shape[:first], *[1] * (last + 1 - first), *shape[last + 1 :]], shape)


def _centred(graph: Graph, at: int, shape: Sequence[int], first: int, last: int) -> int:
    count = math.prod(shape[first : last + 1])
    mean = graph.apply("mul", _reduced(graph, "sum", at, shape, first, last), graph.constant(1 / count))
    return graph.apply("sub", at, _spread(graph, mean, shape, first, last))


def _normalised(tracer: Tracer, tensor: Tensor, over: int, eps: float, centre: bool) -> int:
    graph, shape, at = tracer.graph, row_shape(tensor), tracer.node_of(tensor)
    first, last = len(shape) - over, len(shape) - 1
    off = _centred(graph, at, shape, first, last) if centre else at
    squares = _reduced(graph, "sum", graph.apply("mul", off, off), shape, first, last)
    mean = graph.apply("mul", squares, graph.constant(1 / math.prod(shape[first:])))
    scale = graph.apply("rsqrt", graph.apply("add", mean, graph.constant(eps)))
    return graph.apply("mul", off, _spread(graph, scale, shape, first, last))


def _layer_norm(tracer: Tracer, args: Any, kwargs: Any, results: Sequence[Tensor]) -> Nodes:
    tensor, sizes, gain, shift, eps = args
    at = _normalised(tracer, tensor, len(sizes), eps, True)
    for op, parameter in (("mul", gain), ("add", shift)):
        if parameter is not None:
            at = tracer.graph.apply(op, at, broadcast(tracer, parameter, results[0]))
    return [at, None, None]


def _rms_norm(tracer: Tracer, args: Any, kwargs: Any, results: Sequence[Tensor]) -> Nodes:
    tensor, sizes, gain, eps = (*args, None, None)[:4]
    at = _normalised(tracer, tensor, len(sizes), torch.finfo(torch.float32).eps if eps is None else eps, False)
    if gain is not None:
        at = tracer.graph.apply("mul", at, broadcast(tracer, gain, results[0]))
    return [at, None]


def _softmax(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensor, graph = args[0], tracer.graph
    first, last = _dims(tensor, args[1])
    shape, at = row_shape(tensor), tracer.node_of(tensor)
    largest = _spread(graph, _reduced(graph, "largest", at, shape, first, last), shape, first, last)
    powers = graph.apply("exp", graph.apply("sub", at, largest))
    total = _spread(graph, _reduced(graph, "sum", powers, shape, first, last), shape, first, last)
    return [graph.apply("div", powers, total)]


def _norm(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensor, order, dims = (*args, 2, None)[:3] if len(args) < 3 else args[:3]
    if order != 2:
        raise refuse("a norm other than the Euclidean")
    graph, shape, at = tracer.graph, row_shape(tensor), tracer.node_of(tensor)
    first, last = _dims(tensor, dims)
    return [graph.apply("sqrt", _reduced(graph, "sum", graph.apply("mul", at, at), shape, first, last))]


#: By torch's name, what gives the values of the results from the tracer, arguments, keywords and results.
REDUCTIONS: Mapping[str, Callable[..., Nodes]] = {
    "sum": _reduction("sum"),
    "mean": _reduction("sum", mean=True),
    "amax": _reduction("largest"),
    "max": _reduction("largest"),
    "var": _variance,
    "native_layer_norm": _layer_norm,
    "_fused_rms_norm": _rms_norm,
    "_softmax": _softmax,
    "linalg_vector_norm": _norm,
}
