"""The way back through a step: gradients as values of the same graph (reverse mode)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ostinato.compiler.pieces import Pieces, Step
from ostinato.compiler.program import NUMBERS, POINTWISE, Graph, Node, Rows


class WeightGradient(NamedTuple):
    """What a step adds to the gradient of part of a matrix: `gradient` as a column times `operand` as a row."""

    rows: Rows
    gradient: int
    operand: int


class VectorGradient(NamedTuple):
    """What a row adds to the gradient of part of a vector."""

    vector: int
    begin: int
    gradient: int


class InputGradient(NamedTuple):
    """The gradient by numbers of an input, as a value."""

    input: int
    begin: int
    gradient: int


class Backward(NamedTuple):
    """Gradients, in the graph of the step.

    Attributes:
        state: by the pieces of every field before the step; None where it is zero.
        weights: of the matrices.
        vectors: of the vectors.
        inputs: by the inputs, as far as they are not factors of products.
        products: gradients by products of inputs, whose way back needs no step: `(leaf, rows, gradient)`.
        by: of the values of the step, for whoever names them.
    """

    state: tuple[tuple[int | None, ...], ...]
    weights: tuple[WeightGradient, ...]
    vectors: tuple[VectorGradient, ...]
    inputs: tuple[InputGradient, ...]
    products: tuple[tuple[int, Rows, int], ...]
    by: Mapping[int, int]

    @property
    def ends(self) -> list[int]:
        """Every value that has to be computed."""
        state = [at for field in self.state for at in field if at is not None]
        weights = [at for found in self.weights for at in (found.gradient, found.operand)]
        vectors, inputs = [v.gradient for v in self.vectors], [i.gradient for i in self.inputs]
        return [*state, *weights, *vectors, *inputs, *(gradient for _, _, gradient in self.products)]


def derive(step: Step, fixed: Iterable[int] = ()) -> Backward:
    """Gradients by everything that a step reads.

    The gradients by output and state after the step are the leaves `upstream` and `upstream_state`.

    Args:
        step: the step; its graph grows.
        fixed: inputs by which none is wanted: noise.
    """
    return _Derivation(step, set(fixed)).run()


class _Derivation:
    def __init__(self, step: Step, fixed: set[int]) -> None:
        self.step, self.graph, self.fixed = step, step.graph, fixed
        self.terms: dict[int, list[int]] = defaultdict(list)  # of the gradient by a value
        self.backs: dict[int, list[tuple[int, Rows]]] = defaultdict(list)  # those that come through products
        self.weights: list[WeightGradient] = []
        self.vectors: list[VectorGradient] = []
        self.inputs: list[InputGradient] = []
        self.products: list[tuple[int, Rows, int]] = []
        self.by: dict[int, int] = {}

    def run(self) -> Backward:
        g = self.graph
        self._begin("upstream", 0, self.step.output)
        for index, field in enumerate(self.step.after):
            self._begin("upstream_state", index, field)
        ends = [*self.step.output, *(at for field in self.step.after for at in field)]
        state: dict[int, int | None] = {}
        for at in reversed(g.needed(ends)):
            gradient = self._gradient(at)
            if g[at].op == "state":
                state[at] = gradient
            elif gradient is not None and g.number(gradient) != 0:
                self.by[at] = gradient
                self._through(at, gradient)
        before = tuple(tuple(state.get(at) for at in field) for field in self.step.before)
        parts = (self.weights, self.vectors, self.inputs, self.products)
        return Backward(before, *map(tuple, parts), self.by)  # type: ignore[arg-type, call-arg]

    def _begin(self, op: str, index: int, pieces: Pieces) -> None:
        begin = 0
        for at in pieces:
            self.terms[at].append(self.graph.leaf(op, index, begin, self.graph[at].width))
            begin += self.graph[at].width

    def _gradient(self, at: int) -> int | None:
        terms: list[int] = []
        for term in self.terms[at]:
            # what a mean takes away from what came before it: the two may be large, and cancel
            if terms and self.graph[term].op == "expand":
                terms[-1] = self.graph.apply("add", terms[-1], term)
            else:
                terms.append(term)
        if backs := self.backs[at]:
            args, parts = zip(*backs, strict=True)
            terms.append(self.graph.add(Node("back", args, self.graph[at].width, parts)))
        return self.graph.total(terms)

    def _through(self, at: int, gradient: int) -> None:
        node, g = self.graph[at], self.graph
        if node.op == "product":
            for operand, rows in zip(node.args, node.value, strict=True):
                self.weights.append(WeightGradient(rows, gradient, operand))
                if g[operand].op == "time":
                    if g[operand].value[0] not in self.fixed:
                        self.products.append((operand, rows, gradient))
                else:
                    self.backs[operand].append((gradient, rows))
        elif node.op == "vector":
            self.vectors.append(VectorGradient(node.value[0], node.value[1], gradient))
        elif node.op == "time":
            if node.value[0] not in self.fixed:
                self.inputs.append(InputGradient(node.value[0], node.value[1], gradient))
        elif node.op in ("sum", "expand"):
            widened = gradient if node.op == "sum" else g.reduce("sum", gradient)
            self._add(node.args[0], widened)
        elif node.op == "largest":
            self._largest(node, at, gradient)
        elif node.op not in NUMBERS:
            rule = _RULES.get(node.op)
            for operand, term in zip(node.args, rule(g, at, gradient) if rule else (), strict=False):
                if term is not None and g[operand].op not in NUMBERS:
                    self._add(operand, term)

    def _largest(self, node: Node, at: int, gradient: int) -> None:
        """In equal parts to all that are the largest, as torch's amax."""
        g = self.graph
        here = g.apply("equal", node.args[0], at)
        self._add(node.args[0], g.apply("mul", here, g.apply("div", gradient, g.reduce("sum", here))))

    def _add(self, operand: int, term: int) -> None:
        g = self.graph
        if g[operand].width == 1 and g[term].width > 1:
            term = g.reduce("sum", term)
        elif g[term].width == 1 and g[operand].width > 1:
            if g.number(term) == 0:
                return
            term = g.add(Node("expand", (term,), g[operand].width))
        self.terms[operand].append(term)


# The gradients by an operation's operands, from the graph, the operation's place and the gradient by its result.
_Rule = Callable[[Graph, int, int], tuple[int | None, ...]]


def _binary(g: Graph, at: int) -> tuple[int, int]:
    return g[at].args[0], g[at].args[1]


def _mul(g: Graph, at: int, d: int) -> tuple[int | None, ...]:
    a, b = _binary(g, at)
    return g.apply("mul", d, b), g.apply("mul", d, a)


def _div(g: Graph, at: int, d: int) -> tuple[int | None, ...]:
    _, b = _binary(g, at)
    by_a = g.apply("div", d, b)
    return by_a, g.apply("neg", g.apply("mul", by_a, at))


def _one_minus(g: Graph, at: int) -> int:
    return g.apply("sub", g.constant(1.0), at)


def _of(formula: Callable[[Graph, int, int], int]) -> _Rule:
    """Of one operand: the slope from the operand x and the result y."""

    def rule(g: Graph, at: int, d: int) -> tuple[int | None, ...]:
        return (g.apply("mul", d, formula(g, g[at].args[0], at)),)

    return rule


def _extreme(first_is: str) -> _Rule:
    """Of the smaller or larger of two: in equal parts where both are equal, as torch's minimum and maximum."""

    def rule(g: Graph, at: int, d: int) -> tuple[int | None, ...]:
        a, b = _binary(g, at)
        less = g.apply("less", a, b) if first_is == "smaller" else g.apply("less", b, a)
        if (
            g.number(b) == 0 and first_is == "larger"
        ):  # relu, whose result says it too; NaN is let through, as torch does
            zero = g.constant(0.0)
            return g.apply("where", g.apply("less_equal", at, zero), zero, d), None
        if g.number(b) is not None:  # clamped: torch gives it all to the operand, relu gives none
            less_or_equal = g.apply("less_equal", a, b) if first_is == "smaller" else g.apply("less_equal", b, a)
            return g.apply("mul", d, less if g.number(b) == 0 else less_or_equal), None
        half = g.apply("mul", g.constant(0.5), g.apply("equal", a, b))
        to_first = g.apply("add", less, half)
        return g.apply("mul", d, to_first), g.apply("mul", d, _one_minus(g, to_first))

    return rule


def _where(g: Graph, at: int, d: int) -> tuple[int | None, ...]:
    condition, zero = g[at].args[0], g.constant(0.0)
    return None, g.apply("where", condition, d, zero), g.apply("where", condition, zero, d)


def _power(g: Graph, at: int, d: int) -> tuple[int | None, ...]:
    x, exponent = _binary(g, at)
    less = g.apply("pow", x, g.apply("sub", exponent, g.constant(1.0)))
    by_x = g.apply("mul", d, g.apply("mul", exponent, less))
    if g.number(exponent) is not None:
        return by_x, None
    return by_x, g.apply("mul", d, g.apply("mul", at, g.apply("log", x)))


def _half_of_reciprocal(g: Graph, x: int, y: int) -> int:
    return g.apply("div", g.constant(0.5), y)


def _rsqrt_slope(g: Graph, x: int, y: int) -> int:
    return g.apply("mul", g.constant(-0.5), g.apply("mul", y, g.apply("mul", y, y)))


def _bell(g: Graph, x: int, y: int) -> int:
    return g.apply("mul", g.constant(1.1283791670955126), g.apply("exp", g.apply("neg", g.apply("mul", x, x))))


def _reciprocal_of_next(g: Graph, x: int, y: int) -> int:
    return g.apply("div", g.constant(1.0), g.apply("add", g.constant(1.0), x))


_RULES: dict[str, _Rule] = {
    "add": lambda g, at, d: (d, d),
    "sub": lambda g, at, d: (d, g.apply("neg", d)),
    "mul": _mul,
    "div": _div,
    "neg": lambda g, at, d: (g.apply("neg", d),),
    "abs": _of(lambda g, x, y: g.apply("sign", x)),
    "smaller": _extreme("smaller"),
    "larger": _extreme("larger"),
    "where": _where,
    "sigmoid": _of(lambda g, x, y: g.apply("mul", y, _one_minus(g, y))),
    "tanh": _of(lambda g, x, y: g.apply("tanh_slope", y)),
    "exp": _of(lambda g, x, y: y),
    "expm1": _of(lambda g, x, y: g.apply("add", y, g.constant(1.0))),
    "log": _of(lambda g, x, y: g.apply("div", g.constant(1.0), x)),
    "log1p": _of(_reciprocal_of_next),
    "sqrt": _of(_half_of_reciprocal),
    "rsqrt": _of(_rsqrt_slope),
    "pow": _power,
    "sin": _of(lambda g, x, y: g.apply("cos", x)),
    "cos": _of(lambda g, x, y: g.apply("neg", g.apply("sin", x))),
    "erf": _of(_bell),
    "softplus": _of(lambda g, x, y: g.apply("sigmoid", x)),
}
#: Operations through which no gradient passes.
FLAT = frozenset(POINTWISE) - frozenset(_RULES)
