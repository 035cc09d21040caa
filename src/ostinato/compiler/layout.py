"""Where everything of a program lies, as the tables of `native/source/program.h`, and the code of its stages."""

from collections.abc import Collection, Iterable, Sequence

from ostinato.compiler.derive import derive
from ostinato.compiler.direction import Direction, Offsets, Plan, Space
from ostinato.compiler.emit import Place
from ostinato.compiler.form import Form, form, kept, put_off
from ostinato.compiler.pieces import Step
from ostinato.compiler.program import LEAVES, NUMBERS, Node, Rows
from ostinato.compiler.shorter import shorter
from ostinato.compiler.tracer import CannotCompileError

# As in program.h.
BEFORE, AFTER, SCRATCH, CHUNK, KEPT, INPUT = range(6)
_SPACES = {"before": BEFORE, "after": AFTER, "scratch": SCRATCH, "chunk": CHUNK, "kept": KEPT}
_MOST_OPERANDS, _MOST_SOURCES = 64, 256
# Operands of which it is not said yet where they lie: those of a step's products, and of a chunk's.
_FACTOR, _LEFT = -1, -2

Row = tuple[int, ...]


class Layout:
    """A step forward and backward, laid out in memory.

    Args:
        step: the step in pieces; its graph grows by the way back.
        fixed: inputs without gradients.

    Raises:
        CannotCompileError: more operands of a product than the recurrence takes.
    """

    def __init__(self, step: Step, fixed: Iterable[int] = ()) -> None:
        self.graph = step.graph
        self.step, self.back = shorter(step, derive(step, fixed))
        step = self.step
        self.computed = set(self.graph.needed([*step.output, *(at for field in step.after for at in field)]))
        self.offsets = Offsets(step.graph)
        self.state, self.kept_space, self.vectors = Space(), Space(), Space()
        self.vector_part: list[Row] = []
        self._state_parts()
        self._inputs_products()
        self.made = self._made_anyway()
        self.kept = self._choose_kept()
        self.products: list[Row] = []
        self.pieces: list[Row] = []
        self.operands: list[Row] = []
        self.forward = self._forward()
        self.backs: list[Row] = []
        self.sources: list[Row] = []
        self.weight_gradients: list[Row] = []
        self.vector_gradients: list[Row] = []
        self.backward = self._backward()
        self.state_part = [(*row, *self._kept_state(row)) for row in self.state_rows]
        self.operands = [self._resolved(row) for row in self.operands]

    @property
    def differentiated(self) -> int:
        """Numbers of the first input that steps write a gradient by: the others' has to be zero."""
        found = {(0, entry.begin): self.graph[entry.gradient].width for entry in self.back.inputs if not entry.input}
        found |= {self.graph[leaf].value: self.graph[leaf].width for leaf, _, _ in self.back.products}
        return sum(found.values())

    # What both directions share.

    def _state_parts(self) -> None:
        self.state_rows: list[Row] = []
        self.part_of: dict[int, int] = {}  # of a leaf before the step
        for index, field in enumerate(self.step.before):
            for at in field:
                begin, width = self.graph[at].value[1], self.graph[at].width
                self.part_of[at] = len(self.state_rows)
                self.state_rows.append((index, begin, width, self.state.take(at, width)))
        self.after = [at for field in self.step.after for at in field]

    def _inputs_products(self) -> None:
        """Products of inputs, each with the bias that is added to it."""
        ends = [*self.step.output, *self.after]
        order = self.graph.needed(ends)
        users = self.graph.users([*ends, *self.back.ends])
        self.of_input: dict[int, tuple[int, int | None]] = {}  # the value -> its product, its bias
        for at in order:
            node = self.graph[at]
            if node.op != "product" or self.graph[node.args[0]].op != "time":
                continue
            value, bias = at, None
            if len(users[at]) == 1 and at not in ends and self.graph[users[at][0]].op == "add":
                first, second = self.graph[users[at][0]].args
                other = second if first == at else first
                if self.graph[other].op == "vector" and self.graph[other].width == node.width:
                    value, bias = users[at][0], other
            self.of_input[value] = (at, bias)

    def _made_anyway(self) -> dict[int, int] | None:
        """Values that are in the output, and need not be kept beside it: where there. None where states go through a
        product: its way back reads its factors among what is kept."""
        g, begin = self.graph, 0
        products = {at for at in self.computed if g[at].op == "product"}
        if products.intersection(g.needed(self.after)) - {product for product, _ in self.of_input.values()}:
            return None
        factors = {arg for at in products for arg in g[at].args}
        # of the step after, where a state is one, in a product that the output alone has
        factors |= {self.after[part] for leaf, part in self.part_of.items() if leaf in factors}
        found: dict[int, int] = {}
        for at in self.step.output:
            if g[at].op not in (*LEAVES, *NUMBERS) and at not in factors:
                found.setdefault(at, begin)
            begin += g[at].width
        return found

    def _choose_kept(self) -> set[int]:
        ends = self._backward_ends()
        after = {at: leaf for leaf, at in zip(self.part_of, self.after, strict=True)}
        kept_values = kept(self.graph, self.computed, ends, set(self.of_input), after, self.made)
        self.states_needed = {at for at in self.graph.needed(ends, kept_values) if self.graph[at].op == "state"}
        return kept_values

    def _kept_value(self, at: int) -> tuple[str, int]:
        """Where a value of forward lies for backward: a row, and the offset."""
        if self.made is not None and at in self.made:
            return "output", self.made[at]
        return "kept", self.kept_space.take(at, self.graph[at].width)

    def _kept_field(self, leaf: int) -> tuple[tuple[str, int], str, int]:
        """The key, row and offset of what is kept of a field after the step, which the next step finds before it.

        Two fields that become the same value need a plane each: what they were at first may differ.
        """
        after = self.after[self.part_of[leaf]]
        first = next(at for at in self.part_of if self.after[self.part_of[at]] == after and at in self.states_needed)
        if leaf == first:
            return ("value", after), *self._kept_value(after)
        return ("field", leaf), "kept", self.kept_space.take(("field", leaf), self.graph[leaf].width)

    def _kept_state(self, row: Row) -> tuple[int, int]:
        """Where a field is kept, and where in the output; -1 for nowhere."""
        leaf = next(leaf for leaf, part in self.part_of.items() if self.state_rows[part] == row)
        if leaf not in self.states_needed:
            return -1, -1
        _, where, offset = self._kept_field(leaf)
        return (offset, -1) if where == "kept" else (-1, offset)

    def _leaf(self, at: int) -> Place | None:
        """Where a leaf lies, in both directions; None of what is no leaf."""
        node = self.graph[at]
        if node.op == "time":
            return self.offsets.place("inputs", ("input", at), node.value[1], node.value[0])
        if node.op == "vector":
            if at not in self.vectors.at:
                plane = self.vectors.take(at, node.width)
                self.vector_part.append((*node.value, node.width, plane))
            return self.offsets.place("vectors", ("vector", at), self.vectors.at[at])
        return None

    # Forward.

    def _forward(self) -> Direction:
        g, plan = self.graph, Plan("forward", self.offsets)
        sources = plan.sources
        self._multiply_inputs(plan)
        ends = {*self.step.output, *self.after, *self.kept}
        for at in {at for at in self.graph.needed(ends, set(sources)) if g[at].op in ("time", "state", "vector")}:
            sources[at] = self._leaf(at) or self.offsets.place("before", ("state", at), self.state.at[at])
        products = [at for at in self.graph.needed(ends, set(sources)) if g[at].op == "product" and at not in sources]
        factors = [arg for at in products for arg in g[at].args]
        copied = {at for at in factors if (at in sources and sources[at].row != "before") or g[at].op == "constant"}
        apart = put_off(g, ends, self.after, sources)
        made = form(g, [*ends, *copied], sources, apart)
        self._write_results(plan)
        for at in copied:
            offset = plan.scratch.take(("copy", at), g[at].width)
            plan.targets.setdefault(at, []).insert(0, self.offsets.place("scratch", ("copy", at), offset))
        self._multiply_planes(made, plan)
        found = plan.direction(made, ahead=self.made is not None)
        self.factor = {at: plan.factor(at) for product in products if product not in apart for at in g[product].args}
        self.left = {at: plan.sources[at] for product in apart for at in g[product].args}
        return found

    def _write_results(self, plan: Plan) -> None:
        """The output, the state after the step, and what is kept for backward."""
        begin = 0
        for at in self.step.output:
            plan.write(at, self.offsets.place("results", ("output", at, begin), begin))
            begin += self.graph[at].width
        for leaf, after in zip(self.part_of, self.after, strict=True):
            plan.write(after, self.offsets.place("after", ("state", leaf), self.state.at[leaf]))
            if leaf in self.states_needed:
                self.kept.add(after)
                key, _, offset = self._kept_field(leaf)
                if key[0] == "field":
                    plan.write(after, self.offsets.place("kept", key, offset))
        for at in sorted(self.kept):
            where, offset = self._kept_value(at)
            if where == "kept":
                plan.write(at, self.offsets.place(where, ("value", at), offset))

    def _multiply_inputs(self, plan: Plan) -> None:
        """Products of level 0, those of one input and the same columns side by side."""
        groups: dict[tuple[int, int], list[int]] = {}
        for value, (product, _) in self.of_input.items():
            rows: Rows = self.graph[product].value[0]
            groups.setdefault((self.graph[product].args[0], rows.column), []).append(value)
        for (operand, column), values in groups.items():
            first = len(self.pieces)
            for value in values:
                product, bias = self.of_input[value]
                rows = self.graph[product].value[0]
                vector = (-1, 0) if bias is None else self.graph[bias].value
                self.pieces.append((rows.matrix, rows.row, rows.rows, *vector))
                offset = plan.chunk.take(value, rows.rows)
                plan.sources[value] = self.offsets.place("chunk", ("product", value), offset)
            node = self.graph[operand]
            self.operands.append((INPUT, node.value[0] << 32 | node.value[1], node.width, column))
            self.products.append((0, first, len(values), len(self.operands) - 1, 1, plan.chunk.at[values[0]]))

    def _multiply_planes(self, made: Form, plan: Plan) -> None:
        groups: dict[tuple[int, tuple[int, ...], tuple[int, ...]], list[int]] = {}
        for at in made.products:
            node = self.graph[at]
            columns = tuple(rows.column for rows in node.value)
            groups.setdefault((made.level[at], node.args, columns), []).append(at)
        inner = len(made.stages) - 1 - made.over_chunk
        for (level, args, columns), values in groups.items():
            if len(args) > _MOST_OPERANDS:
                raise CannotCompileError("a product of more pieces than the recurrence takes")
            first, first_operand = len(self.pieces), len(self.operands)
            for at in values:
                rows = self.graph[at].value[0]
                self.pieces.append((rows.matrix, rows.row, rows.rows, -1, 0))
                plan.product(at, level > inner)
            for arg, column in zip(args, columns, strict=True):
                self.operands.append((_LEFT if level > inner else _FACTOR, arg, self.graph[arg].width, column))
            result = (plan.chunk if level > inner else plan.scratch).at[values[0]]
            self.products.append((level, first, len(values), first_operand, len(args), result))

    def _resolved(self, row: Row) -> Row:
        if row[0] >= 0:
            return row
        place = (self.left if row[0] == _LEFT else self.factor)[row[1]]
        return (_SPACES[place.row], self.offsets[place], *row[2:])

    # Backward.

    def _backward_ends(self) -> list[int]:
        ends = [*self.back.ends, *self._by_state()]
        args = [arg for at in self.graph.needed(ends) if self.graph[at].op == "back" for arg in self.graph[at].args]
        return [*ends, *args]

    def _by_state(self) -> list[int]:
        """The gradients by the state before the step."""
        fields = zip(self.step.before, self.back.state, strict=True)
        return [self._gradient(*pair) for field in fields for pair in zip(*field, strict=True)]

    def _gradient(self, leaf: int, gradient: int | None) -> int:
        return self.graph.constant(0.0, self.graph[leaf].width) if gradient is None else gradient

    def _backward(self) -> Direction:
        g, plan = self.graph, Plan("backward", self.offsets)
        ends = self._backward_ends()
        for at in self.graph.needed(ends, self.kept):
            place = self._backward_leaf(at)
            if place is not None:
                plan.sources[at] = place
        used = [at for at in ends if g[at].op not in ("state", "time") and at not in self.kept]
        self._write_gradients(plan)
        given = [at for at in used if at in plan.targets or at not in plan.sources]
        by_state = self._by_state()
        apart = self._early(given, plan.sources, by_state)
        made = form(g, [*given, *plan.targets], plan.sources, apart, backward=True, of_steps=by_state)
        self._multiply_back(made, plan)
        return plan.direction(made, ahead=self.made is not None)

    def _early(self, ends: Iterable[int], given: Collection[int], by_state: Collection[int]) -> set[int]:
        """Products of the way back that need not wait for the steps after: no gradient by a state is part of them."""
        g = self.graph
        waits = {at for at in by_state if g[at].op not in NUMBERS}
        order = sorted(self.graph.needed(ends, set(given)))
        for at in order:
            if g[at].op == "upstream_state" or (at not in given and not waits.isdisjoint(g[at].args)):
                waits.add(at)
        return {at for at in order if g[at].op == "back" and at not in waits}

    def _backward_leaf(self, at: int) -> Place | None:
        node = self.graph[at]
        if at in self.kept:
            where, offset = self._kept_value(at)
            return self.offsets.place(where, ("value", at), offset)
        if node.op == "state":
            _, where, offset = self._kept_field(at)
            return self.offsets.place("before" if where == "kept" else "output_before", ("kept", at), offset)
        if node.op == "upstream":
            return self.offsets.place("output_gradient", ("upstream", at), node.value[1])
        if node.op == "upstream_state":
            leaf = next(leaf for leaf in self.part_of if self.graph[leaf].value == node.value)
            return self.offsets.place("upstream", ("state", at), self.state.at[leaf])
        return self._leaf(at)

    def _write_gradients(self, plan: Plan) -> None:
        """What the recurrence reads of the stages' results."""
        g, back = self.graph, self.back
        for field, grads in zip(self.step.before, back.state, strict=True):
            for leaf, gradient in zip(field, grads, strict=True):
                place = self.offsets.place("after", ("state", leaf), self.state.at[leaf])
                plan.write(self._gradient(leaf, gradient), place)
        for wanted in sorted(back.weights, key=lambda wanted: wanted.operand):
            rows = wanted.rows
            row = (rows.matrix, rows.row, rows.rows, rows.column, plan.plane(wanted.gradient))
            self.weight_gradients.append((*row, *self._operand(wanted.operand, plan), rows.columns))
        for vector in sorted(back.vectors, key=lambda vector: vector.gradient):  # a plane is added up once
            plane = plan.plane(vector.gradient)
            self.vector_gradients.append((vector.vector, vector.begin, g[vector.gradient].width, plane))
        for entry in back.inputs:
            key = ("gradient", entry.input, entry.begin)
            plan.write(entry.gradient, self.offsets.place("results", key, entry.begin, entry.input))
        self._input_backs(plan)

    def _operand(self, at: int, plan: Plan) -> tuple[int, int]:
        node = self.graph[at]
        if node.op == "state":
            return BEFORE, self._kept_field(at)[-1]
        if node.op == "time":
            return INPUT, node.value[0] << 32 | node.value[1]
        return (KEPT, self._kept_value(at)[1]) if at in self.kept else (CHUNK, plan.plane(at))

    def _input_backs(self, plan: Plan) -> None:
        groups: dict[tuple[int, int, int], list[Row]] = {}
        written = {(entry.input, entry.begin) for entry in self.back.inputs}
        for leaf, rows, gradient in self.back.products:
            begin = self.graph[leaf].value[1]
            key = (self.graph[leaf].value[0], begin, rows.columns)
            groups.setdefault(key, []).append((rows.matrix, rows.row, rows.rows, rows.column, plan.plane(gradient)))
        for (index, begin, width), sources in groups.items():
            self._add_back(0, sources, index, begin, width, (index, begin) in written)

    def _add_back(
        self, level: int, sources: Sequence[Row], result: int, column: int, width: int, add: bool = False
    ) -> None:
        if len(sources) > _MOST_SOURCES:
            raise CannotCompileError("more products of one value than the recurrence takes")
        self.backs.append((level, len(self.sources), len(sources), result, column, width, int(add)))
        self.sources.extend(sources)

    def _multiply_back(self, made: Form, plan: Plan) -> None:
        for at in made.products:
            node: Node = self.graph[at]
            found = [
                (rows.matrix, rows.row, rows.rows, rows.column, plan.plane(arg))
                for arg, rows in zip(node.args, node.value, strict=True)
            ]
            level = made.level[at]
            self._add_back(level, found, plan.product(at, level <= made.over_chunk), 0, node.width)
