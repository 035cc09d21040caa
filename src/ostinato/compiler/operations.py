"""What torch's operations mean on rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.compiler.pointwise import POINTWISE_RULES
from ostinato.compiler.program import Graph, Node, Rows
from ostinato.compiler.tracer import Tracer, is_batch, refuse, row_shape, slice_of

Nodes = Sequence[int | None]


def translate(tracer: Tracer, name: str, args: Any, kwargs: Any, result: Any) -> Nodes:
    """The values of an operation's results.

    Raises:
        CannotCompileError: no kernel has it.
    """
    if name in POINTWISE_RULES:
        operands = [_broadcast(tracer, arg, result) for arg in args if isinstance(arg, (Tensor, int, float, bool))]
        extra = [arg for arg in args if not isinstance(arg, (Tensor, int, float, bool))]
        return [POINTWISE_RULES[name](tracer.graph, operands, [*extra, kwargs])]
    if name in _OTHERS:
        return _OTHERS[name](tracer, args, kwargs, result)
    raise refuse(f"no kernel has torch's {name}")


def _broadcast(tracer: Tracer, value: Any, like: Any) -> int:
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
    return _expanded(graph, tracer.node_of(value), have, wanted)


def _expanded(graph: Graph, at: int, have: Sequence[int], wanted: Sequence[int]) -> int:
    if list(have) == list(wanted) or math.prod(have) == 1:
        return at
    size = math.prod(have[1:])
    parts = []
    for index in range(wanted[0]):
        begin = index * size if have[0] > 1 else 0
        part = _expanded(graph, sliced(graph, at, begin, size), have[1:], wanted[1:])
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


# Shapes.


def _row_dim(tensor: Tensor, dim: int) -> int:
    """Which of the dimensions without batch and time."""
    dim %= tensor.dim()
    if is_batch(tensor.shape[dim]):
        raise refuse("an operation along the batch or time")
    return sum(not is_batch(size) for size in tensor.shape[:dim])


def _part(graph: Graph, at: int, shape: Sequence[int], dim: int, begin: int, count: int) -> int:
    outer, inner = math.prod(shape[:dim]), math.prod(shape[dim + 1 :])
    return joined(graph, [sliced(graph, at, (o * shape[dim] + begin) * inner, count * inner) for o in range(outer)])


def _same(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    """A view in which rows stay rows."""
    at = tracer.node_of(args[0])
    if math.prod(row_shape(result)) != tracer.graph[at].width:
        raise refuse("a shape in which batch and units are mixed")
    return [at]


def _permuted(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    kept = [size for size in row_shape(args[0]) if size != 1]
    if kept != [size for size in row_shape(result) if size != 1] or (len(kept) > 1 and _swaps(args, result)):
        raise refuse("units in another order (a transposition within a row)")
    return [tracer.node_of(args[0])]


def _swaps(args: Any, result: Tensor) -> bool:
    """Whether equal sizes changed places: seen by the strides."""
    strides = [s for s, size in zip(result.stride(), result.shape, strict=True) if not is_batch(size) and size != 1]
    before = [s for s, n in zip(args[0].stride(), args[0].shape, strict=True) if not is_batch(n) and n != 1]
    return strides != before


def _slice(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensor, dim, start, _, step = slice_of(args)
    size = tensor.shape[dim]
    if is_batch(size) and result.shape == tensor.shape:
        return [tracer.node_of(tensor)]
    if step != 1:
        raise refuse("a slice with a step")
    start = 0 if start is None else start if start >= 0 else start + size
    d = _row_dim(tensor, dim)
    return [_part(tracer.graph, tracer.node_of(tensor), row_shape(tensor), d, start, result.shape[dim])]


def _select(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensor, dim, index = args
    d = _row_dim(tensor, dim)
    return [_part(tracer.graph, tracer.node_of(tensor), row_shape(tensor), d, index % tensor.shape[dim], 1)]


def _split(tracer: Tracer, args: Any, kwargs: Any, results: Sequence[Tensor]) -> Nodes:
    tensor, dim = args[0], args[2] if len(args) > 2 else kwargs.get("dim", 0)
    d, begin, found = _row_dim(tensor, dim), 0, []
    for result in results:
        count = result.shape[dim]
        found.append(_part(tracer.graph, tracer.node_of(tensor), row_shape(tensor), d, begin, count))
        begin += count
    return found


def _unbind(tracer: Tracer, args: Any, kwargs: Any, results: Sequence[Tensor]) -> Nodes:
    tensor, dim = args[0], args[1] if len(args) > 1 else 0
    d, shape = _row_dim(tensor, dim), row_shape(tensor)
    return [_part(tracer.graph, tracer.node_of(tensor), shape, d, i, 1) for i in range(len(results))]


def _cat(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensors, dim = args[0], args[1] if len(args) > 1 else 0
    tensors = [t for t in tensors if t.numel()]
    d = _row_dim(result, dim)
    parts = []
    for tensor in tensors:
        like = list(result.shape)
        like[dim] = tensor.shape[dim]
        have = [h for h, size in zip(tensor.shape, like, strict=True) if not is_batch(size)]
        parts.append((_expanded(tracer.graph, tracer.node_of(tensor), have, have), have))
    return [_side_by_side(tracer.graph, parts, d)]


def _stack(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    dim = args[1] if len(args) > 1 else 0
    d = _row_dim(result, dim)
    parts = []
    for tensor in args[0]:
        shape = row_shape(tensor)
        parts.append((tracer.node_of(tensor), [*shape[:d], 1, *shape[d:]]))
    return [_side_by_side(tracer.graph, parts, d)]


def _side_by_side(graph: Graph, parts: Sequence[tuple[int, Sequence[int]]], dim: int) -> int:
    found = []
    for outer in range(math.prod(parts[0][1][:dim])):
        for at, shape in parts:
            width = math.prod(shape[dim:])
            found.append(sliced(graph, widened(graph, at, math.prod(shape)), outer * width, width))
    return joined(graph, found)


def _expand(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    at = _broadcast(tracer, args[0], result)
    return [widened(tracer.graph, at, math.prod(row_shape(result)))]


def _filled(number: Callable[[Any], float]) -> Callable[..., Nodes]:
    def rule(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
        return [tracer.graph.constant(number(args), math.prod(row_shape(result)))]

    return rule


# Products.


def _product(tracer: Tracer, rows: Tensor, weights: Tensor, bias: Tensor | None = None) -> int:
    """Rows `[.., K]` times the transposed weights `[M, K]`, plus a bias `[M]`."""
    graph = tracer.graph
    matrix, row, column = tracer.matrix(weights)
    M, K = weights.shape
    found = graph.add(Node("product", (tracer.node_of(rows),), M, (Rows(matrix, row, M, column, K),)))
    return found if bias is None else graph.apply("add", found, tracer.node_of(bias))


def _transposed(tracer: Tracer, weights: Tensor) -> Tensor:
    ref = tracer.refs[id(weights)]
    note = tracer.notes[ref.note]
    flips = (torch.ops.aten.t.default, torch.ops.aten.transpose.int, torch.ops.aten.permute.default)
    if note.function in flips:
        for tensor in tracer._alive:
            if tracer.refs.get(id(tensor)) == note.args[0] and list(tensor.shape) == list(weights.shape)[::-1]:
                return tensor
    with tracer:
        return weights.t()


def _mm(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    first, second = args[-2:]
    bias = args[0] if len(args) == 3 else None
    if tracer.is_row(first) and tracer.is_row(second):
        raise refuse("a product of two values that both depend on the sequence")
    if any(kwargs.get(name, 1) != 1 for name in ("alpha", "beta")):
        raise refuse("a scaled product")
    if tracer.is_row(second):
        return [_product(tracer, second, first, bias)]
    return [_product(tracer, first, _transposed(tracer, second), bias)]


def _linear(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    return [_product(tracer, args[0], args[1], args[2] if len(args) > 2 else None)]


def _bmm(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    rows, weights = args
    graph = tracer.graph
    if tracer.is_row(weights):
        rows, weights = weights, rows
        if tracer.is_row(weights):
            raise refuse("a product of two values that both depend on the sequence")
        with tracer:
            weights = weights.transpose(1, 2)
    if is_batch(rows.shape[0]):
        raise refuse("a product for each sequence")
    heads, parts = rows.shape[0], []
    at, width = tracer.node_of(rows), graph[tracer.node_of(rows)].width // rows.shape[0]
    for head in range(heads):
        with tracer:
            own = weights.select(0, head).t()
        matrix, row, column = tracer.matrix(own)
        used = sliced(graph, at, head * width, width)
        parts.append(
            graph.add(Node("product", (used,), own.shape[0], (Rows(matrix, row, own.shape[0], column, width),)))
        )
    return [joined(graph, parts)]


# Reductions.


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
    listed = sorted(_row_dim(tensor, dim) for dim in ([dims] if isinstance(dims, int) else dims))
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
    return _expanded(graph, at, [*shape[:first], *[1] * (last + 1 - first), *shape[last + 1 :]], shape)


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
            at = tracer.graph.apply(op, at, _broadcast(tracer, parameter, results[0]))
    return [at, None, None]


def _rms_norm(tracer: Tracer, args: Any, kwargs: Any, results: Sequence[Tensor]) -> Nodes:
    tensor, sizes, gain, eps = (*args, None, None)[:4]
    at = _normalised(tracer, tensor, len(sizes), torch.finfo(torch.float32).eps if eps is None else eps, False)
    if gain is not None:
        at = tracer.graph.apply("mul", at, _broadcast(tracer, gain, results[0]))
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


def _clamped(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    low, high = (*args[1:], kwargs.get("min"), kwargs.get("max"))[:2] if len(args) < 3 else args[1:3]
    if "max" in kwargs:
        high = kwargs["max"]
    at = _broadcast(tracer, args[0], result)
    for op, bound in (("larger", low), ("smaller", high)):
        if bound is not None:
            at = tracer.graph.apply(op, at, _broadcast(tracer, bound, result))
    return [at]


_OTHERS: Mapping[str, Callable[..., Nodes]] = {
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "_reshape_alias"), _same),
    **dict.fromkeys(("permute", "transpose", "t"), _permuted),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max"), _clamped),
    "slice": _slice,
    "select": _select,
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "unsafe_split", "unsafe_chunk"), _split),
    "unbind": _unbind,
    "cat": _cat,
    "stack": _stack,
    "expand": _expand,
    **{name: _filled(lambda args: 0.0) for name in ("zeros", "new_zeros", "zeros_like")},
    **{name: _filled(lambda args: 1.0) for name in ("ones", "new_ones", "ones_like")},
    **{name: _filled(lambda args: args[1]) for name in ("full", "full_like")},
    "new_full": _filled(lambda args: args[2]),
    **dict.fromkeys(("mm", "addmm"), _mm),
    "linear": _linear,
    "bmm": _bmm,
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
