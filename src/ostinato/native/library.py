"""The compiled library: found beside the kernels, its structs from the tables of operands.

No torch here: whatever can hand over pointers can call it. Another library with the same interface and other cells in
it is opened by `add`; which one computes a cell `holding` says.
"""

import ctypes
import os
from collections.abc import Iterator, Sequence
from ctypes import POINTER, c_char_p, c_double, c_float, c_int64, c_void_p
from functools import cache
from importlib.util import find_spec
from os import PathLike
from typing import Any

from ostinato.core.errors import ConfigError
from ostinato.native.openmp import Runtime, runtime
from ostinato.native.operands import ABI, LINEAR, MATMUL, RUN, SOFTMAX, Role, Table

#: Forces an instruction set.
ISA_VARIABLE = "OSTINATO_ISA"

#: Names of OSTINATO_HIGHEST and those that follow: the values of `torch.set_float32_matmul_precision`.
PRECISIONS = ("highest", "high", "medium")

#: Beside them, of inference that asks for it: factors are whole numbers of 8 bits.
INT8 = "int8"
EVERY_PRECISION = (*PRECISIONS, INT8)

_PROBLEMS = {1: "instruction set", 2: "cell", 3: "size", 4: "length", 5: "precision"}


def _fields(table: Table) -> list[tuple[str, Any]]:
    return [(name, c_void_p if is_address else c_int64) for name, is_address in table.fields]


class Run(ctypes.Structure):
    """`ostinato_run` of the header: what a call computes, and where everything lies."""

    _fields_ = _fields(RUN)


class Softmax(ctypes.Structure):
    """`ostinato_softmax` of the header."""

    _fields_ = _fields(SOFTMAX)


class Matmul(ctypes.Structure):
    """`ostinato_matmul`."""

    _fields_ = _fields(MATMUL)


class Linear(ctypes.Structure):
    """`ostinato_linear`."""

    _fields_ = _fields(LINEAR)


_TABLES: dict[type, Table] = {Run: RUN, Softmax: SOFTMAX, Matmul: MATMUL, Linear: LINEAR}

_ARGUMENTS: dict[str, list[Any]] = {
    **{name: [c_int64] for name in ("isa", "cell", "isa_supported")},
    "precision": [c_int64] * 3,
    "saved_size": [c_int64] * 6,
    "workspace_size": [POINTER(Run), c_int64],
    **{name: [POINTER(Run)] for name in ("packed_size", "pack", "forward", "backward")},
    "exponentials": [POINTER(Softmax)],
    "int8": [c_int64],
    **{f"linear_{name}": [POINTER(Linear)] for name in ("workspace_size", "packed_size", "pack", "forward")},
    "processor": [],
    **{name: [POINTER(Matmul)] for name in ("matmul_workspace_size", "multiply")},
    "fill_mask": [*[c_int64] * 5, c_float, c_void_p],
    "meet": [POINTER(POINTER(c_int64)), *[c_int64] * 5],
    "draw": [c_void_p, c_int64, c_double],
}

_TEXTS = ("isa", "cell", "int8", "processor")


class NativeLibrary:
    """A loaded library. What it computes or packs raises a ValueError where it refuses an argument.

    Args:
        path: of the shared library.

    Attributes:
        cells: index of each cell by name.
        isas: index of each instruction set by name, best first.
        supported: names of those this machine can run, best first.
        isa: name of the one in use.
        processor: what the processor says of its maker, "GenuineIntel" or "AuthenticAMD"; "" where nothing is known.
        team: address of what a cell compiled by itself starts threads by.

    Raises:
        OSError: it cannot be loaded, or has the interface of another version.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._library = library = ctypes.CDLL(os.fspath(path))
        library.ostinato_abi.restype = c_int64
        if (found := library.ostinato_abi()) != ABI:
            raise OSError(f"{path} has interface {found}, expected {ABI}: install the package again")
        for name, arguments in _ARGUMENTS.items():
            function = getattr(library, f"ostinato_{name}")
            function.argtypes, function.restype = arguments, c_char_p if name in _TEXTS else c_int64
        self.processor = library.ostinato_processor().decode()
        self.team = self._join(found) if (found := runtime()) else None
        self.cells = {name: index for index, name in enumerate(_names(library.ostinato_cell))}
        self.isas = {name: index for index, name in enumerate(_names(library.ostinato_isa))}
        self.supported = tuple(name for name, index in self.isas.items() if library.ostinato_isa_supported(index))
        self.isa = self._choose(os.environ.get(ISA_VARIABLE))

    def _join(self, openmp: Runtime) -> int | None:
        """Start threads by a runtime."""
        use = self._library.ostinato_use_openmp
        use.restype, use.argtypes = c_void_p, [c_void_p] * 3
        team: int | None = use(*openmp.functions)
        return team

    def _choose(self, forced: str | None) -> str:
        if not forced:
            return self.supported[0]
        if forced not in self.supported:
            why = "this machine cannot run it" if forced in self.isas else "there is no such instruction set"
            raise ConfigError(
                f"{ISA_VARIABLE}={forced}: {why}; this machine runs {', '.join(self.supported)} (unset it for the best)"
            )
        return forced

    @property
    def has_tiles(self) -> bool:
        """Whether the set in use is AMX, or its emulation."""
        return self.isa.startswith("amx")

    def precision(self, wanted: str, cell: str | None = None) -> str:
        """What a cell's products are computed in where one of EVERY_PRECISION is asked for: the same or a higher one.

        Args:
            wanted: what is asked for.
            cell: its name; by default the first one.
        """
        index, number = EVERY_PRECISION.index(wanted), 0 if cell is None else self.cells[cell]
        return EVERY_PRECISION[self._library.ostinato_precision(self.isas[self.isa], number, index)]

    def saved_size(self, cell: str, N: int, T: int, H: int, R: int, *, noisy: bool) -> int:
        """Floats that forward keeps for backward."""
        return int(self._library.ostinato_saved_size(self.cells[cell], N, T, H, R, noisy))

    def workspace_size(self, run: Run, *, backward: bool) -> int:
        """Bytes of scratch that a call needs."""
        return int(self._library.ostinato_workspace_size(run, backward))

    def packed_size(self, run: Run) -> int:
        """Bytes that the packed weights of a run take."""
        return int(self._library.ostinato_packed_size(run))

    def pack(self, run: Run) -> None:
        """Write the weights to `run.packed` in the order in which forward reads them."""
        _check(self._library.ostinato_pack(run), run)

    def forward(self, run: Run) -> None:
        """Compute output, final state and what backward needs."""
        _check(self._library.ostinato_forward(run), run)

    def backward(self, run: Run) -> None:
        """Compute every gradient that is wanted."""
        _check(self._library.ostinato_backward(run), run)

    def exponentials(self, run: Softmax) -> None:
        """Turn scores into what is in proportion to their softmax."""
        _check(self._library.ostinato_exponentials(run), run)

    def matmul_workspace_size(self, run: Matmul) -> int:
        """Bytes of scratch that a product of matrices needs."""
        return int(self._library.ostinato_matmul_workspace_size(run))

    def multiply(self, run: Matmul) -> None:
        """Compute a product of matrices."""
        _check(self._library.ostinato_multiply(run), run)

    def fill_mask(self, mask: int, n: int, seed: int, dropped: int, kept: float, threads: int) -> None:
        """Draw a mask of dropout.

        Args:
            mask: address of n floats.
            n: how many.
            seed: of 64 bits, with a sign; says which they are.
            dropped: how many of 2^32 are to be 0, from 0 to 2^32 - 1.
            kept: what the others are.
            threads: at most so many.
        """
        if self._library.ostinato_fill_mask(self.isas[self.isa], threads, n, seed, dropped, kept, mask):
            raise ValueError(f"the native library refuses a mask of n={n}, dropped={dropped}, threads={threads}")

    def meet(self, counts: Any, size: int, own: int, value: int, kept: float, seconds: float) -> bool:
        """Set the own one of counts that lie in memory which processes share; whether all have come to that value in
        time.

        Args:
            counts: a C array of pointers, one to each process's count.
            size: how many there are.
            own: which is this one's.
            value: larger at each call, and the same in all of them.
            kept: seconds during which nobody else is given the processor.
            seconds: to wait at most. What waits does not sleep.
        """
        return bool(self._library.ostinato_meet(counts, size, own, value, int(kept * 1e6), int(seconds * 1e6)))

    def draw(self, weights: int, size: int, share: float) -> int | None:
        """Which of so many float32 at an address, none below 0, a number from 0 to 1 draws: the first up to which they
        add up to more than that share of all; None where rounding, or what the weights are, leaves none."""
        drawn = int(self._library.ostinato_draw(weights, size, share))
        return None if drawn < 0 else drawn

    @property
    def int8(self) -> str:
        """How the set in use multiplies numbers of 8 bits: "vnni", "avx2", "neon" or "plain"."""
        name: bytes = self._library.ostinato_int8(self.isas[self.isa])
        return name.decode()

    def linear_workspace_size(self, run: Linear) -> int:
        """Bytes of scratch that a linear layer needs."""
        return int(self._library.ostinato_linear_workspace_size(run))

    def linear_packed_size(self, run: Linear) -> int:
        """Bytes that its packed weights take."""
        return int(self._library.ostinato_linear_packed_size(run))

    def linear_pack(self, run: Linear) -> None:
        """Write its weights to `run.packed`, in 8 bits."""
        _check(self._library.ostinato_linear_pack(run), run)

    def linear(self, run: Linear) -> None:
        """Compute a linear layer from packed weights."""
        _check(self._library.ostinato_linear_forward(run), run)


class Steps:
    """Layers one above the other, for one time step, called again and again with as little Python as there can be.

    Args:
        runs: a forward run of one step (T is 1) for each layer, complete but for the first one's `x` and the last
            one's `output`, and the library that has its cell. Whatever they point to has to live as long as this.
    """

    def __init__(self, runs: Sequence[tuple[NativeLibrary, Run]]) -> None:
        self._runs = list(runs)
        self._first, self._last = self._runs[0][1], self._runs[-1][1]
        self._calls = [(library._library.ostinato_forward, ctypes.byref(run)) for library, run in runs]

    def __call__(self, x: int, output: int) -> None:
        """Take a step: addresses of the inputs `[N, D]` and of the outputs `[N, O]`, both dense."""
        self._first.x, self._last.output = x, output
        for forward, run in self._calls:
            if status := forward(run):
                _check(status, self._first)


def _names(entry: Any) -> Iterator[str]:
    index = 0
    while (name := entry(index)) is not None:
        yield name.decode()
        index += 1


def _check(status: int, run: Run | Softmax | Matmul | Linear) -> None:
    if status:
        rows = _TABLES[type(run)].of(Role.CHOICE, Role.SIZE)
        sizes = ", ".join(f"{row.name}={getattr(run, row.name)}" for row in rows)
        raise ValueError(f"the native library refuses the {_PROBLEMS[status]} in {sizes}")


@cache
def load() -> NativeLibrary | str:
    """The library, or why there is none.

    Raises:
        ConfigError: OSTINATO_ISA names an instruction set that is unknown or that this machine lacks.
    """
    # An editable install keeps the sources and what was built in two folders, both of them the package's. Looked up
    # without importing it: it imports torch.
    spec = find_spec("ostinato.native")
    for folder in (spec and spec.submodule_search_locations) or ():
        for name in sorted(os.listdir(folder) if os.path.isdir(folder) else ()):
            if not name.startswith("libostinato_native."):
                continue
            try:
                return NativeLibrary(os.path.join(folder, name))
            except OSError as error:
                return f"cannot be loaded ({error})"
    return "not built: that takes GCC or Clang, where the package is installed"


_others: list[NativeLibrary] = []


def add(path: str | PathLike[str]) -> NativeLibrary:
    """Open another library with the same interface; its cells are found from now on.

    Raises:
        OSError: it cannot be loaded, or has the interface of another version.
    """
    _others.append(library := NativeLibrary(path))
    return library


def holding(cell: str) -> NativeLibrary | str:
    """The library that has a cell's kernel, the package's own before others; or why there is none."""
    library = load()
    if not isinstance(library, str) and cell in library.cells:
        return library
    for other in _others:
        if cell in other.cells:
            return other
    return library if isinstance(library, str) else f"no {cell} yet"
