"""What torch's sums, means, norms and softmax over units mean on rows."""

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
            at = graph.apply("mul", at, graph.reciprocal(math.prod(shape[first : last + 1])))
        return [at]

    return rule


def _smallest(tracer: Tracer, args: Any, kwargs: Any, result: Any) -> Nodes:
    """The negative of the largest of the negatives."""
    tensor, graph = args[0], tracer.graph
    first, last = _dims(tensor, args[1] if len(args) > 1 else None)
    negatives = graph.apply("neg", tracer.node_of(tensor))
    return [graph.apply("neg", _reduced(graph, "largest", negatives, row_shape(tensor), first, last))]


def _variance(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensor, graph = args[0], tracer.graph
    first, last = _dims(tensor, args[1] if len(args) > 1 else kwargs.get("dim"))
    shape, at = row_shape(tensor), tracer.node_of(tensor)
    count = math.prod(shape[first : last + 1])
    correction = kwargs.get("correction", 1)
    off = _centred(graph, at, shape, first, last)
    total = _reduced(graph, "sum", graph.apply("mul", off, off), shape, first, last)
    return [graph.apply("mul", total, graph.reciprocal(count - (1 if correction is None else correction)))]


def _deviation(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    return [_root(tracer.graph, at) for at in _variance(tracer, args, kwargs, result) if at is not None]


def _root(graph: Graph, squares: int) -> int:
    """The square root of a sum of squares; at zero its gradient is zero, as that of torch's norm and deviation."""
    zero = graph.constant(0.0)
    none = graph.apply("equal", squares, zero)
    return graph.apply(
        "where", none, zero, graph.apply("sqrt", graph.apply("where", none, graph.constant(1.0), squares))
    )


def _spread(graph: Graph, at: int, shape: Sequence[int], first: int, last: int) -> int:
    """What was reduced, as wide as before."""
    return expanded(graph, at, [*shape[:first], *[1] * (last + 1 - first), *shape[last + 1 :]], shape)


def _centred(graph: Graph, at: int, shape: Sequence[int], first: int, last: int) -> int:
    count = math.prod(shape[first : last + 1])
    mean = graph.apply("mul", _reduced(graph, "sum", at, shape, first, last), graph.reciprocal(count))
    return graph.apply("sub", at, _spread(graph, mean, shape, first, last))


def _normalised(tracer: Tracer, tensor: Tensor, over: int, eps: float, centre: bool) -> int:
    graph, shape, at = tracer.graph, row_shape(tensor), tracer.node_of(tensor)
    first, last = len(shape) - over, len(shape) - 1
    off = _centred(graph, at, shape, first, last) if centre else at
    squares = _reduced(graph, "sum", graph.apply("mul", off, off), shape, first, last)
    mean = graph.apply("mul", squares, graph.reciprocal(math.prod(shape[first:])))
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


class _Powers:
    """Exponentials of what is below the largest, and their sum."""

    def __init__(self, tracer: Tracer, tensor: Tensor, dims: Any) -> None:
        self.graph, self.shape, at = tracer.graph, row_shape(tensor), tracer.node_of(tensor)
        self.first, self.last = _dims(tensor, dims)
        self.largest = self.reduced("largest", at)
        self.below = self.graph.apply("sub", at, self.spread(self.largest))
        self.powers = self.graph.apply("exp", self.below)
        self.total = self.reduced("sum", self.powers)

    def reduced(self, op: str, at: int) -> int:
        return _reduced(self.graph, op, at, self.shape, self.first, self.last)

    def spread(self, at: int) -> int:
        return _spread(self.graph, at, self.shape, self.first, self.last)


def _softmax(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    made = _Powers(tracer, args[0], args[1])
    return [made.graph.apply("div", made.powers, made.spread(made.total))]


def _log_softmax(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    made = _Powers(tracer, args[0], args[1])
    return [made.graph.apply("sub", made.below, made.spread(made.graph.apply("log", made.total)))]


def _log_sum_of_powers(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    made = _Powers(tracer, args[0], args[1])
    return [made.graph.apply("add", made.graph.apply("log", made.total), made.largest)]


def _norm(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensor, order, dims = (*args, 2, None)[:3] if len(args) < 3 else args[:3]
    if order != 2:
        raise refuse("a norm other than the Euclidean")
    graph, shape, at = tracer.graph, row_shape(tensor), tracer.node_of(tensor)
    first, last = _dims(tensor, dims)
    return [_root(graph, _reduced(graph, "sum", graph.apply("mul", at, at), shape, first, last))]


#: By torch's name, what gives the values of the results from the tracer, arguments, keywords and results.
REDUCTIONS: Mapping[str, Callable[..., Nodes]] = {
    "sum": _reduction("sum"),
    "mean": _reduction("sum", mean=True),
    "amax": _reduction("largest"),
    "max": _reduction("largest"),
    **dict.fromkeys(("amin", "min"), _smallest),
    "var": _variance,
    "std": _deviation,
    "native_layer_norm": _layer_norm,
    "_fused_rms_norm": _rms_norm,
    "_softmax": _softmax,
    "_log_softmax": _log_softmax,
    "logsumexp": _log_sum_of_powers,
    "linalg_vector_norm": _norm,
}
