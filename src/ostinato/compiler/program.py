"""A small language of rows: what a cell computes at one step of one sequence, as a graph without loops or memory.

A value is a row of `width` float32 numbers. Pointwise operations take operands of one width, or of width 1, which stand
for every number of the row. A graph is written once and then only read; equal nodes are one node.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

#: Where a row comes from that is not computed; `value` is (index, first number).
#: time: an input at every step; state: a field before the step; vector: a parameter; upstream: a gradient from outside.
LEAVES = ("time", "state", "vector", "upstream", "upstream_state")


#: What is no leaf, and made of nothing.
NUMBERS = ("constant", "reciprocal")


class Node(NamedTuple):
    """One value.

    Attributes:
        op: a name of LEAVES or POINTWISE, or constant, reciprocal, product, back, sum, largest, expand, slice or
            concatenation.
        args: the operands' places in the graph.
        width: numbers of the row.
        value: a constant's number; what a reciprocal is of; a slice's first number; a leaf's (index, first number); of
            a product, a `Rows` for each operand; of the way back, one for each gradient.
    """

    op: str
    args: tuple[int, ...]
    width: int
    value: Any = None


class Rows(NamedTuple):
    """Part of a matrix: rows (outputs) from `row` on, and the columns (inputs) from `column` on."""

    matrix: int
    row: int
    rows: int
    column: int
    columns: int


class Graph:
    """Nodes in an order in which operands come first."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        #: Of a node that a user's line made: which operation, and where.
        self.origin: dict[int, str] = {}
        self._places: dict[Node, int] = {}

    def __getitem__(self, at: int) -> Node:
        return self.nodes[at]

    def __len__(self) -> int:
        return len(self.nodes)

    def add(self, node: Node) -> int:
        """The place of a node, which may be an earlier one's."""
        at = self._places.setdefault(node, len(self.nodes))
        if at == len(self.nodes):
            self.nodes.append(node)
        return at

    def leaf(self, op: str, index: int, begin: int, width: int) -> int:
        """Numbers of an input, state field or parameter."""
        return self.add(Node(op, (), width, (index, begin)))

    def constant(self, number: float, width: int = 1) -> int:
        """The same number everywhere."""
        return self.add(Node("constant", (), width, float(number)))

    def reciprocal(self, count: int) -> int:
        """One over a count of units: unlike a constant, another one in layers of other sizes."""
        return self.add(Node("reciprocal", (), 1, count))

    def number(self, at: int) -> float | None:
        """Of a constant."""
        return self[at].value if self[at].op == "constant" else None

    def apply(self, op: str, *args: int) -> int:
        """A pointwise operation, or something simpler that is the same."""
        plain = tuple(self[a].args[0] if self[a].op == "expand" else a for a in args)
        if max(self[a].width for a in plain) == max(self[a].width for a in args):
            args = plain
        same = self._simpler(op, args)
        if same is not None:
            return same
        if all(self.number(a) is not None for a in args):
            values = [torch.tensor(self.number(a), dtype=torch.float64) for a in args]
            return self.constant(float(POINTWISE[op].function(*values)), max(self[a].width for a in args))
        return self.add(Node(op, args, max(self[a].width for a in args)))

    def _simpler(self, op: str, args: Sequence[int]) -> int | None:
        if len(args) == 3:
            return args[1] if op == "where" and args[1] == args[2] else None
        numbers = [self.number(a) for a in args]
        wide = max(self[a].width for a in args)
        keep = [a if self[a].width == wide else None for a in args]  # an operand in place of the result
        zero, one = [n == 0 for n in numbers], [n == 1 for n in numbers]
        if op == "neg" and self[args[0]].op == "neg":
            return self[args[0]].args[0]
        if len(args) != 2:
            return None
        if op == "mul":
            if zero[0] or zero[1]:
                return self.constant(0.0, wide)
            if numbers[0] == -1:
                return self.apply("neg", args[1])
            if numbers[1] == -1:
                return self.apply("neg", args[0])
        neutral = {"add": (zero[0], zero[1]), "sub": (False, zero[1]), "mul": (one[0], one[1]), "div": (False, one[1])}
        first, second = neutral.get(op, (False, False))
        if second and keep[0] is not None:
            return keep[0]
        if first and keep[1] is not None:
            return keep[1]
        if op == "sub" and zero[0]:
            return self.apply("neg", args[1])
        if op == "add" and self[args[1]].op == "neg":
            return self.apply("sub", args[0], self[args[1]].args[0])
        if op == "add" and self[args[0]].op == "neg":
            return self.apply("sub", args[1], self[args[0]].args[0])
        return None

    def reduce(self, op: str, at: int) -> int:
        """Over the numbers of a row: `sum` or `largest`."""
        number = self.number(at)
        if number is not None:
            return self.constant(number * self[at].width if op == "sum" else number)
        return at if self[at].width == 1 else self.add(Node(op, (at,), 1))

    def total(self, terms: Iterable[int]) -> int | None:
        """The sum of some values; None of none."""
        found: int | None = None
        for term in terms:
            found = term if found is None else self.apply("add", found, term)
        return found

    def users(self, ends: Iterable[int]) -> dict[int, list[int]]:
        """Of every node that the ends need, those that use it."""
        needed = self.needed(ends)
        found: dict[int, list[int]] = {at: [] for at in needed}
        for at in needed:
            for arg in self[at].args:
                found[arg].append(at)
        return found

    def needed(self, ends: Iterable[int], given: Collection[int] = ()) -> list[int]:
        """The ends and what they depend on, operands first; of what is given nothing that is behind it."""
        seen: set[int] = set()
        waiting = list(ends)
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                if at not in given:
                    waiting.extend(self.nodes[at].args)
        return sorted(seen)


class Pointwise(NamedTuple):
    """An operation on numbers.

    Attributes:
        function: what it computes, on torch tensors.
        cost: of a vector, in additions; a plane kept for backward costs `PLANE`.
    """

    function: Callable[..., Tensor]
    cost: float = 1


#: What it costs to write a row of numbers to memory and to read it again, and to read it alone: beside a product, and
#: in a step that waits for memory alone.
PLANE, READ = 24.0, 8.0
PLANE_ALONE, READ_ALONE = 48.0, 20.0


POINTWISE: Mapping[str, Pointwise] = {
    "add": Pointwise(torch.add),
    "sub": Pointwise(torch.sub),
    "mul": Pointwise(torch.mul),
    "div": Pointwise(torch.div, 6),
    "neg": Pointwise(torch.neg),
    "stopped": Pointwise(torch.Tensor.detach, 0),
    "abs": Pointwise(torch.abs),
    "smaller": Pointwise(torch.minimum),
    "larger": Pointwise(torch.maximum),
    "less": Pointwise(lambda a, b: (a < b).to(b.dtype)),
    "less_equal": Pointwise(lambda a, b: (a <= b).to(b.dtype)),
    "equal": Pointwise(lambda a, b: (a == b).to(b.dtype)),
    "where": Pointwise(lambda c, a, b: torch.where(c != 0, a, b)),
    "sign": Pointwise(torch.sign, 3),
    "sigmoid": Pointwise(torch.sigmoid, 16),
    "tanh": Pointwise(torch.tanh, 16),
    "tanh_slope": Pointwise(lambda y: 1 - y * y),
    "exp": Pointwise(torch.exp, 14),
    "expm1": Pointwise(torch.expm1, 20),
    "log": Pointwise(torch.log, 20),
    "log1p": Pointwise(torch.log1p, 26),
    "sqrt": Pointwise(torch.sqrt, 8),
    "rsqrt": Pointwise(torch.rsqrt, 12),
    "pow": Pointwise(torch.pow, 40),
    "sin": Pointwise(torch.sin, 24),
    "cos": Pointwise(torch.cos, 24),
    "erf": Pointwise(torch.erf, 20),
    "softplus": Pointwise(lambda x: torch.nn.functional.softplus(x), 30),
}


def run(
    graph: Graph, ends: Sequence[int], leaves: Callable[[Node], Tensor], matrices: Sequence[Tensor]
) -> list[Tensor]:
    """What the graph says, in plain torch: the values of the ends, `[N, width]` each.

    Args:
        graph: the graph.
        ends: which values are wanted.
        leaves: the tensor of a leaf, `[N, width]` or `[width]`.
        matrices: `[rows, columns]` each.
    """
    found: dict[int, Tensor] = {}
    for at in graph.needed(ends):
        node = graph[at]
        args = [found[arg] for arg in node.args]
        if node.op in LEAVES:
            found[at] = leaves(node)
        elif node.op == "constant":
            found[at] = torch.full((node.width,), node.value, dtype=torch.float64)
        elif node.op == "reciprocal":
            found[at] = torch.full((1,), 1 / node.value, dtype=torch.float64)
        elif node.op == "product":
            parts = zip(args, node.value, strict=True)
            found[at] = sum((arg @ _part(matrices, rows).T for arg, rows in parts), torch.zeros(()))
        elif node.op == "back":
            parts = zip(args, node.value, strict=True)
            found[at] = sum((arg @ _part(matrices, rows) for arg, rows in parts), torch.zeros(()))
        elif node.op == "sum":
            found[at] = args[0].sum(-1, keepdim=True)
        elif node.op == "largest":
            found[at] = args[0].amax(-1, keepdim=True)
        elif node.op == "expand":
            found[at] = args[0].expand(*args[0].shape[:-1], node.width)
        elif node.op == "slice":
            found[at] = args[0][..., node.value : node.value + node.width]
        elif node.op == "concatenation":
            N = max((a.shape[0] for a in args if a.dim() > 1), default=1)
            wide = [a.expand(N, g.width) for a, g in zip(args, (graph[a] for a in node.args), strict=True)]
            found[at] = torch.cat(wide, -1)
        else:
            found[at] = POINTWISE[node.op].function(*args)
    return [found[end] for end in ends]


def _part(matrices: Sequence[Tensor], rows: Rows) -> Tensor:
    return matrices[rows.matrix][rows.row : rows.row + rows.rows, rows.column : rows.column + rows.columns]
