"""Kernels one time step at a time, what they read prepared once."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.core.legend import Parameters
from ostinato.kernels import compiled, native_calls
from ostinato.kernels import native_cells as native
from ostinato.kernels.compiled_calls import Step
from ostinato.kernels.compiled_kernels import kernel_by
from ostinato.kernels.native_calls import aligned
from ostinato.kernels.request import Request
from ostinato.native.library import INT8, NativeLibrary, Run, Steps


class Take(Protocol):
    """Takes steps.

    Attributes:
        independent: whether a sequence's numbers are the same, to the last bit, whatever is read beside it.
    """

    independent: bool

    def __call__(self, x: Tensor, output: Tensor) -> None:
        """Take a step: inputs `[N, D]`, dense, and where to write the outputs `[N, O]`."""

    def resize(self, rows: int) -> None:
        """Take the first sequences alone from now on: so many, of the N that there are states of."""


class Layer(NamedTuple):
    """A layer of a stream.

    Attributes:
        cell: its cell.
        p: the parameters by name.
        state: `[N, ...]` a field, dense; read and overwritten by every step.
        noise: for one step.
    """

    cell: Cell
    p: Parameters
    state: Any
    noise: StateNoise


def refuses(cells: Sequence[Cell], request: Request) -> str:
    """Why these cells' steps cannot all be run by the library; empty where they can."""
    if request.dtype != torch.float32:
        return "a stream's steps only in float32"
    for cell in cells:
        own = native.refuses(cell, request)
        if own and request.weights == INT8:
            return f"{cell.name}: {own}"
        if own and (why := compiled.refuses(cell, request) or compiled.failed(cell, request)):
            return f"{native.NAME}: {own}; {compiled.NAME}: {why}"
    return ""


def steps(layers: Sequence[Layer], request: Request) -> Take:
    """Layers one above the other, a step a call, where `refuses` says nothing.

    Args:
        layers: the lowest first.
        request: what was asked of each.
    """
    if all(native.refuses(layer.cell, request) is None for layer in layers):
        return NativeSteps(layers, INT8 if request.weights == INT8 else None)
    takes: list[Take] = [
        NativeSteps([layer]) if native.refuses(layer.cell, request) is None else CompiledStep(layer) for layer in layers
    ]
    return takes[0] if len(takes) == 1 else _Chain(layers, takes)


class NativeSteps:
    """Layers of the package's own kernels one above the other, their weights packed once.

    Args:
        layers: the lowest first; `native.refuses` must take each.
        precision: of the products; by default what torch's switch says.
    """

    independent = True  # each row's sums are added up in one order

    def __init__(self, layers: Sequence[Layer], precision: str | None = None) -> None:
        self._alive: list[Any] = [layer.state for layer in layers]  # all that the runs point to
        self._workspaces: list[Tensor] = []
        runs: list[tuple[NativeLibrary, Run]] = []
        first = layers[0]
        x = first.state[0].new_zeros(1, len(first.state[0]), first.cell.input_size)
        for cell, p, fields, held in layers:
            output = x.new_empty(1, x.shape[1], cell.output_size)
            runs.append(self._prepare(native.inputs(cell, p, x, fields, noise=held), output, precision))
            x = output
        self._runs, self._steps = runs, Steps(runs)

    def __call__(self, x: Tensor, output: Tensor) -> None:
        """Take a step: `[N, D]` to `[N, O]`, both float32 and dense."""
        self._steps(x.data_ptr(), output.data_ptr())

    def resize(self, rows: int) -> None:
        """Take the first sequences alone; packed weights have one order for any number."""
        for number, (library, run) in enumerate(self._runs):
            run.N = rows
            size = library.workspace_size(run, backward=False)
            if size > self._workspaces[number].nbytes:  # fewer rows may be divided otherwise among threads
                self._workspaces[number] = aligned(size)
                run.workspace = self._workspaces[number].data_ptr()

    def _prepare(self, given: native_calls.Inputs, output: Tensor, precision: str | None) -> tuple[NativeLibrary, Run]:
        library, run, _, read = native_calls.described(given, precision)
        packed = aligned(library.packed_size(run))
        run.packed = packed.data_ptr()
        library.pack(run)
        workspace = aligned(library.workspace_size(run, backward=False))
        run.workspace = workspace.data_ptr()
        run.output, run.final_h, run.final_c = output.data_ptr(), run.h0, run.c0
        self._workspaces.append(workspace)
        self._alive += [read, packed, output]
        return library, run


class CompiledStep:
    """A step of a compiled cell. What torch makes of its parameters is made once; `project`, where torch runs it, and
    `readout` run in each step: what torch computes may depend on how many rows there are."""

    def __init__(self, layer: Layer) -> None:
        cell, p, state, noise = layer
        self._rows = len(state[0])
        x = state[0].new_zeros(1, len(state[0]), cell.input_size)
        key = compiled.key(cell, noise)
        self._project = partial(cell.project, p) if compiled.leaves_projection(key) else None
        readout = compiled.left_readout(cell, key)
        self._readout = None if readout is None else partial(readout, p, cell.State(*[f.unsqueeze(0) for f in state]))
        with torch.no_grad():
            given = compiled.inputs(key, p, x if self._project is None else self._project(x), state, noise=noise)
        kernel = kernel_by(given.key)
        self._step = Step(kernel, given.arguments(kernel))
        self.independent = self._project is None and self._readout is None

    def resize(self, rows: int) -> None:
        """Take the first sequences alone."""
        self._rows = rows
        self._step.resize(rows)

    @torch.no_grad()
    def __call__(self, x: Tensor, output: Tensor) -> None:
        """Take a step: `[N, D]` to `[N, O]`, both float32 and dense."""
        if self._project is not None:
            x = self._project(x.unsqueeze(0)).contiguous()
        self._step(x.data_ptr(), output.data_ptr())
        if self._readout is not None:
            output.copy_(self._readout()[0][: self._rows])


class _Chain:
    """Of layers of which some are compiled."""

    def __init__(self, layers: Sequence[Layer], takes: Sequence[Take]) -> None:
        between = [layer.state[0].new_empty(len(layer.state[0]), layer.cell.output_size) for layer in layers[:-1]]
        self._takes, self._between, self._rows = list(takes), between, len(layers[0].state[0])
        self.independent = all(take.independent for take in takes)

    def resize(self, rows: int) -> None:
        """Take the first sequences alone."""
        self._rows = rows
        for take in self._takes:
            take.resize(rows)

    def __call__(self, x: Tensor, output: Tensor) -> None:
        for take, between in zip(self._takes, [*self._between, output], strict=True):
            y = between[: self._rows]
            take(x, y)
            x = y
