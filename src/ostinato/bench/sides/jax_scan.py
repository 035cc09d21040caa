"""A scan over time, compiled by JAX: the program that the compiler traces of a cell, written in `jax.numpy`."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import reduce
from importlib import import_module
from itertools import accumulate
from operator import add
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ostinato.bench.problem import Problem, Results
from ostinato.bench.sides.side import LeftOutError
from ostinato.compiler.program import LEAVES, Graph, Node, Rows
from ostinato.compiler.trace import Traced, computed, trace, trace_readout

Array = Any
Values = dict[int, Array]


class JaxScan:
    """`jax.lax.scan` under `jit`: all that needs no state once for all steps, gradients by `jax.vjp`, one program.

    What a cell makes of its parameters alone, such as exp(-softplus(a)), is computed by torch and is not timed.

    Attributes:
        seconds: that compiling took.
    """

    within = staticmethod(nullcontext[None])

    def __init__(self, problem: Problem) -> None:
        self._jax = jax = import_module("jax")
        jax.config.update("jax_platforms", "cpu")
        self._p = {n.removesuffix("_l0"): p.detach().requires_grad_() for n, p in problem.layer.named_parameters()}
        self._problem = problem
        recurrence = trace(problem.cell)
        if recurrence.projected:
            raise LeftOutError("its input part goes across time steps")
        self._parts = [recurrence]
        if recurrence.output is None:
            self._parts.append(trace_readout(problem.cell))
        self._made = [made for part in self._parts for made in _parameters(part, self._p)]
        weights = [[_array(tensor) for tensor in made] for made in self._made]
        arguments = [weights, _array(problem.x)]
        before = [_array(f.reshape(len(f), -1)) for f in problem.cell.initial_state(problem.row.N, problem.x)]

        def forward(weights: Any, x: Array) -> Any:
            return _scan(jax, self._parts, weights, x, before)

        def both(weights: Any, x: Array, upstream: Array) -> Any:
            output, pull, final = jax.vjp(forward, weights, x, has_aux=True)
            return output, final, pull(upstream)

        self._arguments = [*arguments, _array(problem.upstream)] if problem.training else arguments
        began = time.perf_counter()
        self._compiled = jax.jit(both if problem.training else forward).lower(*self._arguments).compile()
        self.seconds = time.perf_counter() - began

    def run(self) -> Any:
        """One call of the compiled program, to its end."""
        return self._jax.block_until_ready(self._compiled(*self._arguments))

    def results(self) -> Results:
        """Output, final state, and in training all gradients."""
        output, final, *grads = self.run()
        names = zip(self._problem.cell.State._fields, final, strict=True)
        found = {"output": _tensor(output), **{f"final {name}": _tensor(field) for name, field in names}}
        if not grads:
            return found
        ((by_weights, by_x),) = grads
        made = [tensor for part in self._made for tensor in part]
        given = [_tensor(grad) for part in by_weights for grad in part]
        back = torch.autograd.grad(
            made, tuple(self._p.values()), [g.reshape(m.shape) for g, m in zip(given, made, strict=True)],
            allow_unused=True, retain_graph=True,
        )  # fmt: skip
        grads = {f"grad {name}_l0": grad for name, grad in zip(self._p, back, strict=True) if grad is not None}
        return found | {"grad x": _tensor(by_x)} | grads


def _scan(jax: Any, parts: Sequence[Traced], weights: Any, x: Array, before: Sequence[Array]) -> Any:
    """Output and final state of a cell over a sequence."""
    recurrence, graph, jnp = parts[0], parts[0].graph, jax.numpy
    ends = [*recurrence.state, *([] if recurrence.output is None else [recurrence.output])]
    needed = graph.needed(ends)
    stateful = _reached(graph, needed, "state")
    parallel = [at for at in needed if at not in stateful]
    factors, vectors = _factors(graph, weights[0]), weights[1]  # cut here: in the scan it would cost at every step
    known = _evaluate(jnp, graph, parallel, {}, factors, vectors, [x])
    timed = _reached(graph, parallel, "time")
    users = {at: set(found) for at, found in graph.users(ends).items()}
    passed = [at for at in parallel if at in timed and (at in ends or users[at] & stateful)]
    fixed = {at: known[at] for at in parallel if at not in timed}

    def step(state: Any, rows: Any) -> Any:
        values = fixed | dict(zip(passed, rows, strict=True))
        values = _evaluate(jnp, graph, sorted(stateful), values, factors, vectors, state)
        wide = [jnp.broadcast_to(values[at], (x.shape[1], graph[at].width)) for at in ends]
        after = wide[: len(state)]
        return after, wide[len(state) :] or after

    final, found = jax.lax.scan(step, list(before), [known[at] for at in passed])
    if recurrence.output is not None:
        return found[0], final
    readout = parts[1]
    assert readout.output is not None
    whole = readout.graph.needed([readout.output])
    values = _evaluate(jnp, readout.graph, whole, {}, _factors(readout.graph, weights[2]), weights[3], found)
    return values[readout.output], final


def _reached(graph: Graph, nodes: Sequence[int], leaf: str) -> set[int]:
    """Those of the nodes that depend on a kind of leaf."""
    found: set[int] = set()
    for at in nodes:
        if graph[at].op == leaf or found.intersection(graph[at].args):
            found.add(at)
    return found


def _evaluate(
    jnp: Any,
    graph: Graph,
    nodes: Sequence[int],
    values: Values,
    factors: Mapping[Rows, Array],
    vectors: Sequence[Array],
    rows: Sequence[Array],
) -> Values:
    """The values of nodes, whose operands are among them or known."""
    operations, values, cut = _operations(jnp), dict(values), dict[int, Values]()

    def leaf(node: Node) -> Array:
        index, begin = node.value
        held = vectors if node.op == "vector" else rows
        return held[index][..., begin : begin + node.width]

    def product(args: Sequence[Array], parts: Sequence[Rows]) -> Array:
        return reduce(add, (arg @ factors[part].T for arg, part in zip(args, parts, strict=True)))

    for at in nodes:
        node = graph[at]
        args = [values[arg] for arg in node.args]
        if node.op in LEAVES:
            values[at] = leaf(node)
        elif node.op == "constant":
            values[at] = jnp.full((node.width,), node.value, jnp.float32)
        elif node.op == "reciprocal":
            values[at] = jnp.full((1,), 1 / node.value, jnp.float32)
        elif node.op == "product":
            values[at] = product(args, node.value)
        elif node.op == "slice":
            base = node.args[0]
            if base not in cut:
                cut[base] = _cut(jnp, graph, args[0], base, nodes)
            values[at] = cut[base][at]
        elif node.op == "expand":
            values[at] = jnp.broadcast_to(args[0], (*args[0].shape[:-1], node.width))
        elif node.op == "concatenation":
            lead = jnp.broadcast_shapes(*(arg.shape[:-1] for arg in args))
            wide = [jnp.broadcast_to(a, (*lead, graph[g].width)) for a, g in zip(args, node.args, strict=True)]
            values[at] = jnp.concatenate(wide, -1)
        else:
            values[at] = operations[node.op](*args)
    return values


def _cut(jnp: Any, graph: Graph, value: Array, base: int, nodes: Sequence[int]) -> Values:
    """The slices of a value; by `split` where they are all of it, of which XLA makes a faster way back."""
    slices = {at: graph[at] for at in nodes if graph[at].op == "slice" and graph[at].args == (base,)}
    ordered = sorted(slices, key=lambda at: slices[at].value)
    ends = list(accumulate(slices[at].width for at in ordered))
    if [slices[at].value for at in ordered] == [0, *ends[:-1]] and ends[-1] == graph[base].width:
        return dict(zip(ordered, jnp.split(value, ends[:-1], axis=-1), strict=True))
    return {at: value[..., node.value : node.value + node.width] for at, node in slices.items()}


def _operations(jnp: Any) -> Mapping[str, Callable[..., Array]]:
    """Those of `compiler.program`, by name."""
    nn, lax = import_module("jax.nn"), import_module("jax.lax")
    same_names = ("add", "abs", "sign", "tanh", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos")
    return {name: getattr(jnp, name) for name in same_names} | {
        "mul": jnp.multiply,
        "neg": jnp.negative,
        "smaller": jnp.minimum,
        "larger": jnp.maximum,
        "sub": jnp.subtract,
        "div": jnp.divide,
        "less": lambda a, b: (a < b).astype(jnp.float32),
        "less_equal": lambda a, b: (a <= b).astype(jnp.float32),
        "equal": lambda a, b: (a == b).astype(jnp.float32),
        "where": lambda condition, a, b: jnp.where(condition != 0, a, b),
        "sigmoid": nn.sigmoid,
        "stopped": lax.stop_gradient,
        "tanh_slope": lambda y: 1 - y * y,
        "rsqrt": lax.rsqrt,
        "pow": jnp.power,
        "erf": lax.erf,
        "softplus": nn.softplus,
        "sum": lambda row: row.sum(-1, keepdims=True),
        "largest": lambda row: row.max(-1, keepdims=True),
    }


def _factors(graph: Graph, matrices: Sequence[Array]) -> dict[Rows, Array]:
    """The parts of matrices that a program multiplies by."""
    parts = {part for node in graph.nodes if node.op == "product" for part in node.value}
    return {r: matrices[r.matrix][r.row : r.row + r.rows, r.column : r.column + r.columns] for r in parts}


def _parameters(traced: Traced, p: Mapping[str, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Matrices and vectors of a program."""
    like = next(iter(p.values()))
    vectors = computed(traced, p, traced.vectors, like)
    return computed(traced, p, traced.matrices, like), [vector.reshape(-1) for vector in vectors]


def _array(tensor: Tensor) -> Array:
    return import_module("jax.numpy").asarray(tensor.detach().numpy())


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.array(array))
