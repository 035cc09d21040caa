"""Torch's pointwise operations as formulas of the few that the language of rows has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ostinato.compiler.program import Graph

#: Of a graph, the operands, and whatever is not a number.
Rule = Callable[[Graph, Sequence[int], Sequence[Any]], int]


def _plain(op: str) -> Rule:
    return lambda g, a, _: g.apply(op, *a)


def _with_alpha(op: str) -> Rule:
    def rule(g: Graph, a: Sequence[int], rest: Sequence[Any]) -> int:
        alpha = rest[-1].get("alpha", 1)
        second = a[1] if alpha == 1 else g.apply("mul", a[1], g.constant(alpha))
        return g.apply(op, *((second, a[0]) if op == "rsub" else (a[0], second)))

    return rule


def _of_one(formula: Callable[[_One], Any]) -> Rule:
    def rule(g: Graph, a: Sequence[int], _: Sequence[Any]) -> int:
        return int(formula(_One(g, a)).at)

    return rule


class _Value:
    """A value with operators, to write formulas down."""

    def __init__(self, graph: Graph, at: int) -> None:
        self.graph, self.at = graph, at

    def apply(self, op: str, *others: Any) -> _Value:
        args = [self.at]
        for other in others:
            args.append(other.at if isinstance(other, _Value) else self.graph.constant(other))
        return _Value(self.graph, self.graph.apply(op, *args))

    def of(self, number: float) -> _Value:
        return _Value(self.graph, self.graph.constant(number))

    def __add__(self, other: Any) -> _Value:
        return self.apply("add", other)

    def __sub__(self, other: Any) -> _Value:
        return self.apply("sub", other)

    def __rsub__(self, other: float) -> _Value:
        return self.of(other) - self

    def __mul__(self, other: Any) -> _Value:
        return self.apply("mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> _Value:
        return self.apply("div", other)

    def within(self, low: float | None, high: float | None) -> _Value:
        found = self if low is None else self.apply("larger", low)
        return found if high is None else found.apply("smaller", high)

    def where(self, yes: Any, no: Any) -> _Value:
        return self.apply("where", *(v if isinstance(v, _Value) else self.of(v) for v in (yes, no)))


class _One:
    """An operation's operands as values; the numbers among them as numbers."""

    def __init__(self, graph: Graph, args: Sequence[int]) -> None:
        self.x, self.args, self.graph = _Value(graph, args[0]), args, graph

    def number(self, at: int, default: float) -> float:
        if at >= len(self.args):
            return default
        found = self.graph.number(self.args[at])
        assert found is not None
        return found

    def value(self, at: int) -> _Value:
        return _Value(self.graph, self.args[at])


def _leaky(a: _One) -> _Value:
    return a.x.apply("less", 0.0).where(a.x * a.number(1, 0.01), a.x)


def _elu(a: _One) -> _Value:
    alpha, scale, inner = a.number(1, 1.0), a.number(2, 1.0), a.number(3, 1.0)
    below = (a.x.apply("smaller", 0.0) * inner).apply("expm1") * alpha
    return a.x.apply("less", 0.0).where(below, a.x) * scale


def _celu(a: _One) -> _Value:
    alpha = a.number(1, 1.0)
    below = (a.x.apply("smaller", 0.0) / alpha).apply("expm1") * alpha
    return a.x.apply("less", 0.0).where(below, a.x)


def _softplus(a: _One) -> _Value:
    beta, threshold = a.number(1, 1.0), a.number(2, 20.0)
    scaled = a.x * beta
    return (scaled.of(threshold).apply("less", scaled)).where(a.x, scaled.apply("softplus") / beta)


def _gelu(g: Graph, a: Sequence[int], rest: Sequence[Any]) -> int:
    x = _Value(g, a[0])
    if rest[-1].get("approximate", "none") == "tanh":
        inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
        return (x * 0.5 * (inner.apply("tanh") + 1.0)).at
    return (x * 0.5 * ((x * math.sqrt(0.5)).apply("erf") + 1.0)).at


def _pow(a: _One) -> _Value:
    exponent = a.graph.number(a.args[1])
    simple: dict[float | None, Callable[[_Value], _Value]] = {
        0.0: lambda x: x.of(1.0),
        1.0: lambda x: x,
        2.0: lambda x: x * x,
        3.0: lambda x: x * x * x,
        0.5: lambda x: x.apply("sqrt"),
        -0.5: lambda x: x.apply("rsqrt"),
        -1.0: lambda x: x.of(1.0) / x,
        4.0: lambda x: (x * x) * (x * x),
        -2.0: lambda x: x.of(1.0) / (x * x),
    }
    if exponent in simple:
        return simple[exponent](a.x)
    return a.x.apply("pow", a.value(1))


def _negated(op: str) -> Rule:
    return lambda g, a, _: g.apply("sub", g.constant(1.0), g.apply(op, *a))


def _logical(formula: Callable[[_Value, _Value], _Value]) -> Rule:
    def rule(g: Graph, a: Sequence[int], _: Sequence[Any]) -> int:
        one, zero = g.constant(1.0), g.constant(0.0)
        truth = [_Value(g, g.apply("where", at, one, zero)) for at in a]
        return formula(truth[0], truth[-1]).at

    return rule


POINTWISE_RULES: Mapping[str, Rule] = {
    **{
        name: _plain(name)
        for name in ("mul", "div", "neg", "abs", "sigmoid", "tanh", "exp", "expm1", "log", "log1p", "sqrt")
    },
    **{name: _plain(name) for name in ("rsqrt", "sin", "cos", "erf", "where")},
    "add": _with_alpha("add"),
    "sub": _with_alpha("sub"),
    "rsub": lambda g, a, _: g.apply("sub", a[1], a[0]),
    "sgn": _plain("sign"),
    "sign": _plain("sign"),
    "minimum": _plain("smaller"),
    "maximum": _plain("larger"),
    "lt": _plain("less"),
    "le": _plain("less_equal"),
    "gt": lambda g, a, _: g.apply("less", a[1], a[0]),
    "ge": lambda g, a, _: g.apply("less_equal", a[1], a[0]),
    "eq": _plain("equal"),
    "ne": _negated("equal"),
    "logical_not": _logical(lambda a, _: 1.0 - a),
    "bitwise_not": _logical(lambda a, _: 1.0 - a),
    **{name: _logical(lambda a, b: a * b) for name in ("logical_and", "bitwise_and", "__and__")},
    **{name: _logical(lambda a, b: a.apply("larger", b)) for name in ("logical_or", "bitwise_or", "__or__")},
    "square": _of_one(lambda a: a.x * a.x),
    "reciprocal": _of_one(lambda a: a.x.of(1.0) / a.x),
    "exp2": _of_one(lambda a: (a.x * math.log(2)).apply("exp")),
    "log2": _of_one(lambda a: a.x.apply("log") * (1 / math.log(2))),
    "log10": _of_one(lambda a: a.x.apply("log") * (1 / math.log(10))),
    "pow": _of_one(_pow),
    "relu": _of_one(lambda a: a.x.apply("larger", 0.0)),
    "leaky_relu": _of_one(_leaky),
    "elu": _of_one(_elu),
    "celu": _of_one(_celu),
    "gelu": _gelu,
    "silu": _of_one(lambda a: a.x * a.x.apply("sigmoid")),
    "mish": _of_one(lambda a: a.x * a.x.apply("softplus").apply("tanh")),
    "softplus": _of_one(_softplus),
    "log_sigmoid_forward": _of_one(lambda a: (a.x.apply("neg").apply("softplus")).apply("neg")),
    "hardsigmoid": _of_one(lambda a: (a.x / 6.0 + 0.5).within(0.0, 1.0)),
    "hardswish": _of_one(lambda a: a.x * (a.x / 6.0 + 0.5).within(0.0, 1.0)),
    "hardtanh": _of_one(lambda a: a.x.within(a.number(1, -1.0), a.number(2, 1.0))),
    "threshold": _of_one(lambda a: a.value(1).apply("less", a.x).where(a.x, a.value(2))),
    "lerp": _of_one(lambda a: a.x + a.value(2) * (a.value(1) - a.x)),
    "addcmul": lambda g, a, r: g.apply("add", a[0], _scaled(g, g.apply("mul", a[1], a[2]), r[-1])),
    "addcdiv": lambda g, a, r: g.apply("add", a[0], _scaled(g, g.apply("div", a[1], a[2]), r[-1])),
    **{name: lambda g, a, _: a[0] for name in ("_to_copy", "clone", "alias", "lift_fresh", "contiguous")},
    "detach": _plain("stopped"),
}


def _scaled(g: Graph, at: int, kwargs: Mapping[str, Any]) -> int:
    return g.apply("mul", at, g.constant(kwargs.get("value", 1)))
