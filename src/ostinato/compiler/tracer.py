"""Sees the operations of a step as torch runs them on tensors without memory, and knows what each tensor stands for."""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.compiler import effects
from ostinato.compiler.pointwise import POINTWISE_RULES
from ostinato.compiler.program import LEAVES, Graph
from ostinato.core import torch_private

_HERE = Path(__file__).parent
_PACKAGE = _HERE.parent
_TORCH = Path(torch.__file__).parent
# Sizes of the batch and of time while tracing: primes that no layer has.
BATCH, TIME = 1000003, 1000033


class CannotCompileError(Exception):
    """What of a cell is beyond the compiler: the operation, and where it stands."""


class Ref(NamedTuple):
    """A tensor made of parameters: which note, and which of its results."""

    note: int
    result: int = 0


class Note(NamedTuple):
    """An operation on parameters alone, for torch; `function` None: a tensor itself, by its name or as it is."""

    function: Callable[..., Any] | None
    args: Any
    kwargs: Any


class Tracer(torch_private.dispatch_mode()):  # type: ignore[misc]
    """Sees every operation; knows of each tensor whether it holds rows, and then which value, or parameters.

    Args:
        translate: the values of an operation's results; see `operations`.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler at the first operation, which takes seconds

    def __init__(self, translate: Callable[..., Sequence[int | None]]) -> None:
        super().__init__()
        self._translate = translate
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
        """Errors of tensors without memory become ours; what a step does beside its values is refused."""
        before = effects.reached(cell)
        try:
            with effects.silent(lambda: refuse("the step prints")), self:
                yield
        except CannotCompileError:
            raise
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
            raise CannotCompileError(f"{str(error).splitlines()[0]} ({where(error)})") from error
        if changed := effects.changed(before, effects.reached(cell)):
            raise CannotCompileError(
                f"the step changes {changed}, which happens once where it is compiled ({effects.place(cell)})"
            )

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
        if tensor.dim() and any(size in (BATCH, TIME, BATCH * TIME) for size in tensor.shape):
            raise CannotCompileError(f"parameters expanded over the batch ({where()})")
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

    def _whole(self, tensor: Tensor) -> tuple[Ref, Sequence[int], list[int]]:
        """What a tensor is a slice of, with its shape, and where the slice begins."""
        ref, shape, begin = self.refs[id(tensor)], list(tensor.shape), [0] * tensor.dim()
        while (note := self.notes[ref.note]).function is torch.ops.aten.slice.Tensor:
            ref, dim, start, _, step = slice_of(note.args)
            shape = list(next(t.shape for t in self._alive if self.refs.get(id(t)) == ref))
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
        if not torch.is_grad_enabled():
            raise refuse(f"{name} without its own gradient (torch.no_grad, or an autograd.Function)")
        _refuse_what_no_graph_has(func, name)
        tensors = [t for t in _flat((args, kwargs)) if isinstance(t, Tensor)]
        for tensor in tensors:
            self._known(tensor)
        moved_args, moved_kwargs = mapped((args, kwargs), _without_memory)
        result = _shaped(name, moved_args)
        if result is None:
            result = func(*moved_args, **moved_kwargs)
        sizes = (size for tensor in _flat(result) if isinstance(tensor, Tensor) for size in tensor.shape)
        if not any(self.is_row(t) for t in tensors) and not any(map(is_batch, sizes)):
            self._noted(func, args, kwargs, result)
            return result
        if name.endswith("_") and not name.endswith("__"):
            self._refuse_shared(name, args[0])
            name = name[:-1]
        nodes = self._translate(self, name, args, kwargs, result)
        results = result if isinstance(result, (tuple, list)) else [result]
        for tensor, at in zip(results, nodes, strict=False):
            if at is not None:
                self.row(tensor, at)
                self.graph.origin.setdefault(at, f"{name} ({where()})")
        return result

    def _refuse_shared(self, name: str, tensor: Tensor) -> None:
        """A tensor may be changed in place by the step that made it, while nothing else is a view of it."""
        memory = torch_private.memory_of(tensor)
        same = {id(other) for other in self._alive if torch_private.memory_of(other) == memory}
        if same != {id(tensor)} or self.graph[self._rows.get(id(tensor), 0)].op in LEAVES:
            raise refuse(f"{name} changes in place what is used elsewhere too")

    def _noted(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        def known(value: Any) -> Any:
            return self.refs[id(value)] if isinstance(value, Tensor) else value

        at = len(self.notes)
        self.notes.append(Note(func, mapped(args, known), mapped(kwargs, known)))
        for index, tensor in enumerate(result if isinstance(result, (tuple, list)) else [result]):
            self.refs[id(tensor)] = Ref(at, index)
            self._alive.append(tensor)


def slice_of(args: Sequence[Any]) -> Sequence[Any]:
    """The arguments of torch's `slice`, all five: tensor, dimension, start, end and step."""
    defaults = (None, 0, 0, None, 1)
    return (*args, *defaults[len(args) :])


def row_shape(tensor: Tensor) -> list[int]:
    """A tensor's shape without batch and time."""
    return [size for size in tensor.shape if not is_batch(size)]


def is_batch(size: int) -> bool:
    """Whether a dimension is that of the batch, of time, or both."""
    return size in (BATCH, TIME, BATCH * TIME)


def refuse(what: str) -> CannotCompileError:
    """The error, with the line that is being traced."""
    return CannotCompileError(f"{what} ({where()})")


_TRUTHS = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "logical_not", "logical_and", "logical_or", "isnan"})
_AS_WIDE = frozenset({"clamp", "clamp_min", "clamp_max", "_softmax", "_log_softmax"})
#: Operations with results beside the first, which no step reads.
_WITH_OTHERS = {"log_sigmoid_forward": 1, "_fused_rms_norm": 1, "native_layer_norm": 2}
_LEFT_TO_TORCH = frozenset({"_to_copy", "clone", "detach", "alias", "lift_fresh", "contiguous"})


def _shaped(name: str, args: Any) -> Any:
    """The result of a frequent operation. Some of torch's own rules for tensors without memory import its compiler:
    seconds."""
    if name in _AS_WIDE and not any(isinstance(arg, Tensor) for arg in args[1:]):
        return args[0].new_empty(args[0].shape)
    if name in ("cat", "stack"):
        first, dim = args[0][0], args[1] if len(args) > 1 else 0
        if name == "stack":
            dim %= first.dim() + 1
            return first.new_empty(*first.shape[:dim], len(args[0]), *first.shape[dim:])
        dim %= first.dim()
        return first.new_empty(*first.shape[:dim], sum(t.shape[dim] for t in args[0]), *first.shape[dim + 1 :])
    if name in _WITH_OTHERS:
        return args[0].new_empty(args[0].shape), *(args[0].new_empty(0) for _ in range(_WITH_OTHERS[name]))
    if name in ("sum", "mean", "amax", "logsumexp") and len(args) > 1 and args[1]:
        dims = {dim % args[0].dim() for dim in ([args[1]] if isinstance(args[1], int) else args[1])}
        sizes = [1 if dim in dims else size for dim, size in enumerate(args[0].shape)]
        keep = len(args) > 2 and args[2]
        return args[0].new_empty([size for dim, size in enumerate(sizes) if keep or dim not in dims])
    if name in ("mm", "addmm", "bmm"):
        first, second = args[-2:]
        return first.new_empty(*first.shape[:-1], second.shape[-1])
    if name.removesuffix("_") not in POINTWISE_RULES or name in _LEFT_TO_TORCH:
        return None
    tensors = [arg for arg in args if isinstance(arg, Tensor)]
    if name.endswith("_") or not tensors:
        return None
    dtype = torch.bool if name in _TRUTHS else next((t.dtype for t in tensors if t.dtype.is_floating_point), torch.bool)
    return torch.empty(_common_shape([tuple(t.shape) for t in tensors]), dtype=dtype, device="meta")


def _common_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Of tensors that are broadcast. Torch's own function imports SymPy.

    Raises:
        ValueError: they do not go together.
    """
    rank = max(map(len, shapes))
    sizes = []
    for column in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        different = {size for size in column if size != 1} or {1}
        if len(different) > 1:
            raise ValueError(f"shapes that do not go together: {', '.join(map(str, shapes))}")
        sizes.append(different.pop())
    return tuple(sizes)


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


def mapped(tree: Any, function: Callable[[Any], Any]) -> Any:
    """The same lists, tuples and dicts, of what a function makes of what is in them; a named tuple is one thing."""
    if isinstance(tree, (tuple, list)) and not hasattr(tree, "_fields"):
        return type(tree)(mapped(part, function) for part in tree)
    if isinstance(tree, dict):
        return {key: mapped(part, function) for key, part in tree.items()}
    return function(tree)


def _without_memory(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) and not value.is_meta and value.dim() else value


def where(error: BaseException | None = None) -> str:
    """The user's line: the innermost that is neither torch's nor, if there is another, the package's."""
    if error is None:
        frames = list(_callers())
    else:
        frames = [(f.f_code.co_filename, line) for f, line in traceback.walk_tb(error.__traceback__)][::-1]
    outside = [frame for frame in frames if not frame[0].startswith((str(_TORCH), str(_HERE), "<"))]
    own = [frame for frame in outside if not frame[0].startswith(str(_PACKAGE / "cells"))] or outside
    return f"{own[0][0]}:{own[0][1]}" if own else "unknown line"


def _callers() -> Iterator[tuple[str, int]]:
    """From here up to where tracing began."""
    inside = False
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if inside and name.startswith(str(_HERE)):
            return
        inside = inside or not name.startswith(str(_HERE))
        yield name, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
