"""Cells of one recurrent product as the fused recurrence takes them: the struct of `native/source/cells/cell.h`.

Where a step's only products are those of the input and of the state before it, with as many gates of H rows each, what
follows is computed while the sums are in registers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ostinato.compiler.emit import call, literal
from ostinato.compiler.layout import Layout
from ostinato.compiler.pieces import Step
from ostinato.compiler.program import POINTWISE, Graph

# As many as cell.h has room for, and as a tile of the recurrence takes.
_MOST_GATES, _MOST_EXTRA, _MOST_SAVED = 4, 8, 16


class Fused(NamedTuple):
    """A cell in the form of `cells/cell.h`.

    Attributes:
        code: its struct.
        roles: which of the program's matrices and vectors are weight_ih, weight_hh, bias_ih and bias_hh; -1 for none.
        extra: the vectors that are weights of a unit.
        saved: vectors that are kept for backward.
    """

    code: str
    roles: tuple[int, int, int, int]
    extra: tuple[int, ...]
    saved: int


def masks_all_products(step: Step) -> bool:
    """Whether a step with a mask, its second input, multiplies nothing but the masked state before it."""
    g = step.graph
    reached = g.needed([*step.output, *(at for field in step.after for at in field)])
    masks = {at for at in reached if g[at].op == "time" and g[at].value[0] == 1}
    masked = {at for at in reached if masks & set(g[at].args)}
    products = [at for at in reached if g[at].op == "product" and g[g[at].args[0]].op != "time"]
    factors = {arg for at in products for arg in g[at].args}
    return factors == masked and all(g[at].op == "mul" and set(step.before[0]) & set(g[at].args) for at in masked)


class _OtherFormError(Exception):
    """The cell is of another form."""


def fused(layout: Layout, name: str = "Compiled") -> Fused | None:
    """A cell in the fused form; None where it is of another.

    Args:
        layout: the cell's program, without noise.
        name: the struct's.
    """
    try:
        return _Fusion(layout).made(name)
    except _OtherFormError:
        return None


def _require(holds: bool) -> None:
    if not holds:
        raise _OtherFormError


class _Fusion:
    def __init__(self, layout: Layout) -> None:
        self.layout, self.graph, self.step, self.back = layout, layout.graph, layout.step, layout.back
        ends = [*self.step.output, *layout.after]
        _require(len(self.step.before) in (1, 2) and all(len(field) == 1 for field in self.step.before))
        self.h, *memory = (field[0] for field in self.step.before)
        self.c = memory[0] if memory else None
        self.H = self.graph[self.h].width
        _require(self.step.output == (layout.after[0],) and all(self.graph[at].width == self.H for at in layout.after))
        self.forward = self.graph.needed(ends)
        self.users = self.graph.users([*ends, *self.back.ends])
        self._gates()
        self._extra()
        self._saved()

    def _gates(self) -> None:
        g = self.graph
        inputs: dict[int, int] = {}
        recurrent: dict[int, int] = {}
        roles = [-1, -1, -1, -1]
        for at in self.forward:
            if g[at].op != "product":
                continue
            _require(len(g[at].args) == 1 and g[at].width == self.H)
            (operand,), (rows,) = g[at].args, g[at].value
            side = 0 if g[operand].op == "time" else 1
            _require(operand == self.h or side == 0)
            _require(rows.row % self.H == 0 and rows.column == 0 and roles[side] in (-1, rows.matrix))
            roles[side] = rows.matrix
            value, bias = self._biased(at)
            begin = -1 if bias is None else g[bias].value[0]
            _require(bias is None or g[bias].value[1] == rows.row)
            sums = recurrent if side else inputs
            _require(rows.row // self.H not in sums and (not sums or roles[2 + side] == begin))
            roles[2 + side] = begin
            sums[rows.row // self.H] = value
        _require(0 < len(inputs) <= _MOST_GATES and inputs.keys() == recurrent.keys() == set(range(len(inputs))))
        merged = {i: self._sum_of(inputs[i], recurrent[i]) for i in inputs}
        self.merged = {i: at for i, at in merged.items() if at is not None}
        self.apart = [i for i in inputs if i not in self.merged]
        self.inputs, self.recurrent, self.roles = inputs, recurrent, roles

    def _biased(self, at: int) -> tuple[int, int | None]:
        g = self.graph
        if len(self.users[at]) == 1 and g[self.users[at][0]].op == "add":
            first, second = g[self.users[at][0]].args
            other = second if first == at else first
            if g[other].op == "vector" and len(self.users[other]) == 1:
                return self.users[at][0], other
        return at, None

    def _sum_of(self, first: int, second: int) -> int | None:
        """The sum that is all that either value is used for."""
        users = {*self.users[first], *self.users[second]}
        at = users.pop() if len(users) == 1 else None
        return at if at is not None and self.graph[at].op == "add" else None

    def _extra(self) -> None:
        biases = set(self.roles[2:])
        leaves = [at for at in self.forward if self.graph[at].op == "vector" and self.graph[at].value[0] not in biases]
        _require(len(leaves) <= _MOST_EXTRA)
        _require(all(self.graph[at].width == self.H and self.graph[at].value[1] == 0 for at in leaves))
        self.extra = {at: index for index, at in enumerate(leaves)}

    def _saved(self) -> None:
        after = self.layout.after
        kept = sorted(self.layout.kept - {after[0]})
        if self.c is not None and after[1] not in kept:
            kept.append(after[1])
        _require(len(kept) <= _MOST_SAVED)
        self.saved = {at: index for index, at in enumerate(kept)}

    def made(self, name: str) -> Fused:
        forward, backward = self._forward(), self._backward()
        order = [*self.apart, *self.merged]
        numbers = {
            "gates": len(order),
            "apart": len(self.apart),
            "saved": len(self.saved),
            "memory": -1 if self.c is None else self.saved[self.layout.after[1]],
            "extra": len(self.extra),
            "widest": {1: 4, 2: 2}.get(len(order), 1),
        }
        uses = {
            "uses_h": f"{self._used(self.layout.after[0])}",
            "uses_h_before": f"{self._used(self.h)}",
            "carries": f"{self.carried is not None}",
        }
        return Fused(
            "\n".join([
                f"struct {name} : Cell {{",
                *(f"    static constexpr int {key} = {value};" for key, value in numbers.items()),
                *(f"    static constexpr bool {key} = {value.lower()};" for key, value in uses.items()),
                f"    static constexpr int input_order[] = {{{', '.join(map(str, order))}}};",
                f"    static constexpr int recurrent_order[] = {{{', '.join(map(str, [*self.merged, *self.apart]))}}};",
                "    OSTINATO_INLINE void forward(Forward& s) {",
                *(f"        {line}" for line in forward),
                "    }",
                "    OSTINATO_INLINE void backward(Backward& s) {",
                *(f"        {line}" for line in backward),
                "    }",
                "};",
            ]),
            (self.roles[0], self.roles[1], self.roles[2], self.roles[3]),
            tuple(self.graph[at].value[0] for at in self.extra),
            len(self.saved),
        )  # fmt: skip

    def _used(self, at: int) -> bool:
        return at in self.read

    def _forward(self) -> list[str]:
        names = {at: f"s.extra[{index}]" for at, index in self.extra.items()}
        names |= {self.h: "s.h_before", **({self.c: "s.c_before"} if self.c is not None else {})}
        names |= {at: f"s.sum[{index}]" for index, at in enumerate(self.merged.values())}
        names |= {self.inputs[i]: f"s.input[{index}]" for index, i in enumerate(self.apart)}
        names |= {self.recurrent[i]: f"s.sum[{len(self.merged) + index}]" for index, i in enumerate(self.apart)}
        after = self.layout.after
        targets: list[tuple[str, int]] = [("s.h", after[0])]
        if self.c is not None:
            targets.append(("s.c", after[1]))
        targets += [(f"s.saved[{index}]", at) for at, index in self.saved.items()]
        return _Lines(self.graph, names).all(targets)

    def _backward(self) -> list[str]:
        g, after = self.graph, self.layout.after
        names = {at: f"s.extra[{index}]" for at, index in self.extra.items()}
        names |= {at: f"s.saved[{index}]" for at, index in self.saved.items()}
        names |= {self.h: "s.h_before", after[0]: "s.h"}
        if self.c is not None:
            names[self.c] = "s.saved_before"
            names[g.leaf("upstream_state", 1, 0, self.H)] = "s.dc"
        upstream = g.leaf("upstream", 0, 0, self.H), g.leaf("upstream_state", 0, 0, self.H)
        names[g.apply("add", *upstream)] = "s.dh"
        by_input = {rows.row // self.H: at for _, rows, at in self.back.products}
        by_recurrent = {w.rows.row // self.H: w.gradient for w in self.back.weights if w.rows.matrix == self.roles[1]}
        _require(len(by_input) == len(by_recurrent) == len(self.inputs))
        sides = [*(by_input[i] for i in [*self.apart, *self.merged]), *(by_recurrent[i] for i in self.apart)]
        _require(all(by_input[i] == by_recurrent[i] for i in self.merged))
        self.carried = self._direct(self.back.state[0][0])
        targets = [(f"s.planes[{index}]", at) for index, at in enumerate(sides)]
        if self.carried is not None:
            targets.append(("s.carried", self.carried))
        lines = _Lines(g, names)
        found = lines.all(targets)
        extra = {g[at].value[0]: index for at, index in self.extra.items()}
        for part in self.back.vectors:
            if part.vector in extra:
                value = lines.value(part.gradient)
                found = lines.lines
                found.append(f"s.d_extra[{extra[part.vector]}] = s.d_extra[{extra[part.vector]}] + {value};")
        if self.c is not None:
            by_c = self.back.state[1][0]
            found = lines.all([("s.dc", self._gradient_of_memory(by_c))])
        self.read = lines.read
        return found

    def _gradient_of_memory(self, at: int | None) -> int:
        return self.graph.constant(0.0, self.H) if at is None else at

    def _direct(self, at: int | None) -> int | None:
        """What of the gradient by h comes past the products."""
        assert at is not None
        node = self.graph[at]
        if node.op == "back":
            return None
        _require(node.op == "add" and self.graph[node.args[1]].op == "back")
        return node.args[0]


class _Lines:
    """Values one after the other."""

    def __init__(self, graph: Graph, names: Mapping[int, str]) -> None:
        self.graph, self.names = graph, dict(names)
        self.given = frozenset(names)
        self.lines: list[str] = []
        self.read: set[int] = set()

    def all(self, targets: Sequence[tuple[str, int]]) -> list[str]:
        """Statements that give the targets their values."""
        values = [(target, self.value(at)) for target, at in targets]
        self.lines += [f"{target} = {value};" for target, value in values]
        return self.lines

    def value(self, at: int) -> str:
        """A value as an operand."""
        node = self.graph[at]
        if at in self.given:
            self.read.add(at)
        if at in self.names:
            return self.names[at]
        if node.op == "constant":
            return f"broadcast({literal(node.value)})"
        _require(node.op in POINTWISE)
        text = self._fused(at) or call(node.op, [self.value(arg) for arg in node.args])
        self.lines.append(f"const V v{at} = {text};")
        self.names[at] = f"v{at}"
        return self.names[at]

    def _fused(self, at: int) -> str | None:
        """A sum one of whose terms is a product that is not known yet."""
        node = self.graph[at]
        if node.op not in ("add", "sub"):
            return None
        first, second = node.args
        for product, other in ((first, second), (second, first)):
            if self.graph[product].op == "mul" and product not in self.names and first != second:
                c = self.value(other)
                a, b = (self.value(arg) for arg in self.graph[product].args)
                if node.op == "add":
                    return f"fma({a}, {b}, {c})"
                return f"fma({a}, {b}, -{c})" if product == first else f"fma(-{a}, {b}, {c})"
        return None
