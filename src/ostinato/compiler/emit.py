"""C++ of the stages: loops over vectors of units, in terms of `native/source/vectors.h` and `functions.h`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ostinato.compiler.form import Form, Loop, Stage
from ostinato.compiler.lines import Lines, call, literal
from ostinato.compiler.program import NUMBERS


class Place(NamedTuple):
    """Where a value lies: a member of `ostinato_row`, and a key of its offset.

    Attributes:
        row: before, after, upstream, scratch, chunk, kept or vectors; or memory of somebody else, which ends where its
            numbers do: inputs, results, output_gradient, and output and output_before, which forward made.
        key: names the offset among the numbers that a stage is called with.
        which: of inputs or results.
    """

    row: str
    key: tuple[object, ...]
    which: int = 0

    @property
    def outside(self) -> bool:
        """Whether what follows belongs to somebody else."""
        return self.row in ("inputs", "results", "output_gradient", "output", "output_before")

    @property
    def optional(self) -> bool:
        """Whether nobody may want it."""
        return self.row == "results" and self.key[1] == "gradient"


#: Of memory larger than caches, the member of `ostinato_ahead` that says how far away a row is that is needed soon.
_AHEAD = {
    "kept": "kept", "before": "kept", "results": "results", "inputs": "inputs",
    "output": "output", "output_before": "output", "output_gradient": "output",
}  # fmt: skip


_ARGUMENTS = "(const ostinato_row* rows, int64_t count, const int64_t* n)"


class Numbers:
    """What stages are called with, in the order in which their code asks: it is the same for layers of every size."""

    def __init__(self) -> None:
        self.keys: list[tuple[object, ...]] = []

    def __getitem__(self, key: tuple[object, ...]) -> str:
        if key not in self.keys:
            self.keys.append(key)
        return f"n[{self.keys.index(key)}]"


def emit(
    form: Form, name: str, sources: Mapping[int, Place], targets: Mapping[int, Sequence[Place]], *, ahead: bool = False
) -> tuple[str, list[tuple[object, ...]]]:
    """The stages of a direction as functions `NAME_0`, `NAME_1`, ..., and the keys of the numbers they are called with.

    Args:
        form: what is computed when.
        name: begins the functions' names.
        sources: where values are read that are given, come of products, or are computed elsewhere in the step.
        targets: where values have to be written.
        ahead: ask for what is kept, and the output, before they are needed: the step waits for memory more than for all
            else.
    """
    numbers = Numbers()
    parts = []
    for index, stage in enumerate(form.stages):
        if stage.loops or any(stage.scalars.values()):
            parts.append(_Stage(form, index, numbers, sources, targets, ahead).function(f"{name}_{index}"))
    return "\n".join(parts), numbers.keys


class _Stage:
    def __init__(
        self,
        form: Form,
        index: int,
        numbers: Numbers,
        sources: Mapping[int, Place],
        targets: Mapping[int, Sequence[Place]],
        ahead: bool,
    ) -> None:
        self.ahead = ahead
        self.form, self.graph, self.index, self.numbers = form, form.graph, index, numbers
        self.stage: Stage = form.stages[index]
        self.sources, self.targets = sources, targets
        self.pointers: dict[Place, str] = {}
        self.scalars: dict[int, str] = {}  # values of width 1 that are in a variable
        self.before: list[str] = []  # pointers, before everything else
        self.lines: list[str] = []

    def function(self, name: str) -> str:
        for depth in range(1 + max([0, *self.stage.scalars, *(loop.depth for loop in self.stage.loops)])):
            for at in self.stage.scalars.get(depth, ()):
                self._scalar(at)
            for loop in self.stage.loops:
                if loop.depth == depth:
                    self._loop(loop)
        body = [*self.before, *self.lines]
        head, choice = [f"static void {name}{_ARGUMENTS} {{"], []
        if self.ahead:
            head = ["template <bool past>", f"static void {name}_past{_ARGUMENTS} {{"]
            choice = [
                f"static void {name}{_ARGUMENTS} {{",
                f"    if (count) (rows->ahead->past_caches ? {name}_past<true> : {name}_past<false>)(rows, count, n);",
                "}",
            ]
        return "\n".join([
            *head,
            "    for (int64_t i = 0; i < count; ++i) {",
            "        const ostinato_row& r = rows[i];",
            *(f"        {line}" for line in body),
            "    }",
            "}",
            *choice,
        ])  # fmt: skip

    def _is_far(self, place: Place) -> bool:
        return place.row in _AHEAD and (place.row != "before" or self.form.backward)

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

    def _prefetch(self, place: Place, pointer: str) -> str:
        which = f"[{place.which}]" if place.row in ("inputs", "results") else ""
        self.before.append(f"const int64_t ahead_{pointer} = r.ahead->{_AHEAD[place.row]}{which};")
        prefetch = f"__builtin_prefetch({pointer} + at + ahead_{pointer}, {int(self.is_last(place))});"
        return f"if (!past) {prefetch}" if self.is_last(place) else prefetch

    def is_last(self, place: Place) -> bool:
        """Whether nobody reads before the next pass, or another layer, what is written there."""
        return self.ahead and (place.row == "results" or (place.row == "kept" and not self.form.backward))

    # Values of width 1: all lanes of a vector are alike.

    def _scalar(self, at: int) -> None:
        value = self._single(at) if at in self.sources and self._is_given(at) else None
        if value is None:
            args = [self._single(arg) for arg in self.graph[at].args]
            value = self._constant(at) if self.graph[at].op in NUMBERS else call(self.graph, at, args)
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
        if self.graph[at].op in NUMBERS:
            return self._constant(at)
        if at not in self.scalars:
            if at not in self.sources:
                raise AssertionError(f"value {at} {self.graph[at]} is nowhere")
            self.lines.append(f"const V s{at} = broadcast({self._pointer(self.sources[at])}[0]);")
            self.scalars[at] = f"s{at}"
        return self.scalars[at]

    def _constant(self, at: int) -> str:
        if self.graph[at].op == "reciprocal":
            return f"broadcast(1.0f / static_cast<float>({self.numbers['count', at]}))"
        return f"broadcast({literal(self.graph[at].value)})"

    # Values of many units.

    def _loop(self, loop: Loop) -> None:
        first = loop.nodes[0]
        wide = self.graph[first].args[0] if self.graph[first].op in ("sum", "largest") else first
        width = self.numbers["width", self.index, loop.depth, wide]
        reductions = [at for at in loop.nodes if self.graph[at].op in ("sum", "largest")]
        body = _Body(self, loop)
        known = set(self.pointers)
        for at in loop.nodes:
            body.node(at)
        prefetches = [
            self._prefetch(place, pointer)
            for place, pointer in self.pointers.items()
            if self.ahead and place not in known and self._is_far(place)
        ]
        for at in reductions:
            start = "0.0f" if self.graph[at].op == "sum" else "-__builtin_inff()"
            self.lines.append(f"V a{at} = broadcast({start});")
        # what is 1 wide and outside is read before the loop
        self.lines += [
            f"for (int64_t at = 0, w = {width}; at < w; at += W) {{",
            *(["    const int there = within(w - at);"] if body.uses_there else []),
            *(f"    {line}" for line in [*prefetches, *body.lines]),
            "}",
        ]
        for at in reductions:
            over = "sum_of" if self.graph[at].op == "sum" else "largest_of"
            self.lines.append(f"const V s{at} = broadcast({over}(a{at}));")
            self.scalars[at] = f"s{at}"
            for place in self.targets.get(at, ()):
                self._store_scalar(place, f"s{at}")


class _Body(Lines):
    """What is inside one loop."""

    def __init__(self, stage: _Stage, loop: Loop) -> None:
        super().__init__(stage.graph, {}, {})
        self.stage, self.inside = stage, frozenset(loop.nodes)
        self.uses_there = False
        for at in loop.nodes:
            self.uses.update(self.graph[at].args)
            self.uses[at] += len(stage.targets.get(at, ()))

    def node(self, at: int) -> None:
        """Compute and store a value, unless somebody who alone uses it will."""
        if self.graph[at].op in ("sum", "largest"):
            return self._reduce(at)
        targets = self.stage.targets.get(at, ())
        if targets or self.uses[at] > 1:
            for place in targets:
                self._store(place, self.text(at))
        return None

    def text(self, at: int, least: int = 0) -> str:
        """A value as an operand: in a variable, or read from where it lies."""
        node = self.graph[at]
        if at not in self.names:
            elsewhere = self._is_elsewhere(at)
            if node.op == "expand" and (at in self.inside or at not in self.stage.sources):
                return self.stage._single(node.args[0])
            if node.op in NUMBERS or (elsewhere and node.width == 1):
                return self.stage._single(at)
            if elsewhere:
                return self._read(at)
        return super().text(at, least)

    def _is_elsewhere(self, at: int) -> bool:
        return at not in self.inside or self.stage._is_given(at)

    def _is_open(self, at: int) -> bool:
        return super()._is_open(at) and not self._is_elsewhere(at)

    def _read(self, at: int) -> str:
        place = self.stage.sources[at]
        pointer = self.stage._pointer(place)
        read = f"load({pointer} + at)"
        if place.outside:
            read, self.uses_there = f"load_part({pointer} + at, there)", True
        return self.variable(at, read) if self.uses[at] > 1 else read

    def _name(self, at: int) -> str:
        return f"v{at}"

    def _reduce(self, at: int) -> None:
        node = self.graph[at]
        value, self.uses_there = self.text(node.args[0]), True
        if node.op == "sum":
            whole = value if value.isidentifier() else self.variable(node.args[0], value)
            self.lines.append(f"a{at} = a{at} + (there < W ? first_of({whole}, there) : {whole});")
        else:
            self.lines.append(f"a{at} = larger_of(a{at}, first_or_least({value}, there));")

    def _store(self, place: Place, value: str) -> None:
        pointer = self.stage._pointer(place, written=True)
        store, past = ("put", "<past>") if self.stage.is_last(place) else ("store", "")
        if place.outside:
            self.uses_there = True
            guard = self.stage._unless_null(place, pointer)
            self.lines.append(f"{guard}{store}_part{past}({pointer} + at, {value}, there);")
        else:
            self.lines.append(f"{store}{past}({pointer} + at, {value});")
