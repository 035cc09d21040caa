"""A cell's step as a function of C: its traced equations as products and loops over units."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.compiler.form import Form, Loop, form
from ostinato.compiler.pieces import Step, in_pieces
from ostinato.compiler.program import LEAVES, Graph, Rows
from ostinato.compiler.trace import Traced, computed, trace
from ostinato.compiler.tracer import CannotCompileError, Ref
from ostinato.core.errors import ConfigError
from ostinato.interop.outgoing.c.arrays import Arrays
from ostinato.interop.outgoing.c.expressions import Expressions
from ostinato.interop.outgoing.c.text import indented, literal
from ostinato.interop.outgoing.c.words import words_of


@dataclass(frozen=True)
class StepFunction:
    """C of one layer's step in one direction.

    Attributes:
        name: of the function, and of the struct of its state.
        fields: of the struct, with their widths; `output` the last where the output is no field of the state.
        initial: what each field of the state is filled with at first, where that is not 0.
        output: which field holds the output.
        width: of the output.
        text: the function.
        functions: those of mathematics that it calls.
        scratch: bytes of its arrays on the stack.
    """

    name: str
    fields: Mapping[str, int]
    initial: Mapping[str, float]
    output: str
    width: int
    text: str
    functions: frozenset[str]
    scratch: int


def step_function(
    cell: Cell, parameters: Mapping[str, Tensor], name: str, arrays: Arrays, zoneout: float = 0.0
) -> StepFunction:
    """The step of a cell with these parameters; its arrays are added.

    Raises:
        ConfigError: equations that cannot be one row's, or an operation that C has not.
    """
    try:
        traced = trace(cell, zoned=bool(zoneout), read=True)
        step = in_pieces(traced)
    except CannotCompileError as error:
        raise ConfigError(f"--to c: cell {cell.name!r}: {error}; --to onnx takes every cell") from error
    if traced.projected:
        raise ConfigError(
            f"--to c: cell {cell.name!r} reads several steps of the input at once: there is no step by step form of "
            "it; --to onnx takes it"
        )
    return _Writer(cell, traced, step, parameters, name, arrays, zoneout).function()


@dataclass
class _Writer:
    cell: Cell
    traced: Traced
    step: Step
    parameters: Mapping[str, Tensor]
    name: str
    arrays: Arrays
    zoneout: float
    lines: list[str] = field(default_factory=list)
    locals: list[str] = field(default_factory=list)
    scratch: int = 0

    def __post_init__(self) -> None:
        self.graph: Graph = self.step.graph
        self.names = [name for name, _ in self._widths()]
        self.places: dict[int, tuple[str, int]] = {}  # of a wide value: its array, and where it begins there
        self.late: list[tuple[str, int, int]] = []  # array, first number, value: copied when all is computed
        self.vectors: dict[int, str] = {}
        self.products: dict[tuple[object, ...], str] = {}
        self.taken = {"x", "state", "j"}
        self.words = words_of(self.cell, self.traced, self.step)
        self.biases: dict[int, int] = {}  # of a product the vector that is added to it
        self.folded: dict[int, int] = {}  # the sum of both, and its product

    def _widths(self) -> list[tuple[str, int]]:
        """The state's fields; one of no numbers has no array."""
        return list(zip(self.cell.State._fields, self.traced.state_widths, strict=True))

    def function(self) -> StepFunction:
        after = [at for pieces in self.step.after for at in pieces if self.graph[at].width]
        self.output = self._output_field()
        ends = [*after, *(self.step.output if self.output == "output" else ())]
        leaves = {at for at in self.graph.needed(ends) if self.graph[at].op in LEAVES}
        self.form: Form = form(self.graph, ends, leaves)
        self._place_leaves(leaves)
        self._fold_biases(ends)
        self._choose_places(ends)
        writer = Expressions(self.graph, self._read, self.words, self.taken, self.folded)
        for index, stage in enumerate(self.form.stages):
            for depth in range(1 + max([0, *stage.scalars, *(loop.depth for loop in stage.loops)])):
                for at in stage.scalars.get(depth, ()):
                    self.lines += writer.scalar(at)
                for loop in stage.loops:
                    if loop.depth == depth:
                        self._loop(loop, writer)
            self._multiply(index + 1)
        for array, begin, at in self.late:
            self._copy(array, begin, at, writer)
        fields = {name: width for name, width in self._widths() if width}
        width = self.cell.output_size
        if self.output == "output":
            fields["output"] = width
        head = f"static void {self.name}_step(const float *x, struct {self.name} *state)"
        body = [*self.locals, *([""] if self.locals else []), *self.lines]
        unused = [] if any("x[" in line or " x" in line for line in body) else ["(void)x;"]
        text = "\n".join([head, "{", *indented([*unused, *body]), "}"])
        return StepFunction(
            self.name, fields, self._initial(), self.output, width, text, frozenset(writer.functions), self.scratch
        )

    def _initial(self) -> dict[str, float]:
        first = self.cell.initial_state(1, torch.empty(0))
        found = {}
        for (name, width), values in zip(self._widths(), first, strict=True):
            numbers = set(values.flatten().tolist())
            if len(numbers) > 1:
                raise ConfigError(f"--to c: cell {self.cell.name!r} begins with different numbers in {name!r}")
            if width and numbers != {0.0}:
                found[name] = numbers.pop()
        return found

    def _output_field(self) -> str:
        for name, pieces in zip(self.names, self.step.after, strict=True):
            if pieces == self.step.output or not self.step.output:
                return name
        return "output"

    def _fold_biases(self, ends: Sequence[int]) -> None:
        """A product whose only use is that a vector is added to it starts from that vector."""
        users = self.graph.users(ends)
        for at in self.form.products:
            if len(users[at]) != 1 or at in ends or self.graph[users[at][0]].op != "add":
                continue
            sum_ = users[at][0]
            other = next((arg for arg in self.graph[sum_].args if arg != at), at)
            if self.graph[other].op == "vector" and self.graph[other].width == self.graph[at].width:
                self.biases[at], self.folded[sum_] = other, at

    # Where values lie.

    def _place_leaves(self, leaves: set[int]) -> None:
        for at in sorted(leaves):
            node = self.graph[at]
            which, begin = node.value
            if node.op == "time":
                self.places[at] = ("x", begin)
            elif node.op == "state":
                self.places[at] = (f"state->{self.names[which]}", begin)
            else:
                self.places[at] = (self._vector(which), begin)

    def _vector(self, which: int) -> str:
        if which not in self.vectors:
            ref = self.traced.vectors[which]
            (values,) = computed(self.traced, self.parameters, [ref], next(iter(self.parameters.values())))
            name = f"{self.name}_{self._parameter(ref) or f'vector_{which}'}"
            self.vectors[which] = self.arrays.vector(name, values.detach().float().numpy())
        return self.vectors[which]

    def _parameter(self, ref: Ref) -> str:
        """The name of a parameter that is used as it is."""
        note = self.traced.notes[ref.note]
        return note.args if note.function is None and isinstance(note.args, str) else ""

    def _homes(self) -> dict[int, tuple[int, int, int]]:
        """Of every value that a loop computes, when: stage, depth and loop."""
        return {
            at: (index, loop.depth, number)
            for index, stage in enumerate(self.form.stages)
            for number, loop in enumerate(stage.loops)
            for at in loop.nodes
        }

    def _choose_places(self, ends: Sequence[int]) -> None:
        homes, users = self._homes(), self.graph.users(ends)
        targets: dict[int, list[tuple[str, int, int]]] = {}
        for index, pieces in enumerate(self.step.after):
            begin = 0
            for at in pieces if self.traced.state_widths[index] else ():
                targets.setdefault(at, []).append((f"state->{self.names[index]}", begin, index))
                begin += self.graph[at].width
        if self.output == "output":
            begin = 0
            for at in self.step.output:
                targets.setdefault(at, []).append(("state->output", begin, -1))
                begin += self.graph[at].width
        self.written: dict[int, list[tuple[str, int]]] = {}
        for at, places in targets.items():
            for array, begin, index in places:
                if at in homes and (index < 0 or self._may_write(at, index, homes, users)):
                    self.written.setdefault(at, []).append((array, begin))
                else:
                    self.late.append((array, begin, at))
        for at, home in homes.items():
            if at in self.folded:
                continue
            through_memory = any(self.graph[u].op == "product" or homes.get(u, home) != home for u in users[at])
            if at in self.written:
                self.places[at] = self.written[at][0]
            elif (through_memory or at in targets) and self.graph[at].op not in ("sum", "largest", "product"):
                array = self._local(self.words.get(at, "part"), self.graph[at].width)
                self.places[at] = (array, 0)
                self.written[at] = [(array, 0)]

    def _may_write(
        self,
        at: int,
        index: int,
        homes: Mapping[int, tuple[int, int, int]],
        users: Mapping[int, Sequence[int]],
    ) -> bool:
        """Whether nobody reads the field before the step once this value is computed, but at the same unit."""
        here = homes[at]
        begin = 0
        for piece in self.step.after[index]:
            if piece == at:
                break
            begin += self.graph[piece].width
        leaves = [at for at in users if self.graph[at].op == "state" and self.graph[at].value[0] == index]
        for leaf in leaves:
            if leaf in {end for pieces in self.step.after for end in pieces}:
                return False
            for user in users[leaf]:
                if self.graph[user].op == "product":
                    if self.form.level[user] > here[0]:
                        return False
                elif user not in homes:
                    return False
                elif homes[user] != here:
                    if homes[user] > here:
                        return False
                elif _overlaps(self.graph[leaf].value[1], self.graph[leaf].width, begin, self.graph[at].width):
                    return False
        return True

    def _local(self, wanted: str, width: int) -> str:
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}_{number}", number + 1
        self.taken.add(name)
        self.locals.append(f"float {name}[{width}];")
        self.scratch += 4 * width
        return name

    # Lines.

    def _read(self, at: int, unit: str) -> str | None:
        """A number of a value that lies in memory."""
        node = self.graph[at]
        if node.op == "time" and node.value[0]:
            return literal(self.zoneout)
        if at not in self.places:
            return None
        array, begin = self.places[at]
        if node.width == 1:
            return f"{array}[{begin}]"
        return f"{array}[{begin} + {unit}]" if begin else f"{array}[{unit}]"

    def _loop(self, loop: Loop, writer: Expressions) -> None:
        before, body = writer.loop(loop.nodes, self.written)
        self.lines += before
        self.lines += [f"for (int j = 0; j < {loop.width}; ++j) {{", *indented(body), "}"]

    def _copy(self, array: str, begin: int, at: int, writer: Expressions) -> None:
        width = self.graph[at].width
        to = f"{array}[{begin} + j]" if begin else f"{array}[j]"
        if width == 1:
            self.lines.append(f"{array}[{begin}] = {writer.single(at)};")
        else:
            value = self._read(at, "j") or writer.single(at)
            self.lines += [f"for (int j = 0; j < {width}; ++j) {{", f"    {to} = {value};", "}"]

    def _multiply(self, level: int) -> None:
        """The products of a level: neighbouring rows of one matrix and of the same operands in one call."""
        products = [at for at in self.form.products if self.form.level[at] == level]
        groups: dict[tuple[object, ...], list[int]] = {}
        for at in products:
            node = self.graph[at]
            columns = tuple((rows.matrix, rows.column, rows.columns) for rows in node.value)
            groups.setdefault((node.args, columns), []).append(at)
        for members in groups.values():
            members.sort(key=lambda at: self.graph[at].value[0].row)
            for run in _runs(members, self._follows):
                self._call(run)

    def _call(self, run: Sequence[int]) -> None:
        first = self.graph[run[0]]
        width = sum(self.graph[at].width for at in run)
        result = self._local(self._product_name(first.value[0]), width)
        begin = 0
        for at in run:
            self.places[at] = (result, begin)
            begin += self.graph[at].width
        self.places |= {sum_: self.places[at] for sum_, at in self.folded.items() if at in run}
        start = "NULL"
        if run[0] in self.biases:
            array, begin = self.places[self.biases[run[0]]]
            start = f"{array} + {begin}" if begin else array
        for arg, rows in zip(first.args, first.value, strict=True):
            matrix = self._matrix(rows._replace(rows=width))
            self.lines.append(f"multiply({matrix}, {width}, {rows.columns}, {self._operand(arg)}, {start}, {result});")
            start = result

    def _follows(self, before: int, at: int) -> bool:
        """Whether the rows of a product are those behind another's, and so are their biases."""
        one, two = self.graph[before].value[0], self.graph[at].value[0]
        if two.row != one.row + one.rows or (before in self.biases) != (at in self.biases):
            return False
        if at not in self.biases:
            return True
        (first, begin), (second, behind) = (self.places[self.biases[which]] for which in (before, at))
        return first == second and behind == begin + one.rows

    def _operand(self, at: int) -> str:
        if at not in self.places:  # a number for every unit
            array = self._local("operand", self.graph[at].width)
            self.places[at] = (array, 0)
            value = literal(self.graph[at].value) if self.graph[at].op == "constant" else None
            if value is None:
                raise ConfigError(f"--to c: cell {self.cell.name!r}: a product of {self.graph[at].op}")
            self.lines.append(f"for (int j = 0; j < {self.graph[at].width}; ++j) {array}[j] = {value};")
        array, begin = self.places[at]
        return f"{array} + {begin}" if begin else array

    def _product_name(self, rows: Rows) -> str:
        name = self._parameter(self.traced.matrices[rows.matrix]).removeprefix("weight_")
        return f"by_{name}" if name else "product"

    def _matrix(self, rows: Rows) -> str:
        if rows not in self.products:
            ref = self.traced.matrices[rows.matrix]
            (values,) = computed(self.traced, self.parameters, [ref], next(iter(self.parameters.values())))
            part = values[rows.row : rows.row + rows.rows, rows.column : rows.column + rows.columns]
            name = f"{self.name}_{self._parameter(ref) or f'weight_{rows.matrix}'}"
            self.products[rows] = self.arrays.matrix(name, part.detach().float().contiguous().numpy())
        return self.products[rows]


def _overlaps(one: int, width: int, other: int, its_width: int) -> bool:
    """Whether two parts of a field have numbers in common, at different units."""
    return one != other and one < other + its_width and other < one + width


def _runs(members: Sequence[int], follows: Callable[[int, int], bool]) -> list[list[int]]:
    """Values cut where one does not follow the one before."""
    runs = [[members[0]]]
    for before, at in pairwise(members):
        if follows(before, at):
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs
