"""Cells as programs of a few lines, which are Python source: that is run, and shown where there is a fault."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Line:
    """A value: `name = text`, with the names of other values in place of {0} and {1}.

    Attributes:
        name: the value's.
        text: an expression that takes any number of dimensions before the row's own.
        args: the other values.
        shape: of a row.
        parameters: those that the expression uses, and their shapes.
    """

    name: str
    text: str
    args: tuple[str, ...]
    shape: Shape
    parameters: Mapping[str, Shape] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} = {self.text.format(*self.args)}"


@dataclass(frozen=True)
class Program:
    """A cell.

    Attributes:
        seed: it was drawn by.
        input_size: D.
        fields: shapes of the state.
        project: its lines; the first value is x.
        projected: what it gives.
        step: lines; values that are there are `projected` and the fields s0, s1, ...
        after: the fields after the step.
        output: what the step gives; empty where `readout` makes it.
        readout: lines; the fields are there; the last is the output.
    """

    seed: int
    input_size: int
    fields: tuple[Shape, ...]
    project: tuple[Line, ...]
    projected: str
    step: tuple[Line, ...]
    after: tuple[str, ...]
    output: str
    readout: tuple[Line, ...] = ()

    @property
    def source(self) -> str:
        """Python that makes `cell`."""
        names = [f"s{index}" for index in range(len(self.fields))]
        lines = self.project + self.step + self.readout
        parameters = {name: shape for line in lines for name, shape in line.parameters.items()}
        made = f"{self.output}.flatten(1)" if self.output else "None"
        fields = [f"{name}: torch.Tensor" for name in names]
        out = [
            *("import torch", "from torch.nn import functional as F", "from typing import NamedTuple"),
            *("from ostinato.cells.contract import CellDefaults, Parameter", ""),
            *("class State(NamedTuple):", *_indented(fields), ""),
            "class Random(CellDefaults):",
            *_indented([f'name, gates, State, paper = "random_{self.seed}", ("a",), State, "none"']),
            *_indented([f"input_size, hidden_size, bias, output_size = {self.input_size}, 5, True, {self.width}"]),
            *_indented([f"output_is_state = {self.output == self.after[0]}", "def parameters(self):"]),
            *_indented(_indented(["return {"])),
            *_indented(_indented(_indented(f'"{name}": Parameter({shape}),' for name, shape in parameters.items()))),
            *_indented(_indented(["}"])),
            *_indented(["def state_sizes(self):"]),
            *_indented(_indented([f"return {dict(zip(names, self.fields, strict=True))}"])),
            *_indented(["def project(self, p, x):"]),
            *_indented(_indented([*map(str, self.project), f"return {self.projected}"])),
            *_indented(["def step(self, p, projected, state):", f"    {', '.join(names)}, = state"]),
            *_indented(_indented([*map(str, self.step), f"return {made}, State({', '.join(self.after)})"])),
        ]
        if self.readout:
            out += _indented(["def readout(self, p, states):", f"    {', '.join(names)}, = states"])
            out += _indented(_indented([*map(str, self.readout), f"return {self.readout[-1].name}"]))
        return "\n".join([*out, "", "cell = Random()", ""])

    @property
    def width(self) -> int:
        """Numbers of the output."""
        if self.readout:
            return size(self.readout[-1].shape)
        return size((self._shapes("step") | {line.name: line.shape for line in self.step})[self.output])

    def cell(self) -> Any:
        """The cell itself."""
        made: dict[str, Any] = {"__name__": f"random_{self.seed}"}
        exec(compile(self.source, f"<cell {self.seed}>", "exec"), made)
        return made["cell"]

    def smaller(self) -> Iterable[Program]:
        """Programs with a line less: its users take one of its operands of the same shape, or nobody used it."""
        for part in ("step", "project", "readout"):
            lines: tuple[Line, ...] = getattr(self, part)
            for index in reversed(range(len(lines))):
                yield from self._without(part, lines, index)

    def _without(self, part: str, lines: tuple[Line, ...], index: int) -> Iterable[Program]:
        gone, rest = lines[index], lines[:index] + lines[index + 1 :]
        shapes = self._shapes(part) | {line.name: line.shape for line in lines}
        used = {arg for line in rest for arg in line.args} | ({self.output, *self.after} if part == "step" else set())
        used |= {self.projected} if part == "project" else set()
        if part == "readout" and index == len(lines) - 1:
            return
        others = [name for name in [*gone.args, *shapes] if shapes.get(name) == gone.shape and name != gone.name]
        earlier = [name for name in others if name not in {line.name for line in lines[index:]}]
        for name in [gone.name] if gone.name not in used else dict.fromkeys(earlier):
            swap = {gone.name: name}
            renamed = tuple(replace(line, args=tuple(swap.get(arg, arg) for arg in line.args)) for line in rest)
            made = replace(self, **{part: renamed})
            if part == "step":
                made = replace(made, output=swap.get(made.output, made.output))
                made = replace(made, after=tuple(swap.get(name, name) for name in made.after))
            elif part == "project":
                made = replace(made, projected=swap.get(made.projected, made.projected))
            yield made

    def _shapes(self, part: str) -> dict[str, Shape]:
        fields = {f"s{index}": shape for index, shape in enumerate(self.fields)}
        if part == "project":
            return {"x": (self.input_size,)}
        shapes = {line.name: line.shape for line in self.project} | {"x": (self.input_size,)}
        return fields | ({"projected": shapes[self.projected]} if part == "step" else {})


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def size(shape: Shape) -> int:
    """Numbers of a row."""
    return math.prod(shape)
