"""Cells of one recurrent product as the fused recurrence takes them: the struct of `native/source/cells/cell.h`.

Where a step's only products are those of the input and of the state before it, with as many gates of H rows each, what
follows is computed while the sums are in registers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ostinato.compiler.layout import Layout
from ostinato.compiler.lines import Lines
from ostinato.compiler.pieces import Step
from ostinato.compiler.program import POINTWISE
from ostinato.compiler.trace import Traced

# As many as cell.h has room for, and as a tile of the recurrence takes.
_MOST_GATES, _MOST_EXTRA, _MOST_SAVED = 4, 8, 16
# As there.
_DEFAULTS = {"apart": 0, "saved": 0, "memory": -1, "extra": 0, "widest": 1}
_DEFAULTS |= {"uses_h": False, "uses_h_before": False, "carries": False}


class Fused(NamedTuple):
    """A cell in the form of `cells/cell.h`.

    Attributes:
        code: its struct.
        roles: which of the program's matrices and vectors are weight_ih, weight_hh, bias_ih and bias_hh; -1 for none.
        extra: the vectors that are weights of a unit.
        saved: vectors that are kept for backward.
        shape: the gates, and numbers of an input and of the state.
    """

    code: str
    roles: tuple[int, int, int, int]
    extra: tuple[int, ...]
    saved: int
    shape: tuple[int, int, int]

    def takes(self, traced: Traced) -> bool:
        """Whether the arrays of a cell are wholly used, as the recurrence does, which knows of no parts."""
        gates, inputs, units = self.shape
        sides = [(gates * units, inputs), (gates * units, units)]
        biases = [traced.shapes[at] for at in self.roles[2:] if at >= 0]
        return (
            inputs == traced.input_width
            and [traced.matrix_shapes[at] for at in self.roles[:2]] == sides
            and all(math.prod(shape) == gates * units for shape in biases)
            and all(math.prod(traced.shapes[at]) == units for at in self.extra)
        )


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


def fused(layout: Layout, name: str = "Compiled", gates: Sequence[str] = ()) -> Fused | None:
    """A cell in the fused form; None where it is of another.

    Args:
        layout: the cell's program, without noise.
        name: the struct's.
        gates: what the values of the gates are called, where that helps a reader.
    """
    try:
        return _Fusion(layout, gates).made(name)
    except _OtherFormError:
        return None


def _require(holds: bool) -> None:
    if not holds:
        raise _OtherFormError


def _declared(name: str, value: int | bool, comment: str) -> str:
    kind, text = ("bool", str(value).lower()) if isinstance(value, bool) else ("int", str(value))
    return f"static constexpr {kind} {name} = {text};{comment and '  // '}{comment}"


class _Fusion:
    def __init__(self, layout: Layout, gates: Sequence[str]) -> None:
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
        self.words = self._words(gates)
        self._extra()
        self._saved()

    def _gates(self) -> None:
        g = self.graph
        inputs: dict[int, int] = {}
        recurrent: dict[int, int] = {}
        roles = [-1, -1, -1, -1]
        self.columns = [0, 0]
        for at in self.forward:
            if g[at].op != "product":
                continue
            _require(len(g[at].args) == 1 and g[at].width == self.H)
            (operand,), (rows,) = g[at].args, g[at].value
            side = 0 if g[operand].op == "time" else 1
            _require(operand == self.h or side == 0)
            _require(rows.row % self.H == 0 and rows.column == 0 and roles[side] in (-1, rows.matrix))
            roles[side] = rows.matrix
            self.columns[side] = rows.columns
            value, bias = self._biased(at)
            begin = -1 if bias is None else g[bias].value[0]
            _require(bias is None or g[bias].value[1] == rows.row)
            sums = recurrent if side else inputs
            _require(rows.row // self.H not in sums and (not sums or roles[2 + side] == begin))
            roles[2 + side] = begin
            sums[rows.row // self.H] = value
        _require(0 < len(inputs) <= _MOST_GATES and inputs.keys() == recurrent.keys() == set(range(len(inputs))))
        merged = {i: self._sum_of(inputs[i], recurrent[i]) for i in sorted(inputs)}
        self.merged = {i: at for i, at in merged.items() if at is not None}
        self.apart = [i for i in merged if i not in self.merged]
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

    def _words(self, gates: Sequence[str]) -> dict[int, str]:
        """Names by the gates: of what a gate's sum is squashed to, and of the products of gates apart."""
        words = {self.layout.after[0]: "h"}
        if self.c is not None:
            words[self.layout.after[1]] = "c"
        if len(gates) != len(self.inputs):
            return words
        for gate, name in enumerate(gates):
            first = self.merged.get(gate, self.recurrent[gate])
            if gate in self.apart:
                words.setdefault(first, f"h{name}")
            at: int | None = first
            while at is not None and self.graph[at].op in ("add", "mul"):
                users = [user for user in self.users[at] if user in self.forward]
                at = users[0] if len(users) == 1 else None
            if at is not None:
                words.setdefault(at, name)
        return words | {d: f"d{words[at]}" for at, d in self.back.by.items() if at in words and d not in words}

    def _extra(self) -> None:
        biases = set(self.roles[2:])
        leaves = [at for at in self.forward if self.graph[at].op == "vector" and self.graph[at].value[0] not in biases]
        leaves.sort(key=lambda at: self.graph[at].value)
        _require(len(leaves) <= _MOST_EXTRA)
        _require(all(self.graph[at].width == self.H and self.graph[at].value[1] == 0 for at in leaves))
        self.extra = {at: index for index, at in enumerate(leaves)}

    def _saved(self) -> None:
        after = self.layout.after
        gates = list(self.words)
        kept = sorted(
            self.layout.kept - set(after), key=lambda at: (gates.index(at) if at in gates else len(gates), at)
        )
        if self.c is not None:
            kept.append(after[1])
        _require(len(kept) <= _MOST_SAVED)
        self.saved = {at: index for index, at in enumerate(kept)}

    def made(self, name: str) -> Fused:
        forward, backward = self._forward(), self._backward()
        order = [*self.apart, *self.merged]
        constants = {
            "gates": len(order),
            "apart": len(self.apart),
            "saved": len(self.saved),
            "memory": -1 if self.c is None else self.saved[self.layout.after[1]],
            "extra": len(self.extra),
            "widest": {1: 4, 2: 2}.get(len(order), 1),
            "uses_h": self.layout.after[0] in self.read,
            "uses_h_before": self.h in self.read,
            "carries": self.carried,
        }
        constants = {key: value for key, value in constants.items() if value != _DEFAULTS.get(key)}
        comments = {"saved": ", ".join(self.words.get(at, self.graph[at].op) for at in self.saved)}
        orders = {"input_order": order, "recurrent_order": [*self.merged, *self.apart]}
        return Fused(
            "\n".join([
                f"struct {name} : Cell {{",
                *(f"    {_declared(key, value, comments.get(key, ''))}" for key, value in constants.items()),
                *(f"    static constexpr int {key}[] = {{{', '.join(map(str, o))}}};" for key, o in orders.items()),
                "",
                "    OSTINATO_INLINE void forward(Forward& s) {",
                *(f"        {line}" for line in forward),
                "    }",
                "",
                "    OSTINATO_INLINE void backward(Backward& s) {",
                *(f"        {line}" for line in backward),
                "    }",
                "};",
            ]),
            (self.roles[0], self.roles[1], self.roles[2], self.roles[3]),
            tuple(self.graph[at].value[0] for at in self.extra),
            len(self.saved),
            (len(self.inputs), *self.columns),  # type: ignore[arg-type]
        )  # fmt: skip

    def _forward(self) -> list[str]:
        names = {at: f"s.extra[{index}]" for at, index in self.extra.items()}
        names |= {self.h: "s.h_before", **({self.c: "s.c_before"} if self.c is not None else {})}
        names |= {at: f"s.sum[{index}]" for index, at in enumerate(self.merged.values())}
        names |= {self.inputs[i]: f"s.input[{index}]" for index, i in enumerate(self.apart)}
        names |= {self.recurrent[i]: f"s.sum[{len(self.merged) + index}]" for index, i in enumerate(self.apart)}
        lines = Lines(self.graph, names, self.words)
        targets = dict(zip(("s.h", "s.c"), self.layout.after, strict=False))
        kept = {f"s.saved[{index}]": at for at, index in self.saved.items()}
        return self._assigned(lines, self._in_order(targets) | kept)

    def _in_order(self, targets: Mapping[str, int]) -> dict[str, int]:
        """What others are made of, first."""
        return dict(sorted(targets.items(), key=lambda target: target[1]))

    def _assigned(self, lines: Lines, targets: Mapping[str, int]) -> list[str]:
        lines.count(list(targets.values()))
        _require(all(self.graph[at].op in (*POINTWISE, "constant") or at in lines.given for at in lines.uses))
        for target, at in targets.items():
            lines.assign(target, at)
        return lines.all()

    def _backward(self) -> list[str]:
        g, after = self.graph, self.layout.after
        names = {at: f"s.extra[{index}]" for at, index in self.extra.items()}
        saved = {at: f"s.saved[{index}]" for at, index in self.saved.items()}
        names |= {at: self.words.get(at, name) for at, name in saved.items()}
        names |= {self.h: "s.h_before", after[0]: "s.h"}
        if self.c is not None:
            names[self.c] = "s.saved_before"
            names[g.leaf("upstream_state", 1, 0, self.H)] = "s.dc"
        upstream = g.leaf("upstream", 0, 0, self.H), g.leaf("upstream_state", 0, 0, self.H)
        names[g.apply("add", *upstream)] = "s.dh"
        targets = self._in_order(self._gradients()) | self._sums(names)
        if self.c is not None:
            by_c = self.back.state[1][0]
            targets["s.dc"] = g.constant(0.0, self.H) if by_c is None else by_c
        lines = Lines(g, names, self.words)
        found = self._assigned(lines, targets)
        self.read = lines.read
        there = [f"{names[at]} = {name}" for at, name in saved.items() if at in self.read and names[at] != name]
        return [f"const V {', '.join(there)};", *found] if there else found

    def _gradients(self) -> dict[str, int]:
        """Those by the gates, and what of that by h comes past the products."""
        g = self.graph
        by_input = {rows.row // self.H: at for _, rows, at in self.back.products}
        by_recurrent = {w.rows.row // self.H: w.gradient for w in self.back.weights if w.rows.matrix == self.roles[1]}
        _require(len(by_input) == len(by_recurrent) == len(self.inputs))
        _require(all(by_input[i] == by_recurrent[i] for i in self.merged))
        sides = [*(by_input[i] for i in [*self.apart, *self.merged]), *(by_recurrent[i] for i in self.apart)]
        targets = {f"s.planes[{index}]": at for index, at in enumerate(sides)}
        by_h = self.back.state[0][0]
        assert by_h is not None
        self.carried = g[by_h].op != "back"
        if self.carried:
            _require(g[by_h].op == "add" and g[g[by_h].args[1]].op == "back")
            targets["s.carried"] = g[by_h].args[0]
        return targets

    def _sums(self, names: dict[int, str]) -> dict[str, int]:
        """Those by the weights of a unit, added to what other rows gave."""
        g, found = self.graph, {}
        indices = {g[at].value[0]: index for at, index in self.extra.items()}
        for part in self.back.vectors:
            if part.vector in indices:
                name = f"s.d_extra[{indices[part.vector]}]"
                before = g.leaf("sum", part.vector, 0, self.H)
                names[before] = name
                found[name] = g.apply("add", part.gradient, before)
        return dict(sorted(found.items()))
