"""A cell's kernel: its program, compiled, ready to be called on addresses."""

import ctypes
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ostinato.cells.contract import Cell
from ostinato.compiler import build
from ostinato.compiler.direction import stride
from ostinato.compiler.fused import Fused, fused, masks_all_products
from ostinato.compiler.layout import Layout
from ostinato.compiler.pieces import in_pieces
from ostinato.compiler.trace import Traced, trace
from ostinato.compiler.tracer import CannotCompileError
from ostinato.core.collector import uncollected
from ostinato.native.programs import FusedFunctions, Program, numbers


@dataclass
class Kernel:
    """What it takes to run a cell.

    Attributes:
        traced: its equations, and what torch computes of the parameters beforehand.
        layout: its program.
        isa: the instruction set.
        fused: the cell in the form of the fused recurrence, where it has that.
        masked: whether it takes a mask on what is fed back.
        zoned: whether it takes shares of the state that stay.
        precision: of the products, one of PRECISIONS; None for what torch asks for when they are computed.
        seconds: that compiling took; 0 where the cache had it.
    """

    traced: Traced
    layout: Layout
    isa: str
    fused: Fused | None = None
    masked: bool = False
    zoned: bool = False
    precision: str | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._alive: list[Any] = []
        self._libraries: list[build.Library] = []
        self.functions: list[FusedFunctions] = []
        self.widths = {
            "input": [self.traced.input_width, *self.traced.noise],
            "field": list(self.traced.state_widths),
            "matrix": [size for shape in self.traced.matrix_shapes for size in shape],
            "vector": [math.prod(shape) for shape in self.traced.shapes],
        }
        output = self.traced.output
        self.output_width = 0 if output is None else self.traced.graph[output].width
        self._template = self._described()
        notes = [self.traced.notes[ref.note] for ref in (*self.traced.matrices, *self.traced.vectors)]
        plain = all(note.function is None and isinstance(note.args, str) for note in notes)
        #: Of the parameters that are its matrices and vectors; None where torch makes some of them of these.
        self.names = tuple([note.args for note in notes]) if plain else None

    def compile(self) -> None:
        """Both directions at once.

        Raises:
            NoCompilerError: there is no compiler, or it failed.
        """
        if self._libraries:
            return
        began = time.perf_counter()
        found = build.libraries(self.isa, [self.source(backward=backward) for backward in (False, True)])
        if self.fused is None:
            for name, library in zip(("forward", "backward"), found, strict=True):
                table = ctypes.c_void_p.in_dll(library.handle, "ostinato_stages")
                getattr(self._template, name).stages = ctypes.addressof(table)
        self._libraries = found
        self.functions = [FusedFunctions(library.handle) for library in found] if self.fused else []
        if self.functions:
            self._template.kept_size = self.functions[0].kept(self._template)
        if any(library.compiled for library in found):
            self.seconds = time.perf_counter() - began

    @property
    def kept_size(self) -> int:
        """Floats that a row and step keep for backward."""
        return self._template.kept_size

    def source(self, *, backward: bool) -> str:
        """A direction in C++."""
        if self.fused is not None:
            noise = self.masked, self.zoned
            numbers = ", ".join(map(str, self.fused.roles))
            extra = ", ".join(map(str, self.fused.extra))
            roles = f"{numbers}, {{{extra}}}, {', '.join(str(one).lower() for one in noise)}"
            cell = "Noisy<Compiled>" if any(noise) else "Compiled"
            return build.fused_source(self.isa, self.fused.code, roles, cell, backward=backward)
        name, direction = ("backward", self.layout.backward) if backward else ("forward", self.layout.forward)
        names = [f"{name}_{index}" if there else "nullptr" for index, there in enumerate(direction.stages)]
        return build.stages_source(self.isa, direction.code, names)

    def run(self) -> Program:
        """A program without arrays, for one call."""
        return Program.from_buffer_copy(self._template)

    def _described(self) -> Program:
        layout, run = self.layout, Program()
        run.state_size, run.kept_size, run.vectors_size = (
            layout.state.stride,
            layout.kept_space.stride,
            layout.vectors.size,
        )
        run.output_width, run.clear_inputs = self.output_width, layout.differentiated < self.traced.input_width
        tables = {
            "product": layout.products, "piece": layout.pieces, "operand": layout.operands, "back": layout.backs,
            "source": layout.sources, "weight_gradient": layout.weight_gradients, "state_part": layout.state_part,
            "vector_gradient": layout.vector_gradients, "vector_part": layout.vector_part,
        }  # fmt: skip
        for name, rows in tables.items():
            setattr(run, name, self._array([number for row in rows for number in row]))
            if name not in ("piece", "operand", "source"):
                setattr(run, f"{name}s", len(rows))
        run.inputs, run.fields = len(self.widths["input"]), len(self.widths["field"])
        run.matrices, run.vectors = len(self.traced.matrix_shapes), len(self.traced.shapes)
        run.input_width, run.field_width = self._array(self.widths["input"]), self._array(self.widths["field"])
        run.matrix_shape, run.vector_width = self._array(self.widths["matrix"]), self._array(self.widths["vector"])
        for name, direction in (("forward", layout.forward), ("backward", layout.backward)):
            part = getattr(run, name)
            part.levels, part.over_chunk = len(direction.stages) - 1, direction.form.over_chunk
            part.scratch_size, part.chunk_size = stride(direction.scratch), stride(direction.chunk)
            part.numbers = self._array(direction.numbers)
        return run

    def _array(self, values: Sequence[int]) -> int:
        array = numbers(values)
        self._alive.append(array)
        return ctypes.addressof(array)


@uncollected()
def kernel_of(
    cell: Cell, isa: str, *, masked: bool = False, zoned: bool = False, precision: str | None = "highest"
) -> Kernel:
    """The kernel of a cell, not compiled yet.

    Args:
        cell: the cell.
        isa: the instruction set.
        masked: with recurrent dropout; see `trace`.
        zoned: with zoneout.
        precision: as `Kernel`; the fused recurrence has "highest" alone.

    Raises:
        CannotCompileError: the cell has an operation that no kernel has.
    """
    try:
        traced = trace(cell, masked=masked, zoned=zoned, read=True)
    except CannotCompileError:
        traced = trace(cell, masked=masked, zoned=zoned)
    layout = Layout(in_pieces(traced), fixed=range(1, 1 + len(traced.noise)))
    form = _fused(cell, traced, layout, masked, zoned) if precision == "highest" else None
    return Kernel(traced, layout, isa, form, masked, zoned, precision)


def _fused(cell: Cell, traced: Traced, layout: Layout, masked: bool, zoned: bool) -> Fused | None:
    """The cell without noise, which the recurrence has itself."""
    if traced.projected or (masked and not masks_all_products(in_pieces(trace(cell, masked=True)))):
        return None
    if zoned and not getattr(cell, "output_is_state", True):
        return None
    plain = trace(cell) if masked or zoned else traced
    found = fused(Layout(in_pieces(plain)) if masked or zoned else layout)
    return found if found is not None and found.takes(plain) else None
