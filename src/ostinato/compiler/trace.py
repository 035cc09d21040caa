"""A cell's equations as a graph: `project` and `step` run once on tensors without memory, operation by operation.

Python's own control flow on the cell's options has then happened. What depends on parameters alone is not part of the graph:
it is noted, and torch computes it before every call, with its gradients. What depends on the input alone is part of it where
every row is computed from its own row of the input; otherwise torch computes `project`, over all steps at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from ostinato.cells.contract import Cell
from ostinato.compiler.program import LEAVES, Graph

_HERE = Path(__file__).parent
_PACKAGE = _HERE.parent
_TORCH = Path(torch.__file__).parent
# Sizes of the batch and of time while tracing: primes that no layer has.
_BATCH, _TIME = 1000003, 1000033


class CannotCompile(Exception):
    """What of a cell is beyond the compiler: the operation, and where it stands."""


class Ref(NamedTuple):
    """A tensor made of parameters: which note, and which of its results."""

    note: int
    result: int = 0


class Note(NamedTuple):
    """An operation on parameters alone, for torch; `function` None: the tensor itself, a parameter's name or a constant."""

    function: Callable[..., Any] | None
    args: Any
    kwargs: Any


@dataclass
class Traced:
    """A cell's equations.

    Attributes:
        graph: all values.
        output: the cell's output; None where `readout` makes it of the states.
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


def trace(cell: Cell, *, masked: bool = False, zoned: bool = False) -> Traced:
    """The equations of a cell.

    Args:
        cell: the cell.
        masked: with a mask on what is fed back, as `unroll` puts it among the parameters; it is the second input.
        zoned: with shares of the state that stay, as `unroll` has them: the last inputs, one a field.

    Raises:
        CannotCompile: an operation that no kernel has, with its name and line.
    """
    for project in (True, False):
        tracer = Tracer()
        try:
            return _trace(cell, tracer, masked, zoned, project)
        except CannotCompile:
            if not (project and tracer.projecting):
                raise
    raise AssertionError


def _trace(cell: Cell, tracer: Tracer, masked: bool, zoned: bool, project: bool) -> Traced:
    meta = torch.device("meta")
    graph = tracer.graph
    p = {name: torch.empty(declared.shape, device=meta) for name, declared in cell.parameters().items()}
    for name, tensor in p.items():
        tracer.note(tensor, Note(None, name, None))
    x = torch.empty(_TIME, _BATCH, cell.input_size, device=meta)
    before = cell.initial_state(_BATCH, x)
    widths = tuple(field.numel() // _BATCH for field in before)
    with torch.no_grad():
        if project:
            tracer.row(x, graph.leaf("time", 0, 0, cell.input_size))
            tracer.projecting = True
            with tracer.watching(cell):
                projected = cell.project(p, x)
            tracer.projecting = False
            at, width = tracer.node_of(projected), projected[0, 0].numel()
            row = torch.empty(_BATCH, *projected.shape[2:], device=meta)
        else:
            width = cell.project(p, x)[0, 0].numel()
            row = torch.empty(_BATCH, *cell.project(p, x).shape[2:], device=meta)
            at = graph.leaf("time", 0, 0, width)
        tracer.row(row, at)
        state = []
        for index, field in enumerate(before):
            state.append(torch.empty(field.shape, device=meta))
            tracer.row(state[-1], graph.leaf("state", index, 0, widths[index]))
        if masked:
            p["recurrent_mask"] = torch.empty(state[0].shape, device=meta)
            tracer.row(p["recurrent_mask"], graph.leaf("time", 1, 0, widths[0]))
        with tracer.watching(cell):
            output, after = cell.step(p, row, type(before)(*state))
    ends = [tracer.node_of(field) for field in after]
    made = None if output is None else tracer.node_of(output)
    if zoned:
        follows = getattr(cell, "output_is_state", output is after[0])
        ends = [_held(graph, at, index, widths[index], 1 + masked) for index, at in enumerate(ends)]
        made = ends[0] if follows and made is not None else made
    noise = (*(widths[:1] if masked else ()), *(widths if zoned else ()))
    return Traced(
        graph, made, tuple(ends), widths, cell.input_size if project else width, not project,
        tracer.notes, tracer.matrices, tracer.vectors, tracer.shapes, tracer.matrix_shapes, noise,
    )  # fmt: skip


def _held(graph: Graph, after: int, field: int, width: int, first: int) -> int:
    """A field after the step, of which a share stays as it was; exact where the share is 0 or 1."""
    share, before = graph.leaf("time", first + field, 0, width), graph.leaf("state", field, 0, width)
    rest = graph.apply("sub", graph.constant(1.0), share)
    return graph.apply("add", graph.apply("mul", share, before), graph.apply("mul", rest, after))


class Tracer(TorchDispatchMode):
    """Sees every operation; knows of each tensor whether it holds rows, and then which value, or parameters."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler at the first operation, which takes seconds

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph()
        self.projecting = False
        self.notes: list[Note] = []
        self.matrices: list[Ref] = []
        self.vectors: list[Ref] = []
        self.shapes: list[tuple[int, ...]] = []
        self.matrix_shapes: list[tuple[int, int]] = []
        self.refs: dict[int, Ref] = {}
        self._rows: dict[int, int] = {}
        self._alive: list[Tensor] = []  # an id is a tensor's own only while it lives

    @contextmanager
    def watching(self, cell: Cell) -> Iterator[None]:
        """Errors of tensors without memory become ours; a cell that changes itself is refused."""
        before = dict(getattr(cell, "__dict__", {}))
        try:
            with self:
                yield
        except CannotCompile:
            raise
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
            raise CannotCompile(f"{str(error).splitlines()[0]} ({_where(error)})") from error
        if dict(getattr(cell, "__dict__", {})) != before:
            raise CannotCompile("the step changes the cell itself, which happens once where it is compiled")

    def row(self, tensor: Tensor, at: int) -> None:
        """A tensor that holds a value for each sequence (and step)."""
        self._rows[id(tensor)] = at
        self._alive.append(tensor)

    def note(self, tensor: Tensor, note: Note) -> None:
        """A tensor that is made of parameters."""
        self.refs[id(tensor)] = Ref(len(self.notes))
        self.notes.append(note)
        self._alive.append(tensor)

    def is_row(self, tensor: object) -> bool:
        """Whether it is a tensor with a value for each sequence."""
        return id(tensor) in self._rows

    def node_of(self, tensor: Tensor) -> int:
        """The value of a tensor of rows, or the parameters in it as a value."""
        if self.is_row(tensor):
            return self._rows[id(tensor)]
        self._known(tensor)
        if tensor.dim() and any(size in (_BATCH, _TIME, _BATCH * _TIME) for size in tensor.shape):
            raise CannotCompile(f"parameters expanded over the batch ({_where()})")
        vector, begin = self._vector(tensor)
        return self.graph.leaf("vector", vector, begin, tensor.numel())

    def matrix(self, tensor: Tensor) -> tuple[int, int, int]:
        """A matrix `[rows, columns]` of parameters as the part of a kernel's: which, its first row and column."""
        self._known(tensor)
        ref, shape, (row, column) = self._whole(tensor)
        if ref not in self.matrices:
            self.matrices.append(ref)
            self.matrix_shapes.append((shape[0], shape[1]))
        return self.matrices.index(ref), row, column

    def _shape(self, ref: Ref) -> Sequence[int]:
        return next(t.shape for t in self._alive if self.refs.get(id(t)) == ref)

    def _whole(self, tensor: Tensor) -> tuple[Ref, Sequence[int], list[int]]:
        """What a tensor is a slice of, with its shape, and where the slice begins."""
        ref, shape, begin = self.refs[id(tensor)], list(tensor.shape), [0] * tensor.dim()
        while (note := self.notes[ref.note]).function is torch.ops.aten.slice.Tensor:
            ref, dim, start, _, step = (*note.args, *(0, 0, None, 1)[len(note.args) - 1 :])
            shape = list(self._shape(ref))
            if step != 1:
                return self.refs[id(tensor)], tensor.shape, [0] * tensor.dim()
            begin[dim] += (start or 0) % shape[dim] if (start or 0) < 0 else start or 0
        return ref, shape, begin

    def _vector(self, tensor: Tensor) -> tuple[int, int]:
        ref, shape, begin = self._whole(tensor)
        if len(shape) != 1:  # a slice may be more than one range of numbers
            ref, shape, begin = self.refs[id(tensor)], tensor.shape, [0]
        if ref not in self.vectors:
            self.vectors.append(ref)
            self.shapes.append(tuple(shape))
        return self.vectors.index(ref), begin[0]

    def _known(self, tensor: Tensor) -> None:
        if id(tensor) not in self.refs and not self.is_row(tensor):
            self.note(tensor, Note(None, tensor, None))  # a constant that the cell holds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket._qualified_op_name.removeprefix("aten::")
        _refuse_what_no_graph_has(func, name)
        tensors = [t for t in _flat((args, kwargs)) if isinstance(t, Tensor)]
        for tensor in tensors:
            self._known(tensor)
        moved_args, moved_kwargs = tree_map(_without_memory, (args, kwargs))
        result = func(*moved_args, **moved_kwargs)
        if not any(self.is_row(t) for t in tensors) and not _batched(result):
            self._noted(func, args, kwargs, result)
            return result
        from ostinato.compiler.operations import translate

        if name.endswith("_") and not name.endswith("__"):
            self._refuse_shared(name, args[0])
            name = name[:-1]
        nodes = translate(self, name, args, kwargs, result)
        results = result if isinstance(result, (tuple, list)) else [result]
        for tensor, at in zip(results, nodes, strict=False):
            if at is not None:
                self.row(tensor, at)
                self.graph.origin.setdefault(at, f"{name} ({_where()})")
        return result

    def _refuse_shared(self, name: str, tensor: Tensor) -> None:
        """A tensor may be changed in place by the step that made it, while nothing else is a view of it."""
        memory = tensor.untyped_storage()._cdata
        same = {id(other) for other in self._alive if other.untyped_storage()._cdata == memory}
        if same != {id(tensor)} or self.graph[self._rows.get(id(tensor), 0)].op in LEAVES:
            raise refuse(f"{name} changes in place what is used elsewhere too")

    def _noted(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        def known(value: Any) -> Any:
            return self.refs[id(value)] if isinstance(value, Tensor) else value

        at = len(self.notes)
        self.notes.append(Note(func, tree_map(known, args), tree_map(known, kwargs)))
        for index, tensor in enumerate(result if isinstance(result, (tuple, list)) else [result]):
            self.refs[id(tensor)] = Ref(at, index)
            self._alive.append(tensor)


def row_shape(tensor: Tensor) -> list[int]:
    """A tensor's shape without batch and time."""
    return [size for size in tensor.shape if not is_batch(size)]


def is_batch(size: int) -> bool:
    """Whether a dimension is that of the batch, of time, or both."""
    return size in (_BATCH, _TIME, _BATCH * _TIME)


def refuse(what: str) -> CannotCompile:
    """The error, with the line that is being traced."""
    return CannotCompile(f"{what} ({_where()})")


def computed(traced: Traced, p: Mapping[str, Tensor], refs: Sequence[Ref], like: Tensor) -> list[Tensor]:
    """What the kernels take of the parameters: run in torch, with gradients.

    Args:
        traced: a cell's equations.
        p: its parameters by name.
        refs: which of the notes.
        like: a tensor of the dtype and device.
    """
    made: dict[int, Any] = {}

    def value(arg: Any) -> Any:
        if not isinstance(arg, Ref):
            return like.device if isinstance(arg, torch.device) else arg
        found = result_of(arg.note)
        return found[arg.result] if isinstance(found, (tuple, list)) else found

    def result_of(at: int) -> Any:
        if at not in made:
            note = traced.notes[at]
            if note.function is not None:
                made[at] = note.function(*_resolved(note.args, value), **_resolved(note.kwargs, value))
            else:
                made[at] = p[note.args] if isinstance(note.args, str) else note.args.to(like)
        return made[at]

    return [value(ref) for ref in refs]


def _resolved(tree: Any, value: Callable[[Any], Any]) -> Any:
    if isinstance(tree, Ref):
        return value(tree)
    if isinstance(tree, dict):
        return {key: _resolved(part, value) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(_resolved(part, value) for part in tree)
    return value(tree)


def _refuse_what_no_graph_has(func: Any, name: str) -> None:
    if torch.Tag.nondeterministic_seeded in func.tags or name in ("bernoulli", "rand_like", "randn_like"):
        raise refuse(f"{name} draws random numbers, which a step must not")
    if name in ("_local_scalar_dense", "is_nonzero", "nonzero", "equal"):
        raise refuse("control flow or numbers that depend on the data (.item(), bool(), if)")


def _flat(tree: Any) -> Iterator[Any]:
    if isinstance(tree, (tuple, list)):
        for part in tree:
            yield from _flat(part)
    elif isinstance(tree, dict):
        yield from _flat(list(tree.values()))
    else:
        yield tree


def _without_memory(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) and not value.is_meta and value.dim() else value


def _batched(result: Any) -> bool:
    return any(is_batch(size) for tensor in _flat(result) if isinstance(tensor, Tensor) for size in tensor.shape)


def _where(error: BaseException | None = None) -> str:
    """The user's line: the innermost that is neither torch's nor, if there is another, the package's."""
    found, depth = "", 0
    frames: list[tuple[str, int]] = []
    if error is not None and error.__traceback__ is not None:
        trace = error.__traceback__
        while trace is not None:
            frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
            trace = trace.tb_next  # type: ignore[assignment]
        frames.reverse()
    else:
        frame = sys._getframe(1)
        while frame is not None and not (found and frame.f_code.co_filename == __file__):
            frames.append((frame.f_code.co_filename, frame.f_lineno))
            found = found or (frame.f_code.co_filename != __file__ and frame.f_code.co_filename or "")
            frame = frame.f_back  # type: ignore[assignment]
    cells = str(_PACKAGE / "cells")
    outside = [f for f in frames if not f[0].startswith((str(_TORCH), str(_HERE), "<"))]
    own = [f for f in outside if not f[0].startswith(cells)] or outside
    return f"{own[0][0]}:{own[0][1]}" if own else "unknown line"
