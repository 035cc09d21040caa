"""The same values by fewer operations: interpolations, common factors, and products that share factors."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import combinations

from ostinato.compiler.derive import Backward
from ostinato.compiler.pieces import Step
from ostinato.compiler.program import POINTWISE, Graph

# A product of more is left as it is, and so are steps with more of them: heads by the dozen.
_MOST_FACTORS, _MOST_PRODUCTS = 16, 400

#: From a node's old place and all new places so far, its own; None where only its operands change.
_Rule = Callable[[int, Mapping[int, int]], "int | None"]


def shorter(step: Step, back: Backward) -> tuple[Step, Backward]:
    """A step and its way back by fewer operations, in the same graph.

    Where a gate z = sigmoid(..) blends, (1 - z) n + z h becomes n + z (h - n); a b + a c becomes a (b + c). Of the way
    back, products are then taken apart, and put together again such that what several have in common is computed once.
    """
    graph = step.graph
    forward = [*step.output, *(at for field in step.after for at in field)]
    step, back = _rewritten(step, back, _Sums(graph, [*forward, *back.ends]).rule)
    forward = [*step.output, *(at for field in step.after for at in field)]
    return _rewritten(step, back, _Products(graph, forward, back.ends).rule)


def _rewritten(step: Step, back: Backward, rule: _Rule) -> tuple[Step, Backward]:
    graph = step.graph
    new: dict[int, int] = {}
    for at in graph.needed([*step.output, *(at for field in step.after for at in field), *back.ends]):
        node = graph[at]
        args = tuple(new[arg] for arg in node.args)
        made = rule(at, new)
        if made is None:
            if args == node.args:
                made = at
            else:
                made = graph.apply(node.op, *args) if node.op in POINTWISE else graph.add(node._replace(args=args))
        new[at] = made
        if at in graph.origin:
            graph.origin.setdefault(made, graph.origin[at])
    return (
        step._replace(
            output=tuple(new[at] for at in step.output), after=tuple(tuple(new[at] for at in f) for f in step.after)
        ),
        Backward(
            tuple(tuple(at if at is None else new[at] for at in field) for field in back.state),
            tuple(one._replace(gradient=new[one.gradient], operand=new[one.operand]) for one in back.weights),
            tuple(one._replace(gradient=new[one.gradient]) for one in back.vectors),
            tuple(one._replace(gradient=new[one.gradient]) for one in back.inputs),
            tuple((leaf, rows, new[gradient]) for leaf, rows, gradient in back.products),
            {new[at]: new[gradient] for at, gradient in back.by.items() if at in new and gradient in new},
        ),
    )


class _Sums:
    """Sums and differences of two products that nobody else uses."""

    def __init__(self, graph: Graph, ends: Sequence[int]) -> None:
        self.graph = graph
        users, last = graph.users(ends), set(ends)
        self.single = {at for at, by in users.items() if len(by) == 1 and at not in last}

    def rule(self, at: int, new: Mapping[int, int]) -> int | None:
        """One product where there were two."""
        g, node = self.graph, self.graph[at]
        if node.op not in ("add", "sub") or not self.single.issuperset(node.args):
            return None
        if any(g[new[arg]].op != "mul" for arg in node.args):
            return None
        first, second = (g[new[arg]].args for arg in node.args)
        common = set(first) & set(second)
        if common:
            factor = min(common)
            return g.apply("mul", factor, g.apply(node.op, _without(first, factor), _without(second, factor)))
        return self._blend(first, second) or self._blend(second, first) if node.op == "add" else None

    def _blend(self, first: Sequence[int], second: Sequence[int]) -> int | None:
        """(1 - z) n + z h, of a z that is never quite 1: the sum is n then, where h is infinite too."""
        g = self.graph
        for z in second:
            if g[z].op == "sigmoid" and (rest := g.apply("sub", g.constant(1.0), z)) in first:
                n = _without(first, rest)
                return g.apply("add", g.apply("mul", z, g.apply("sub", _without(second, z), n)), n)
        return None


def _without(factors: Sequence[int], one: int) -> int:
    first, second = factors
    return second if first == one else first


class _Products:
    """Products of the way back, each of as many factors as it has once nothing between them is kept."""

    def __init__(self, graph: Graph, forward: Iterable[int], ends: Collection[int]) -> None:
        self.graph, self.size = graph, len(graph)
        known, last = set(graph.needed(forward)), set(ends)
        users = graph.users(ends)
        inner = {at for at in users if graph[at].op == "mul" and at not in known}
        self.inner = {at for at in inner if at not in last and self._within(users[at], at, inner)}
        self.products = {at: Counter(self._factors(at)) for at in sorted(inner - self.inner)}
        self.gradients: dict[int, bool] = {}  # whether a value depends on what comes from above
        self.pairs: dict[int, tuple[int, int]] = {}  # from numbers that no node has
        if len(self.products) <= _MOST_PRODUCTS:
            self._share()
        else:
            self.products = {}

    def _within(self, users: Sequence[int], at: int, inner: Collection[int]) -> bool:
        """Whether nothing but a product of the same width wants a value."""
        return len(users) == 1 and users[0] in inner and self.graph[users[0]].width == self.graph[at].width

    def _factors(self, at: int) -> list[int]:
        found: list[int] = []
        for arg in self.graph[at].args:
            parts = self._factors(arg) if arg in self.inner else [arg]
            found += parts if len(found) + len(parts) < _MOST_FACTORS else [arg]
        return found

    def _share(self) -> None:
        """As long as two factors stand together in several products: those that do so most often, first."""
        while True:
            counts: Counter[tuple[int, int]] = Counter()
            for factors in self.products.values():
                counts.update(_pairs(factors))
            most = max(counts.values(), default=0)
            if most < 2:
                return
            for pair in sorted(pair for pair, count in counts.items() if count == most):
                self._join(pair)

    def _join(self, pair: tuple[int, int]) -> None:
        using = [factors for factors in self.products.values() if pair in _pairs(factors)]
        if len(using) < 2:
            return
        joined = self.size + len(self.pairs)
        self.pairs[joined] = pair
        for factors in using:
            factors.subtract(pair)
            factors[joined] += 1

    def rule(self, at: int, new: Mapping[int, int]) -> int | None:
        """The product of what is left: rows of width 1 first, then gradients."""
        if at not in self.products:
            return None
        found = [self._value(one, new) for one in self.products[at].elements()]
        return self._multiplied(found)

    def _value(self, one: int, new: Mapping[int, int]) -> int:
        if one not in self.pairs:
            return new[one]
        return self._multiplied([self._value(factor, new) for factor in self.pairs[one]])

    def _multiplied(self, factors: Sequence[int]) -> int:
        ordered = sorted(factors, key=lambda at: (self.graph[at].width > 1, not self._is_gradient(at), at))
        found = ordered[0]
        for factor in ordered[1:]:
            found = self.graph.apply("mul", found, factor)
        return found

    def _is_gradient(self, at: int) -> bool:
        if at not in self.gradients:
            node = self.graph[at]
            above = node.op in ("upstream", "upstream_state")
            self.gradients[at] = above or any(map(self._is_gradient, node.args))
        return self.gradients[at]


def _pairs(factors: Counter[int]) -> set[tuple[int, int]]:
    there = sorted(at for at, count in factors.items() if count > 0)
    return {*combinations(there, 2), *((at, at) for at in there if factors[at] > 1)}
