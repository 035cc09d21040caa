"""Compiled cells to the native library: the structures of `source/program.h`, and its four functions."""

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_int64, c_void_p
from functools import cache

from ostinato.native.library import NativeLibrary, load

_SIZES = ("isa", "N", "T", "threads", "split", "reverse")
_WIDTHS = ("state_size", "kept_size", "vectors_size", "output_width", "inputs", "fields", "matrices", "vectors")
_COUNTS = ("products", "backs", "weight_gradients", "vector_gradients", "vector_parts", "state_parts", "clear_inputs")
#: Tables of a program, in the order of `ostinato_program`.
TABLES = (
    "product",
    "piece",
    "operand",
    "back",
    "source",
    "weight_gradient",
    "vector_gradient",
    "vector_part",
    "state_part",
)
_SHAPES = ("input_width", "field_width", "matrix_shape", "vector_width")
_READ = ("input", "input_stride", "matrix", "vector", "state", "reset_state")
_RESULTS = ("output", "saved", "final_state", "every_state", "grad_output", "grad_final", "grad_every")
_GRADIENTS = ("grad_input", "grad_matrix", "grad_vector", "grad_state", "grad_reset_state", "workspace")


class Direction(ctypes.Structure):
    """`ostinato_direction`."""

    _fields_ = [
        *((name, c_int64) for name in ("levels", "over_chunk", "scratch_size", "chunk_size")),
        *((name, c_void_p) for name in ("stages", "numbers")),
    ]


class Program(ctypes.Structure):
    """`ostinato_program`."""

    _fields_ = [
        *((name, c_int64) for name in _SIZES),
        ("lengths", c_void_p),
        ("resets", c_void_p),
        *((name, c_int64) for name in (*_WIDTHS, *_COUNTS)),
        ("forward", Direction),
        ("backward", Direction),
        *((name, c_void_p) for name in (*TABLES, *_SHAPES, *_READ, *_RESULTS, *_GRADIENTS)),
        ("precision", c_int64),
        ("packed", c_void_p),
    ]


def numbers(values: Sequence[int]) -> ctypes.Array[c_int64]:
    """An array of whole numbers; to keep alive as long as its address is used."""
    return (c_int64 * max(len(values), 1))(*values)


def addresses(values: Sequence[int | None]) -> ctypes.Array[c_void_p]:
    """An array of addresses; to keep alive as long as its own is used."""
    return (c_void_p * max(len(values), 1))(*values)


@cache
def programs_of(library: NativeLibrary) -> "Programs":
    """The library's functions for programs."""
    return Programs(library)


class Programs:
    """The library's functions for programs; those that compute raise a ValueError where it refuses an argument."""

    def __init__(self, library: NativeLibrary) -> None:
        handle = library._library
        self._saved, self._workspace = handle.ostinato_program_saved, handle.ostinato_program_workspace
        self._forward, self._backward = handle.ostinato_program_forward, handle.ostinato_program_backward
        for function in (self._saved, self._forward, self._backward):
            function.restype, function.argtypes = c_int64, [POINTER(Program)]
        self._workspace.restype, self._workspace.argtypes = c_int64, [POINTER(Program), c_int64]

    def workspace(self, run: Program, *, backward: bool) -> int:
        """Bytes of scratch that a call needs."""
        return int(self._workspace(run, backward))

    def forward(self, run: Program) -> None:
        """Compute output and final state, and what backward needs; raises as `backward`."""
        self._check(self._forward(run), run)

    def backward(self, run: Program) -> None:
        """Compute every gradient that is wanted."""
        self._check(self._backward(run), run)

    def _check(self, status: int, run: Program) -> None:
        if status:
            sizes = ", ".join(f"{name}={getattr(run, name)}" for name in _SIZES)
            raise ValueError(f"the native library refuses a program ({status}): {sizes}")


class FusedFunctions:
    """The functions of a cell that was compiled with the fused recurrence, one direction of it: see `source/fused.h`.

    Args:
        handle: its library.
    """

    def __init__(self, handle: ctypes.CDLL) -> None:
        self._kept, self._workspace = handle.ostinato_cell_kept, handle.ostinato_cell_workspace
        self._compute = handle.ostinato_cell_compute
        for function in (self._kept, self._workspace, self._compute):
            function.restype, function.argtypes = c_int64, [POINTER(Program)]
        self._compute.restype = None
        handle.ostinato_cell_join.restype, handle.ostinato_cell_join.argtypes = None, [c_void_p]
        if not isinstance(library := load(), str):
            handle.ostinato_cell_join(library.team)

    def kept(self, run: Program) -> int:
        """Floats that a row and step keep for backward."""
        return int(self._kept(run))

    def workspace(self, run: Program) -> int:
        """Bytes of scratch that a call needs."""
        return int(self._workspace(run))

    def compute(self, run: Program) -> None:
        """The direction, once its arguments have been checked."""
        self._compute(run)
