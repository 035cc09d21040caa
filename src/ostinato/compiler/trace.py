"""A cell's equations as a graph: `project` and `step` run once on tensors without memory, operation by operation.

Python's own control flow on the cell's options has then happened. What depends on parameters alone is not part of the
graph: it is noted, and torch computes it before every call, with its gradients. What depends on the input alone is part
of it where every row is computed from its own row of the input; otherwise torch computes `project`, over all steps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.compiler.operations import translate
from ostinato.compiler.program import Graph
from ostinato.compiler.tracer import BATCH, TIME, CannotCompileError, Note, Ref, Tracer, mapped
from ostinato.core import torch_private
from ostinato.core.legend import Parameters


@dataclass
class Traced:
    """A cell's equations.

    Attributes:
        graph: all values.
        output: the cell's output; None where `readout` makes it of the states and was left out.
        state: the fields after the step.
        state_widths: numbers of each field.
        input_width: numbers of a row of the input.
        projected: whether torch runs `project`, and the input is its result.
        notes: what torch computes of the parameters.
        matrices: those of it that are factors of products, `[rows, columns]`.
        vectors: those of it that are used number by number.
        shapes: of the vectors.
        matrix_shapes: of the matrices.
        noise: widths of the inputs that are noise, which follow the first.
    """

    graph: Graph
    output: int | None
    state: tuple[int, ...]
    state_widths: tuple[int, ...]
    input_width: int
    projected: bool
    notes: list[Note]
    matrices: list[Ref]
    vectors: list[Ref]
    shapes: list[tuple[int, ...]]
    matrix_shapes: list[tuple[int, int]]
    noise: tuple[int, ...] = ()


def trace(cell: Cell, *, masked: bool = False, zoned: bool = False, read: bool = False) -> Traced:
    """The equations of a cell.

    Args:
        cell: the cell.
        masked: with a mask on what is fed back, as `unroll` puts it among the parameters; it is the second input.
        zoned: with shares of the state that stay, as `unroll` has them: the last inputs, one a field.
        read: with the cell's `readout` of the state, where it has one, as part of the step.

    Raises:
        CannotCompileError: an operation that no kernel has, with its name and line.
    """
    if torch_private.dispatch_mode() is object:
        raise CannotCompileError("this torch does not show its operations")
    for project in (True, False):
        tracer = Tracer(translate)
        try:
            return _trace(cell, tracer, masked, zoned, project, read)
        except CannotCompileError:
            if not (project and tracer.projecting):
                raise
    raise AssertionError


def _trace(cell: Cell, tracer: Tracer, masked: bool, zoned: bool, project: bool, read: bool) -> Traced:
    meta = torch.device("meta")
    graph = tracer.graph
    p = {name: torch.empty(declared.shape, device=meta) for name, declared in cell.parameters().items()}
    for name, tensor in p.items():
        tracer.note(tensor, Note(None, name, None))
    x = torch.empty(TIME, BATCH, cell.input_size, device=meta)
    before, shapes = _state_of(cell)
    widths = tuple(math.prod(shape[1:]) for shape in shapes)
    # a step that turns gradients off is seen by that
    with torch.inference_mode(False), torch.enable_grad():
        if project:
            tracer.row(x, graph.leaf("time", 0, 0, cell.input_size))
            tracer.projecting = True
            with tracer.watching(cell):
                projected = cell.project(p, x)
            tracer.projecting = False
            at, width = tracer.node_of(projected), projected[0, 0].numel()
            row = torch.empty(BATCH, *projected.shape[2:], device=meta)
        else:
            width = cell.project(p, x)[0, 0].numel()
            row = torch.empty(BATCH, *cell.project(p, x).shape[2:], device=meta)
            at = graph.leaf("time", 0, 0, width)
        tracer.row(row, at)
        state = []
        for index, shape in enumerate(shapes):
            state.append(torch.empty(shape, device=meta))
            tracer.row(state[-1], graph.leaf("state", index, 0, widths[index]))
        if masked:
            p["recurrent_mask"] = torch.empty(state[0].shape, device=meta)
            tracer.row(p["recurrent_mask"], graph.leaf("time", 1, 0, widths[0]))
        with tracer.watching(cell):
            output, after = cell.step(p, row, before(*state))
    ends = [tracer.node_of(field) for field in after]
    made = None if output is None else tracer.node_of(output)
    if zoned:
        follows = getattr(cell, "output_is_state", output is after[0])
        ends = [_held(graph, at, index, widths[index], 1 + masked) for index, at in enumerate(ends)]
        made = ends[0] if follows and made is not None else made
    if read and hasattr(cell, "readout"):
        made = _read(cell, tracer, p, before, shapes, ends)
    noise = (*(widths[:1] if masked else ()), *(widths if zoned else ()))
    return Traced(
        graph, made, tuple(ends), widths, cell.input_size if project else width, not project,
        tracer.notes, tracer.matrices, tracer.vectors, tracer.shapes, tracer.matrix_shapes, noise,
    )  # fmt: skip


def trace_readout(cell: Cell) -> Traced:
    """What a cell's `readout` makes of the states after a step, which are the inputs.

    Raises:
        CannotCompileError: an operation without a rule.
    """
    tracer, meta = Tracer(translate), torch.device("meta")
    p = {name: torch.empty(declared.shape, device=meta) for name, declared in cell.parameters().items()}
    for name, tensor in p.items():
        tracer.note(tensor, Note(None, name, None))
    before, shapes = _state_of(cell)
    widths = tuple(math.prod(shape[1:]) for shape in shapes)
    fields = [tracer.graph.leaf("time", index, 0, width) for index, width in enumerate(widths)]
    output = _read(cell, tracer, p, before, shapes, fields)
    return Traced(
        tracer.graph, output, (), (), 0, False,
        tracer.notes, tracer.matrices, tracer.vectors, tracer.shapes, tracer.matrix_shapes,
    )  # fmt: skip


def _read(
    cell: Any, tracer: Tracer, p: Parameters, kind: Any, shapes: Sequence[tuple[int, ...]], fields: Sequence[int]
) -> int:
    """What `readout`, which the cell has, makes of the fields of a state, such as it is called: of all steps."""
    states = [torch.empty(TIME, *shape, device="meta") for shape in shapes]
    for state, at in zip(states, fields, strict=True):
        tracer.row(state, at)
    with torch.inference_mode(False), torch.enable_grad(), tracer.watching(cell):
        return tracer.node_of(cell.readout(p, kind(*states)))


def _state_of(cell: Cell) -> tuple[Any, list[tuple[int, ...]]]:
    """The type of a cell's state, and its fields' shapes: of one with memory, as torch's arithmetic without is slow."""
    one = cell.initial_state(1, torch.empty(0))
    return type(one), [(BATCH, *field.shape[1:]) for field in one]


def _held(graph: Graph, after: int, field: int, width: int, first: int) -> int:
    """A field after the step, of which a share stays as it was; exact where the share is 0 or 1."""
    if not width:
        return after
    share, before = graph.leaf("time", first + field, 0, width), graph.leaf("state", field, 0, width)
    rest = graph.apply("sub", graph.constant(1.0), share)
    return graph.apply("add", graph.apply("mul", share, before), graph.apply("mul", rest, after))


def computed(traced: Traced, p: Mapping[str, Tensor], refs: Sequence[Ref], like: Tensor) -> list[Tensor]:
    """What the kernels take of the parameters: run in torch, with gradients.

    Args:
        traced: a cell's equations.
        p: its parameters by name.
        refs: which of the notes.
        like: a tensor of the dtype and device.
    """
    results = _Results(traced, p, like)
    return [results.value(ref) for ref in refs]


class _Results:
    """Of notes, as far as they are asked for.

    Functions within `computed` that call each other would be a circle of references: what they hold, inputs of long
    sequences with their graph, would lie about until Python looks for such.
    """

    def __init__(self, traced: Traced, p: Mapping[str, Tensor], like: Tensor) -> None:
        self._notes, self._p, self._like = traced.notes, p, like
        self._made: dict[int, Any] = {}

    def value(self, arg: Any) -> Any:
        """Of an argument, which may be the result of a note."""
        if not isinstance(arg, Ref):
            return self._like.device if isinstance(arg, torch.device) else arg
        found = self._of(arg.note)
        return found[arg.result] if isinstance(found, (tuple, list)) else found

    def _of(self, at: int) -> Any:
        if at not in self._made:
            note = self._notes[at]
            if note.function is not None:
                made = note.function(*mapped(note.args, self.value), **mapped(note.kwargs, self.value))
            else:
                made = self._p[note.args] if isinstance(note.args, str) else note.args.to(self._like)
            self._made[at] = made
        return self._made[at]
