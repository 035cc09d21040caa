"""A stack of recurrent layers in C: step by step, or over whole sequences where a direction needs their end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ostinato.core.errors import ConfigError
from ostinato.interop.outgoing.c.source import Source
from ostinato.interop.outgoing.c.steps import StepFunction, step_function
from ostinato.interop.outgoing.c.text import indented, literal
from ostinato.layers.recurrent import Recurrent

#: What the outputs of two directions become, of those that are one number for each unit.
_MERGED: Mapping[str, str] = {"sum": "{0} + {1}", "mul": "{0} * {1}", "mean": "0.5f * ({0} + {1})"}


@dataclass(frozen=True)
class LayerStack:
    """What is written of a `Recurrent`.

    Attributes:
        name: of the struct of all its states.
        layers: of each layer its directions.
        directions: "forward", "reverse" or both, in the order of `layers`.
        merge: what both outputs become.
        input_size: D.
        output_size: of both directions together.
    """

    name: str
    layers: tuple[tuple[StepFunction, ...], ...]
    directions: tuple[str, ...]
    merge: str
    input_size: int
    output_size: int

    @property
    def streams(self) -> bool:
        """Whether it can be read step by step."""
        return self.directions == ("forward",)

    @property
    def widest(self) -> int:
        """Numbers of a row that any layer reads or writes."""
        return max([self.input_size, self.output_size, *(self._width(steps) for steps in self.layers)])

    def _width(self, steps: Sequence[StepFunction]) -> int:
        return sum(step.width for step in steps) if self.merge == "concat" else steps[0].width

    @property
    def steps(self) -> list[StepFunction]:
        """All of them, as they are taken."""
        return [step for steps in self.layers for step in steps]

    def last_output(self, state: str) -> list[tuple[str, int]]:
        """Where the outputs of the last layer's directions are in a struct after their last step, and their widths."""
        return [(f"{state}{step.name}.{step.output}", step.width) for step in self.layers[-1]]


def layer_stack(module: Recurrent, name: str, source: Source) -> LayerStack:
    """A layer's arrays and steps, added to a source.

    Raises:
        ConfigError: a cell that C has no form of, or weights that are computed when the layer runs.
    """
    directions = ("forward", "reverse") if module.bidirectional else ("reverse",) if module.reverse else ("forward",)
    weights = dict(module.named_parameters())
    layers = []
    for index, cell in enumerate(module.cells):
        steps = []
        for suffix, direction in zip(("", "_reverse"), directions, strict=False):
            full = [f"{parameter}_l{index}{suffix}" for parameter in cell.parameters()]
            if missing := [one for one in full if one not in weights]:
                raise ConfigError(f"--to c: {missing[0]} is computed when the layer runs; --to onnx takes it")
            own: dict[str, Tensor] = {
                parameter: weights[one].detach().float() for parameter, one in zip(cell.parameters(), full, strict=True)
            }
            called = f"{name}_{index}" + (f"_{direction}" if len(directions) == 2 else "")
            made = step_function(cell, own, called, source.arrays, module.zoneout)
            source.functions |= made.functions
            source.stack_bytes = max(source.stack_bytes, made.scratch)
            source.add_step(made)
            steps.append(made)
        layers.append(tuple(steps))
    return LayerStack(name, tuple(layers), directions, module.merge, module.input_size, module.output_size)


def fields(stack: LayerStack) -> list[str]:
    """Of the struct of all its states."""
    return [f"struct @_{step.name} {step.name};" for step in stack.steps]


def reset(stack: LayerStack, state: str) -> list[str]:
    """Lines that put a state to what it is before the first step."""
    return [line for step in stack.steps for line in reset_one(step, f"{state}{step.name}")]


def reset_one(step: StepFunction, where: str) -> list[str]:
    """The same of one layer and direction."""
    lines = []
    for name, width in step.fields.items():
        value = literal(step.initial.get(name, 0.0))
        lines.append(f"for (int j = 0; j < {width}; ++j) {where}.{name}[j] = {value};")
    return lines


def step_lines(stack: LayerStack, state: str, x: str) -> tuple[list[str], str]:
    """Lines that take one step through all layers, and where its output then is."""
    lines = []
    for step in stack.steps:
        lines.append(f"{step.name}_step({x}, &{state}{step.name});")
        x = f"{state}{step.name}.{step.output}"
    return lines, x


def sequence_function(stack: LayerStack, room: str, widest: int) -> str:
    """A function that reads a whole sequence: rows in `rows`, which are then its outputs; `other` is as large.

    Args:
        stack: the layers.
        room: the struct that has their states.
        widest: numbers of a row.
    """
    body = []
    for index, steps in enumerate(stack.layers):
        begin = 0
        for number, (step, direction) in enumerate(zip(steps, stack.directions, strict=True)):
            order = "int t = 0; t < length; ++t" if direction == "forward" else "int t = length - 1; t >= 0; --t"
            kept = _kept(stack, step, f"state->{step.name}", number, begin)
            body += [
                f"/* layer {index}, {direction} */",
                *reset_one(step, f"state->{step.name}"),
                f"for ({order}) {{",
                f"    {step.name}_step(rows[t], &state->{step.name});",
                f"    for (int j = 0; j < {step.width}; ++j) {kept}",
                "}",
            ]
            begin += step.width if stack.merge == "concat" else 0
        width = begin or steps[0].width
        body += [
            "for (int t = 0; t < length; ++t) {",
            f"    for (int j = 0; j < {width}; ++j) rows[t][j] = other[t][j];",
            "}",
        ]
    return "\n".join([
        "/* Read a whole sequence, in place: `length` rows in, their outputs out. */",
        f"static void {stack.name}_read(struct @_{room} *state, float (*rows)[{widest}], float (*other)[{widest}], "
        "int length)",
        "{",
        *indented(body),
        "}",
    ])  # fmt: skip


def _kept(stack: LayerStack, step: StepFunction, where: str, number: int, begin: int) -> str:
    value = f"{where}.{step.output}[j]"
    if stack.merge == "concat" or not number:
        return f"other[t][{f'{begin} + ' if begin else ''}j] = {value};"
    return f"other[t][j] = {_MERGED[stack.merge].format('other[t][j]', value)};"
