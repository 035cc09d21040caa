"""A graph without slices and concatenations: every value in pieces of which the whole is used.

Four gates that come of one product are four products with a quarter of the rows each; pointwise operations follow.
Where one value is cut in two ways, its pieces are the smallest that serve both.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ostinato.compiler.program import LEAVES, Graph, Node, Rows
from ostinato.compiler.trace import Traced
from ostinato.compiler.tracer import CannotCompileError

Pieces = tuple[int, ...]
# More would take a minute to compile: heads by the hundred, or units taken one by one. Cells of papers have up to 150.
_MOST_NODES = 1000
_MOST_ROUNDS = 12


class Step(NamedTuple):
    """A step in pieces, each `(node, ...)` side by side.

    Attributes:
        graph: all values.
        output: the output's.
        before: of each state field, the leaves.
        after: of each state field, the values after the step: as wide as those before.
    """

    graph: Graph
    output: Pieces
    before: tuple[Pieces, ...]
    after: tuple[Pieces, ...]


def in_pieces(traced: Traced) -> Step:
    """A traced step without slices and concatenations.

    Raises:
        CannotCompileError: too many pieces.
    """
    cuts: dict[Node, set[int]] = {}
    for _ in range(_MOST_ROUNDS):
        known = sum(map(len, cuts.values()))
        found = _Cutter(traced.graph, cuts).step(traced)
        if sum(map(len, cuts.values())) == known:
            return found
    raise CannotCompileError("units are cut in too many ways")


class _Cutter:
    """One round: builds the graph along the cuts that are known, and notes those that were missing."""

    def __init__(self, old: Graph, cuts: dict[Node, set[int]]) -> None:
        self.old, self.cuts, self.graph = old, cuts, Graph()
        self._made: dict[tuple[int, int, int], list[int]] = {}

    def step(self, traced: Traced) -> Step:
        before = []
        for index, width in enumerate(traced.state_widths):
            field = Node("state", (), width, (index, 0))
            # the field after the step is cut as the one before
            inside = [cut for cut in self._edges(self.pieces(traced.state[index])) if 0 < cut < width]
            self.cuts.setdefault(field, set()).update(inside)
            edges = [0, *sorted(self.cuts[field]), width]
            before.append(tuple(self.graph.leaf("state", index, a, b - a) for a, b in pairwise(edges)))
        after = []
        for index, width in enumerate(traced.state_widths):
            edges = [0, *sorted(self.cuts[Node("state", (), width, (index, 0))]), width]
            after.append(tuple(self._one(traced.state[index], a, b - a) for a, b in pairwise(edges)))
        output = () if traced.output is None else tuple(self.pieces(traced.output))
        return Step(self.graph, output, tuple(before), tuple(after))

    def pieces(self, at: int) -> list[int]:
        """The whole of a value."""
        return self._range(at, 0, self.old[at].width)

    def _one(self, at: int, begin: int, width: int) -> int:
        """Part of a value as one piece, or its first where it was not cut there yet: then another round follows."""
        return self._range(at, begin, width)[0]

    def _edges(self, pieces: Sequence[int]) -> list[int]:
        edges = [0]
        for piece in pieces:
            edges.append(edges[-1] + self.graph[piece].width)
        return edges

    def _range(self, at: int, begin: int, width: int) -> list[int]:
        key = (at, begin, width)
        if key not in self._made:
            self._made[key] = self._build(at, begin, width)
            origin = self.old.origin.get(at)
            for piece in self._made[key]:
                if origin is not None:
                    self.graph.origin.setdefault(piece, origin)
            if len(self.graph) > _MOST_NODES:
                raise CannotCompileError(f"too many pieces of units at {origin or 'a value'}")
        return self._made[key]

    def _build(self, at: int, begin: int, width: int) -> list[int]:
        node = self.old[at]
        if node.op == "slice":
            return self._range(node.args[0], node.value + begin, width)
        if node.op == "constant":
            return [self.graph.constant(node.value, width)]
        if node.op == "reciprocal":
            return [self.graph.add(node)]
        if node.op == "expand":
            return self._range(node.args[0], 0, 1) * 1 if width == 1 else [self._widened(node.args[0], width)]
        if node.op == "concatenation":
            return self._of_concatenation(node, begin, width)
        if node.op in LEAVES or node.op == "product":
            return self._of_leaf(node, begin, width)
        if node.op in ("sum", "largest"):
            parts = [self.graph.reduce(node.op, piece) for piece in self.pieces(node.args[0])]
            found = parts[0]
            for part in parts[1:]:
                found = self.graph.apply("add" if node.op == "sum" else "larger", found, part)
            return [found]
        return self._of_pointwise(node, begin, width)

    def _widened(self, at: int, width: int) -> int:
        return self.graph.add(Node("expand", (self._one(at, 0, 1),), width))

    def _of_concatenation(self, node: Node, begin: int, width: int) -> list[int]:
        found, position, end = [], 0, begin + width
        for arg in node.args:
            size = self.old[arg].width
            first, last = max(begin, position), min(end, position + size)
            if first < last:
                found += self._range(arg, first - position, last - first)
            position += size
        return found

    def _of_leaf(self, node: Node, begin: int, width: int) -> list[int]:
        cuts = self.cuts.setdefault(node, set())
        cuts.update(cut for cut in (begin, begin + width) if 0 < cut < node.width)
        edges = [begin, *sorted(cut for cut in cuts if begin < cut < begin + width), begin + width]
        return [self._leaf(node, a, b - a) for a, b in pairwise(edges)]

    def _leaf(self, node: Node, begin: int, width: int) -> int:
        if node.op in LEAVES:
            index, first = node.value
            return self.graph.leaf(node.op, index, first + begin, width)
        apart: list[
            list[tuple[int, Rows]]
        ] = []  # an input's products are computed over all steps: each is one of its own
        within: list[tuple[int, Rows]] = []
        (rows,) = node.value
        column = rows.column
        for piece in self.pieces(node.args[0]):
            size = self.graph[piece].width
            factor = piece, Rows(rows.matrix, rows.row + begin, width, column, size)
            if self.graph[piece].op == "time":
                apart.append([factor])
            elif self.graph.number(piece) != 0:
                within.append(factor)
            column += size
        groups = [*apart, within] if within else apart
        found = self.graph.total(self._multiplied(group, width) for group in groups)
        return self.graph.constant(0.0, width) if found is None else found

    def _multiplied(self, group: Sequence[tuple[int, Rows]], width: int) -> int:
        operands, parts = zip(*group, strict=True)
        return self.graph.add(Node("product", operands, width, parts))

    def _of_pointwise(self, node: Node, begin: int, width: int) -> list[int]:
        wide = [arg for arg in node.args if self.old[arg].width == node.width]
        edges = {begin + edge for arg in wide for edge in self._edges(self._range(arg, begin, width))}
        bounds = sorted(edges)
        found = []
        for a, b in pairwise(bounds):
            args = [self._one(arg, a, b - a) if arg in wide else self._one(arg, 0, 1) for arg in node.args]
            found.append(self._applied(node.op, args, b - a))
        return found

    def _applied(self, op: str, args: Sequence[int], width: int) -> int:
        if all(self.graph[arg].width in (1, width) for arg in args):
            return self.graph.apply(op, *args)
        return self.graph.constant(0.0, width)  # cut further: this round is for nothing
