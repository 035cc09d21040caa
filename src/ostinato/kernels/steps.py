"""Native kernels one time step at a time, the weights of every layer packed once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.core.legend import Parameters
from ostinato.kernels import native_calls
from ostinato.kernels import native_cells as native
from ostinato.native.library import NativeLibrary, Run, Steps

#: Floats in 64 bytes, the alignment that the library asks for.
_ALIGNED = 16


class NativeSteps:
    """Layers one above the other, a step a call; the state lives in the tensors it was made with.

    Args:
        cells: the cells, the lowest first; `native.refuses` must take each.
        parameters: those of each cell, by name.
        states: of each cell, `[N, size]` a field, dense; read and overwritten by every step.
        noise: of each cell, for one step.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        parameters: Sequence[Parameters],
        states: Sequence[Any],
        noise: Sequence[StateNoise],
    ) -> None:
        self._alive: list[Any] = [*states]  # all that the runs point to
        runs: list[tuple[NativeLibrary, Run]] = []
        x = states[0][0].new_zeros(1, len(states[0][0]), cells[0].input_size)
        for cell, p, fields, held in zip(cells, parameters, states, noise, strict=True):
            output = x.new_empty(1, x.shape[1], cell.output_size)
            runs.append(self._prepare(native.inputs(cell, p, x, fields, noise=held), output))
            x = output
        self._steps = Steps(runs)

    def __call__(self, x: Tensor, output: Tensor) -> None:
        """Take a step: `[N, D]` to `[N, O]`, both float32 and dense."""
        self._steps(x.data_ptr(), output.data_ptr())

    def _prepare(self, given: native_calls.Inputs, output: Tensor) -> tuple[NativeLibrary, Run]:
        library, run, _, read = native_calls.described(given)
        packed = _bytes(library.packed_size(run))
        run.packed = packed.data_ptr()
        library.pack(run)
        workspace = _bytes(library.workspace_size(run, backward=False))
        run.workspace = workspace.data_ptr()
        run.output, run.final_h, run.final_c = output.data_ptr(), run.h0, run.c0
        self._alive += [read, packed, workspace, output]
        return library, run


def _bytes(size: int) -> Tensor:
    return torch.empty(-(-size // (4 * _ALIGNED)) * _ALIGNED, dtype=torch.float32, device="cpu")
