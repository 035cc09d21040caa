"""What torch's operations mean on rows."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.compiler.pointwise import POINTWISE_RULES
from ostinato.compiler.program import Graph, Node, Rows
from ostinato.compiler.reductions import REDUCTIONS
from ostinato.compiler.slices import broadcast, expanded, joined, row_dim, sliced, widened
from ostinato.compiler.tracer import Tracer, is_batch, refuse, row_shape, slice_of

Nodes = Sequence[int | None]


def translate(tracer: Tracer, name: str, args: Any, kwargs: Any, result: Any) -> Nodes:
    """The values of an operation's results.

    Raises:
        CannotCompileError: no kernel has it.
    """
    if name in POINTWISE_RULES:
        operands = [broadcast(tracer, arg, result) for arg in args if isinstance(arg, (Tensor, int, float, bool))]
        extra = [arg for arg in args if not isinstance(arg, (Tensor, int, float, bool))]
        return [POINTWISE_RULES[name](tracer.graph, operands, [*extra, kwargs])]
    if name in _OTHERS:
        return _OTHERS[name](tracer, args, kwargs, result)
    raise refuse(f"no kernel has torch's {name}")


# Shapes.


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
    d = row_dim(tensor, dim)
    return [_part(tracer.graph, tracer.node_of(tensor), row_shape(tensor), d, start, result.shape[dim])]


def _select(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensor, dim, index = args
    d = row_dim(tensor, dim)
    return [_part(tracer.graph, tracer.node_of(tensor), row_shape(tensor), d, index % tensor.shape[dim], 1)]


def _split(tracer: Tracer, args: Any, kwargs: Any, results: Sequence[Tensor]) -> Nodes:
    tensor, dim = args[0], args[2] if len(args) > 2 else kwargs.get("dim", 0)
    d, begin, found = row_dim(tensor, dim), 0, []
    for result in results:
        count = result.shape[dim]
        found.append(_part(tracer.graph, tracer.node_of(tensor), row_shape(tensor), d, begin, count))
        begin += count
    return found


def _unbind(tracer: Tracer, args: Any, kwargs: Any, results: Sequence[Tensor]) -> Nodes:
    tensor, dim = args[0], args[1] if len(args) > 1 else 0
    d, shape = row_dim(tensor, dim), row_shape(tensor)
    return [_part(tracer.graph, tracer.node_of(tensor), shape, d, i, 1) for i in range(len(results))]


def _cat(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    tensors, dim = args[0], args[1] if len(args) > 1 else 0
    tensors = [t for t in tensors if t.numel()]
    d = row_dim(result, dim)
    parts = []
    for tensor in tensors:
        like = list(result.shape)
        like[dim] = tensor.shape[dim]
        have = [h for h, size in zip(tensor.shape, like, strict=True) if not is_batch(size)]
        parts.append((expanded(tracer.graph, tracer.node_of(tensor), have, have), have))
    return [_side_by_side(tracer.graph, parts, d)]


def _stack(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    dim = args[1] if len(args) > 1 else 0
    d = row_dim(result, dim)
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
    at = broadcast(tracer, args[0], result)
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


def _clamped(tracer: Tracer, args: Any, kwargs: Any, result: Tensor) -> Nodes:
    low, high = (*args[1:], kwargs.get("min"), kwargs.get("max"))[:2] if len(args) < 3 else args[1:3]
    if "max" in kwargs:
        high = kwargs["max"]
    at = broadcast(tracer, args[0], result)
    for op, bound in (("larger", low), ("smaller", high)):
        if bound is not None:
            at = tracer.graph.apply(op, at, broadcast(tracer, bound, result))
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
    **REDUCTIONS,
}
