"""One call into the native library for a whole sequence, forward or backward, on torch tensors.

The products of float32 tensors are as precise as `torch.set_float32_matmul_precision` says when they are computed,
forward and backward; bfloat16 tensors are computed in "medium", with gates, state and sums in float32.
"""

import threading
from collections import namedtuple
from collections.abc import Sequence
from functools import cache, lru_cache, partial
from itertools import compress
from operator import is_, is_not, itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.cells import form
from ostinato.core.errors import TensorError
from ostinato.core.registry import lookup
from ostinato.native import library as native_library
from ostinato.native.library import EVERY_PRECISION, PRECISIONS, NativeLibrary, Run
from ostinato.native.operands import RUN, Operand, Role, shapes_of

Optional = Tensor | None
#: Address and strides of each tensor.
Places = tuple[tuple[int, tuple[int, ...]] | None, ...]

#: What both directions read, what of it has a gradient, and what forward makes, in the operators' order.
READ = RUN.of(Role.READ)
DIFFERENTIABLE = tuple(row for row in READ if row.differentiable)
RESULTS = tuple(sorted(RUN.of(Role.KEPT, Role.WRITTEN), key=lambda row: not row.differentiable))
_READ_BACK = RUN.of(Role.KEPT, Role.UPSTREAM)
_GRADIENTS = tuple(row.name for row in RUN.of(Role.GRADIENT))
_having_gradients = itemgetter(*(RUN.arguments.index(row) for row in DIFFERENTIABLE))
_IS_MATRIX = tuple(row.kind == "matrix" for row in DIFFERENTIABLE)

_noise = itemgetter(*(index for index, row in enumerate(RUN.arguments) if row.kind == "noise"))
_is_there = partial(is_not, None)
_POINTERS = tuple((row.name, row.strides) for row in READ)
_shapes_read = shapes_of(READ, "GTNDHRE")
_shapes_made = shapes_of(RESULTS, "TNHRK")
_shapes_read_back = shapes_of(_READ_BACK, "TNHRK")

# What is not a number of the call's dtype.
_EXACT = {"float32": torch.float32, "int64": torch.int64, "bool": torch.bool}
_OF_A_RESET = "reset_h, and reset_c of a cell with a memory"
# Scratch up to this size is kept by each thread for its next call.
_KEPT_SCRATCH = 64 << 20


def _fields() -> Any:
    names = [row.name for row in RUN.arguments]
    return namedtuple("Inputs", names, defaults=[None] * (len(names) - 1))


class Inputs(_fields()):  # type: ignore[misc]
    """What both directions read, in the operators' order: the cell's name, the tensors of the table, the direction."""

    __slots__ = ()
    cell: str
    x: Tensor
    h0: Tensor

    @classmethod
    def of(cls, cell: str, tensors: Sequence[Optional], reverse: bool) -> "Inputs":
        """From `tensors`, in their order."""
        first = RUN.first - 2
        return cls(cell, *tensors[:first], reverse, *tensors[first:])

    @property
    def tensors(self) -> tuple[Optional, ...]:
        """Without the cell's name and the direction."""
        return self[1 : RUN.first - 1] + self[RUN.first :]

    @property
    def noisy(self) -> bool:
        """Whether there is a mask or zoneout."""
        return any(map(_is_there, _noise(self)))

    def saved_size(self, N: int, T: int) -> int:
        """Floats that forward keeps for backward: linear in N and T."""
        kernel = self.kernel
        widths = int(self.units), int(self.h0.shape[-1])  # a symbolic width cannot be looked up
        return N * T * _saved_a_step(loaded(kernel), kernel, *widths, self.noisy)

    @property
    def units(self) -> int:
        """H; the width of h differs where there is an output layer."""
        return (self.h0 if self.weight_out is None else self.weight_out).shape[-1]

    @property
    def kernel(self) -> str:
        """The library's name for the cell."""
        return form.kernel(lookup(self.cell), self.weight_out is not None)


@lru_cache(maxsize=256)  # it takes a microsecond to ask the library, three times in a step of training
def _saved_a_step(library: NativeLibrary, kernel: str, H: int, R: int, noisy: bool) -> int:
    return library.saved_size(kernel, 1, 1, H, R, noisy=noisy)


class Call(NamedTuple):
    """A run with everything that both directions read.

    Attributes:
        library: the one that has the cell.
        run: what it is to do.
        places: where the tensors lie, and how.
        read: these tensors, those of `Inputs.tensors` or copies; to keep alive until it is over.
    """

    library: NativeLibrary
    run: Run
    places: Places
    read: tuple[Optional, ...]


#: Forward's call, for backward to use again: with no tensors, it keeps nothing alive.
Before = Call


def shapes(given: Inputs, training: bool, keep_states: bool) -> tuple[tuple[int, ...], ...]:
    """Of what forward makes, field by field; a first size of 0 where there is nothing."""
    wanted, every = _made(given, training, keep_states)
    return tuple(shape if want else (0, *shape[1:]) for shape, want in zip(every, wanted, strict=True))


def _made(given: Inputs, training: bool, keep_states: bool) -> tuple[tuple[bool, ...], tuple[tuple[int, ...], ...]]:
    """Which of RESULTS there will be, and their shapes."""
    wanted = _wanted(given.c0 is not None, training or keep_states, keep_states)
    (T, N, _), (_, R) = given.x.shape, given.h0.shape
    return wanted, _shapes_made(T, N, given.units, R, given.saved_size(N, T) if wanted[-1] else 0)


@cache
def _wanted(memory: bool, saving: bool, keep_states: bool) -> tuple[bool, ...]:
    asked = {"saved": saving, "states_c": keep_states}
    return tuple(asked.get(row.name, True) and (memory or row.kind != "memory") for row in RESULTS)


def forward(
    given: Inputs, training: bool, keep_states: bool, *, fill: bool = False, precision: str | None = None
) -> tuple[tuple[Optional, ...], Before | None]:
    """Run the cell over the sequences.

    Args:
        given: all that is read.
        training: whether to save what backward needs.
        keep_states: whether to return c after every step.
        fill: put zeros for what lies beyond lengths and between what is saved; else it is of any content.
        precision: of the products; by default what torch's switch says. `INT8` has no way back.

    Returns:
        RESULTS, None for what was not asked for or the cell has not; and the call, for `backward` to use again: None
        where it read copies, which are gone by then.

    Raises:
        TensorError: a shape, dtype or device that does not fit, with what was expected.
    """
    library, run, places, read = described(given, precision)
    x, dtype = given.x, given.x.dtype
    results: list[Optional] = []
    for row, want, shape in zip(RESULTS, *_made(given, training, keep_states), strict=True):
        zeros = fill and (given.lengths is not None or row.name == "saved")
        make = x.new_zeros if zeros else x.new_empty
        results.append(made := make(shape, dtype=torch.float32) if want else None)
        if made is not None:
            setattr(run, row.name, made.data_ptr())
    workspace = scratch(library.workspace_size(run, backward=False))
    run.workspace = workspace.data_ptr()
    library.forward(run)
    if dtype != torch.float32:
        results = [
            made if made is None or row.dtype != "number" else made.to(dtype)
            for row, made in zip(RESULTS, results, strict=True)
        ]
    own = all(map(is_, read, given.tensors))
    return tuple(results), Before(library, run, places, ()) if own else None


def backward(
    given: Inputs,
    kept: Sequence[Tensor],
    upstream: Sequence[Optional],
    wanted: Sequence[bool],
    before: Before | None = None,
) -> tuple[Optional, ...]:
    """Gradients by the operands that have one, in the table's order.

    Args:
        given: as given to `forward`.
        kept: what it returned that backward reads: the output, and what it saved.
        upstream: gradients by output, final h and c, and every step's c; None for zero.
        wanted: which of them; those of the matrices are computed together.
        before: what `forward` returned.

    Returns:
        One for each, None where there is none.

    Raises:
        TensorError: a shape, dtype or device that does not fit, with what was expected.
    """
    library, run, _, inputs = described(given) if before is None else _again(before, given)
    x, dtype, memory = given.x, given.x.dtype, given.c0 is not None
    (N, R), T = given.h0.shape, x.shape[0]
    sizes = _shapes_read_back(T, N, given.units, R, given.saved_size(N, T))
    read = []
    for row, tensor, shape in zip(_READ_BACK, (*kept, *upstream), sizes, strict=True):
        if tensor is not None and (memory or row.kind != "memory"):
            read.append(tensor := _ready(row, tensor, shape, dtype))
            setattr(run, row.name, tensor.data_ptr())
    grads: list[Optional] = []
    for name, like in zip(_GRADIENTS, having_gradients(given, wanted), strict=True):
        grads.append(grad := None if like is None else x.new_empty(like.shape, dtype=torch.float32))
        if grad is not None:
            setattr(run, name, grad.data_ptr())
    workspace = scratch(library.workspace_size(run, backward=True))
    run.workspace = workspace.data_ptr()
    library.backward(run)
    del inputs, read
    return tuple(grads) if dtype == torch.float32 else tuple(grad if grad is None else grad.to(dtype) for grad in grads)


def having_gradients(given: Inputs, wanted: Sequence[bool]) -> list[Optional]:
    """The tensors by which gradients are computed, None where there is none or nobody wants it; as `backward`."""
    matrices = any(compress(wanted, _IS_MATRIX))
    every = zip(_having_gradients(given), wanted, _IS_MATRIX, strict=True)
    return [tensor if want or (is_matrix and matrices) else None for tensor, want, is_matrix in every]


def described(given: Inputs, precision: str | None = None) -> Call:
    """A call with everything that both directions read; `precision` as of `forward`.

    Raises:
        TensorError: a shape, dtype or device that does not fit, with what was expected.
    """
    x, extra, h0, dtype = given.x, given.extra, given.h0, given.x.dtype
    kernel, kind = given.kernel, lookup(given.cell)
    library = loaded(kernel)
    if given.c0 is None and len(kind.State._fields) > 1:
        raise TensorError(f"c0: expected a tensor, {given.cell} has a memory cell")
    if given.resets is not None and (given.reset_h is None or (given.c0 is not None and given.reset_c is None)):
        raise TensorError(f"resets: expected the state that they bring beside them, as h0 and c0: {_OF_A_RESET}")
    if given.weight_out is None and form.has_output_layer(given.cell):
        raise TensorError(f"weight_out: expected a tensor, {given.cell} has an output layer")
    if dtype not in (torch.float32, torch.bfloat16) or not x.is_cpu:
        raise TensorError(f"x: expected torch.float32 or torch.bfloat16 on the CPU, got {dtype} on {x.device}")
    T, N, D = x.shape
    H, R, E = given.units, h0.shape[-1], 0 if extra is None else extra.shape[0]
    sizes = _shapes_read(len(kind.gates), T, N, D, H, R, E)
    read = tuple(
        [
            None if tensor is None else _ready(row, tensor, shape, dtype)
            for row, tensor, shape in zip(READ, given.tensors, sizes, strict=True)
        ]
    )
    run = Run()
    run.cell, run.isa = library.cells[kernel], library.isas[library.isa]
    run.N, run.T, run.D, run.H, run.R, run.E, run.reverse = N, T, D, H, R, E, given.reverse
    places = _places(read)
    for (name, strides), place in zip(_POINTERS, places, strict=True):
        if place is not None:
            setattr(run, name, place[0])
            if strides:
                for field, stride in zip(strides, place[1], strict=False):  # the last is 1
                    setattr(run, field, stride)
    _set_up(run, dtype)
    if precision is not None:
        run.precision = EVERY_PRECISION.index(precision)
    return Call(library, run, places, read)


def _set_up(run: Run, dtype: torch.dtype) -> None:
    """What may change from one call to the next: the precision asked for, and the number of threads."""
    precision = "medium" if dtype == torch.bfloat16 else torch.get_float32_matmul_precision()
    run.precision, run.threads = PRECISIONS.index(precision), torch.get_num_threads()


def _again(before: Before, given: Inputs) -> Call:
    """As `described`, from forward's call where the tensors lie where they lay.

    Those that autograd saved may be others: a hook can have packed them and unpacked copies.
    """
    read = given.tensors
    if _places(read) != before.places:
        return described(given)
    run = Run.from_buffer_copy(before.run)  # another thread may be going backward through the same graph
    _set_up(run, given.x.dtype)
    return Call(before.library, run, before.places, read)


def _places(tensors: Sequence[Optional]) -> Places:
    return tuple([None if tensor is None else (tensor.data_ptr(), tensor.stride()) for tensor in tensors])


def aligned(size: int) -> Tensor:
    """At least as many bytes of any content, to keep; the library asks for addresses that 64 divides."""
    return torch.empty(-(-size // 64) * 16, dtype=torch.float32, device="cpu")


_scratch = threading.local()


def scratch(size: int) -> Tensor:
    """Bytes of any content, for one call: this thread's next call may get the same."""
    kept: Tensor | None = getattr(_scratch, "kept", None)
    if kept is not None and kept.numel() >= size:
        return kept
    fresh = torch.empty(size, dtype=torch.uint8, device="cpu")
    if size <= _KEPT_SCRATCH:
        _scratch.kept = fresh
    return fresh


def _ready(row: Operand, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The tensor as the library will read it, float32 where it is of numbers, once it is what is expected."""
    if row.dtype != "number":
        dtype = _EXACT[row.dtype]
        tensor = tensor.to(dtype)
    if tensor.shape != shape or tensor.dtype != dtype or not tensor.is_cpu:
        raise TensorError(
            f"{row.name}: expected {dtype} on the CPU of shape {shape}, "
            f"got {tensor.dtype} on {tensor.device} of shape {tuple(tensor.shape)}"
        )
    if tensor.is_neg():
        tensor = tensor.resolve_neg()
    if dtype == torch.bfloat16:
        tensor = tensor.float()
    dense = tensor.stride(-1) == 1 if row.strided else tensor.is_contiguous()
    return tensor if dense else tensor.contiguous()


def resolved(tensor: Tensor) -> Tensor:
    """The tensor as its memory says: torch may have marked it as the negative of that (`z.conj().imag`)."""
    return tensor.resolve_neg() if tensor.is_neg() else tensor


def loaded(kernel: str) -> NativeLibrary:
    """The library that has a kernel, where `refuses` has found one.

    Raises:
        RuntimeError: there is none.
    """
    library = native_library.holding(kernel)
    if isinstance(library, str):
        raise RuntimeError(f"the native library is {library}")
    return library
