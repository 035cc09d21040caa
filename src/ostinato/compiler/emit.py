"""C++ of the stages: loops over vectors of units, in terms of `native/source/vectors.h` and `functions.h`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ostinato.compiler.form import Form, Loop, Stage
from ostinato.compiler.program import Graph


class Place(NamedTuple):
    """Where a value lies: a member of `ostinato_row`, and a key of its offset.

    Attributes:
        row: before, after, upstream, scratch, chunk, kept or vectors; or memory of somebody else, which ends where its
            numbers do: inputs, results and output_gradient.
        key: names the offset among the numbers that a stage is called with.
        which: of inputs or results.
    """

    row: str
    key: tuple[object, ...]
    which: int = 0

    @property
    def outside(self) -> bool:
        """Whether what follows belongs to somebody else."""
        return self.row in ("inputs", "results", "output_gradient")

    @property
    def optional(self) -> bool:
        """Whether nobody may want it."""
        return self.row == "results" and self.key[1] == "gradient"


class Numbers:
    """What stages are called with, in the order in which their code asks: it is the same for layers of every size."""

    def __init__(self) -> None:
        self.keys: list[tuple[object, ...]] = []

    def __getitem__(self, key: tuple[object, ...]) -> str:
        if key not in self.keys:
            self.keys.append(key)
        return f"n[{self.keys.index(key)}]"


def emit(
    form: Form, name: str, sources: Mapping[int, Place], targets: Mapping[int, Sequence[Place]]
) -> tuple[str, list[tuple[object, ...]]]:
    """The stages of a direction as functions `NAME_0`, `NAME_1`, ..., and the keys of the numbers they are called with.

    Args:
        form: what is computed when.
        name: begins the functions' names.
        sources: where values are read that are given, come of products, or are computed elsewhere in the step.
        targets: where values have to be written.
    """
    numbers = Numbers()
    parts = []
    for index, stage in enumerate(form.stages):
        if stage.loops or any(stage.scalars.values()):
            parts.append(_Stage(form, index, numbers, sources, targets).function(f"{name}_{index}"))
    return "\n".join(parts), numbers.keys


class _Stage:
    def __init__(
        self,
        form: Form,
        index: int,
        numbers: Numbers,
        sources: Mapping[int, Place],
        targets: Mapping[int, Sequence[Place]],
    ) -> None:
        self.form, self.graph, self.index, self.numbers = form, form.graph, index, numbers
        self.stage: Stage = form.stages[index]
        self.sources, self.targets = sources, targets
        self.pointers: dict[Place, str] = {}
        self.scalars: dict[int, str] = {}  # values of width 1 that are in a variable
        self.before: list[str] = []  # pointers, before everything else
        self.lines: list[str] = []
        self.single = self._used_once()

    def function(self, name: str) -> str:
        for depth in range(1 + max([0, *self.stage.scalars, *(loop.depth for loop in self.stage.loops)])):
            for at in self.stage.scalars.get(depth, ()):
                self._scalar(at)
            for loop in self.stage.loops:
                if loop.depth == depth:
                    self._loop(loop)
        body = [*self.before, *self.lines]
        return "\n".join([
            f"static void {name}(const ostinato_row* rows, int64_t count, const int64_t* n) {{",
            "    for (int64_t i = 0; i < count; ++i) {",
            "        const ostinato_row& r = rows[i];",
            *(f"        {line}" for line in body),
            "    }",
            "}",
        ])  # fmt: skip

    def _used_once(self) -> set[int]:
        """Values that one other value uses, in the same loop, and nobody else."""
        uses: dict[int, int] = {}
        for loop in self.stage.loops:
            for at in loop.nodes:
                for arg in self.graph[at].args:
                    same = self.stage.depths.get(arg) == loop.depth and self.graph[arg].width == loop.width
                    uses[arg] = uses.get(arg, 0) + (1 if same and arg in loop.nodes else 2)
        return {at for at, count in uses.items() if count == 1 and not self.targets.get(at)}

    def _pointer(self, place: Place, written: bool = False) -> str:
        if place not in self.pointers:
            self.pointers[place] = name = f"p{len(self.pointers)}"
            base = f"r.{place.row}" + (f"[{place.which}]" if place.row in ("inputs", "results") else "")
            constant = "" if place.row in ("after", "scratch", "chunk", "kept", "results") else "const "
            offset = f"{base} + {self.numbers[place.key]}"
            if place.optional:
                offset = f"{base} ? {offset} : nullptr"
            self.before.append(f"{constant}float* {name} = {offset};")
        return self.pointers[place]

    # Values of width 1: all lanes of a vector are alike.

    def _scalar(self, at: int) -> None:
        value = self._single(at) if at in self.sources and self._is_given(at) else None
        if value is None:
            args = [self._single(arg) for arg in self.graph[at].args]
            value = self._constant(at) if self.graph[at].op == "constant" else call(self.graph, at, args)
            self.lines.append(f"const V s{at} = {value};")
            self.scalars[at] = f"s{at}"
        for place in self.targets.get(at, ()):
            self._store_scalar(place, self._single(at))

    def _is_given(self, at: int) -> bool:
        return at in self.form.given or at in self.form.level or self.form.stage_of.get(at) != self.index

    def _store_scalar(self, place: Place, value: str) -> None:
        pointer = self._pointer(place, written=True)
        if place.outside:
            self.lines.append(f"{self._unless_null(place, pointer)}store_first({pointer}, {value}, 1);")
        else:
            self.lines.append(f"store({pointer}, {value});")

    def _unless_null(self, place: Place, pointer: str) -> str:
        return f"if ({pointer}) " if place.optional else ""

    def _single(self, at: int) -> str:
        """A value of width 1."""
        if self.graph[at].op == "constant":
            return self._constant(at)
        if at not in self.scalars:
            if at not in self.sources:
                raise AssertionError(f"value {at} {self.graph[at]} is nowhere")
            self.lines.append(f"const V s{at} = broadcast({self._pointer(self.sources[at])}[0]);")
            self.scalars[at] = f"s{at}"
        return self.scalars[at]

    def _constant(self, at: int) -> str:
        return f"broadcast({literal(self.graph[at].value)})"

    # Values of many units.

    def _loop(self, loop: Loop) -> None:
        first = loop.nodes[0]
        wide = self.graph[first].args[0] if self.graph[first].op in ("sum", "largest") else first
        width = self.numbers["width", self.index, loop.depth, wide]
        reductions = [at for at in loop.nodes if self.graph[at].op in ("sum", "largest")]
        body = _Body(self, loop)
        for at in loop.nodes:
            body.node(at)
        for at in reductions:
            start = "0.0f" if self.graph[at].op == "sum" else "-__builtin_inff()"
            self.lines.append(f"V a{at} = broadcast({start});")
        # what is 1 wide and outside is read before the loop
        self.lines += [
            f"for (int64_t at = 0, w = {width}; at < w; at += W) {{",
            *(["    const int there = within(w - at);"] if body.uses_there else []),
            *(f"    {line}" for line in body.lines),
            "}",
        ]
        for at in reductions:
            over = "sum_of" if self.graph[at].op == "sum" else "largest_of"
            self.lines.append(f"const V s{at} = broadcast({over}(a{at}));")
            self.scalars[at] = f"s{at}"
            for place in self.targets.get(at, ()):
                self._store_scalar(place, f"s{at}")


class _Body:
    """What is inside one loop."""

    def __init__(self, stage: _Stage, loop: Loop) -> None:
        self.stage, self.loop, self.graph = stage, loop, stage.graph
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.uses_there = False

    def node(self, at: int) -> None:
        node = self.graph[at]
        if node.op in ("sum", "largest"):
            return self._reduce(at)
        if node.op == "constant":
            value = self.stage._constant(at)
        elif self.stage._is_given(at):
            value = self.value(at)
        elif node.op == "expand":
            value = self.stage._single(node.args[0])
        elif at in self.stage.single and node.op == "mul" and self._will_fuse(at):
            return None
        else:
            value = self._computed(at)
        if at not in self.names:
            if node.op not in ("constant",):
                self.lines.append(f"const V v{at} = {value};")
                value = f"v{at}"
            self.names[at] = value
        for place in self.stage.targets.get(at, ()):
            self._store(place, self.names[at])
        return None

    def value(self, at: int) -> str:
        """A value as an operand: in a variable, or read from where it lies."""
        if at in self.names:
            return self.names[at]
        if self.graph[at].width == 1 or self.graph[at].op == "constant":
            return self.stage._single(at)
        if self.graph[at].op == "expand" and at not in self.stage.sources:
            return self.stage._single(self.graph[at].args[0])
        place = self.stage.sources[at]
        pointer = self.stage._pointer(place)
        read = f"load({pointer} + at)"
        if place.outside:
            read, self.uses_there = f"load_part({pointer} + at, there)", True
        self.lines.append(f"const V v{at} = {read};")
        self.names[at] = f"v{at}"
        return f"v{at}"

    def _will_fuse(self, at: int) -> bool:
        """Whether the one who uses a product adds to it."""
        for user in self.loop.nodes:
            if at in self.graph[user].args:
                if self.graph[user].op not in ("add", "sub"):
                    return False
                first, second = self.graph[user].args
                other = second if first == at else first
                # of two products, the first is fused
                return not (other in self.stage.single and self.graph[other].op == "mul" and other < at)
        return False

    def _computed(self, at: int) -> str:
        node = self.graph[at]
        if node.op in ("add", "sub"):
            first, second = node.args
            for product, other in ((first, second), (second, first)):
                fused = product in self.stage.single and self.graph[product].op == "mul" and product in self.loop.nodes
                if fused and product not in self.names and self._will_fuse(product) and first != second:
                    a, b = (self.value(arg) for arg in self.graph[product].args)
                    c = self.value(other)
                    if node.op == "add":
                        return f"fma({a}, {b}, {c})"
                    return f"fma({a}, {b}, -{c})" if product == first else f"fma(-{a}, {b}, {c})"
        return call(self.graph, at, [self.value(arg) for arg in node.args])

    def _reduce(self, at: int) -> None:
        node = self.graph[at]
        value, self.uses_there = self.value(node.args[0]), True
        if node.op == "sum":
            self.lines.append(f"a{at} = a{at} + (there < W ? first_of({value}, there) : {value});")
        else:
            self.lines.append(f"a{at} = larger_of(a{at}, first_or_least({value}, there));")

    def _store(self, place: Place, value: str) -> None:
        pointer = self.stage._pointer(place, written=True)
        if place.outside:
            self.uses_there = True
            self.lines.append(f"{self.stage._unless_null(place, pointer)}store_part({pointer} + at, {value}, there);")
        else:
            self.lines.append(f"store({pointer} + at, {value});")


def literal(number: float) -> str:
    """A float32 in C++."""
    if number != number:
        return '__builtin_nanf("")'
    if number in (float("inf"), float("-inf")):
        return "__builtin_inff()" if number > 0 else "-__builtin_inff()"
    text = f"{number:.9g}"
    return f"{text}f" if any(c in text for c in ".e") else f"{text}.0f"


_SIGNS: Mapping[str, str] = {"add": "+", "sub": "-", "mul": "*"}
_NAMES: Mapping[str, str] = {
    "smaller": "smaller_of",
    "larger": "larger_of",
    "div": "quotient_of",
    "pow": "power",
    "exp": "exponential_of",
}


# Where the second operand is a number: least_of and most_of let a NaN in their own second operand through.
_BOUNDS: Mapping[str, str] = {"smaller": "least_of", "larger": "most_of"}


def call(graph: Graph, at: int, args: Sequence[str]) -> str:
    """An operation on vectors.

    Args:
        graph: all values.
        at: the operation's.
        args: its operands as they are written.
    """
    op, operands = graph[at].op, graph[at].args
    if op in _SIGNS:
        return f"{args[0]} {_SIGNS[op]} {args[1]}"
    if op == "neg":
        return f"-{args[0]}"
    if op == "stopped":
        return args[0]
    if op in _BOUNDS and (bound := graph.number(operands[1])) is not None and bound == bound:
        return f"{_BOUNDS[op]}({args[1]}, {args[0]})"
    return f"{_NAMES.get(op, op)}({', '.join(args)})"
