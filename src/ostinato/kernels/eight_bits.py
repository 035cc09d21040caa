"""Inference with weights of 8 bits: a cell over a sequence, and a linear layer.

Each row of a weight matrix becomes whole numbers from -127 to 127 and a scale; so does each row that is multiplied with
it, whenever it is. Sums are exact; gates, states and what is added are float32. There are no gradients.
"""

from typing import Any, Unpack

import torch
from torch import Tensor
from torch.compiler import is_compiling

from ostinato.cells.contract import Cell
from ostinato.cells.unroll import How, Unrolled
from ostinato.core.errors import ConfigError, TensorError
from ostinato.core.legend import Parameters
from ostinato.kernels import native_calls, onnx
from ostinato.kernels import native_cells as native
from ostinato.kernels.request import Request
from ostinato.native import library as native_library
from ostinato.native.library import INT8 as INT8
from ostinato.native.library import Linear

#: What the weights of a layer may be, in evaluation.
WEIGHTS = ("float32", INT8)


def refuses(cell: Cell) -> str | None:
    """Why this cell's weights cannot be of 8 bits; None where they can."""
    return native.refuses(cell, Request(torch.float32, "cpu", 1, weights=INT8))


def run(cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
    """As `unroll`, with weights of 8 bits; they are made in each call.

    Raises:
        ConfigError: a cell, dtype or device that there is no such kernel for, or a graph of torch.compile or export.
        TensorError: a gradient would be wanted.
    """
    request = Request(x.dtype, x.device.type, x.shape[0], weights=INT8)
    if why := native.refuses(cell, request):
        raise ConfigError(f"weights of 8 bits: {cell.name}: {why}")
    _require_inference((x, *state))
    return native.run_eight_bits(cell, p, x, state, **how)


class EightBits:
    """A linear layer's weights in 8 bits, read once; as long as they stay the same this computes it.

    Args:
        weight: `[V, D]`, float32 on the CPU.
        bias: `[V]`, or None.

    Raises:
        ConfigError: no native library, or another dtype or device.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        library = native_library.load()
        if isinstance(library, str):
            raise ConfigError(f"weights of 8 bits: the native library is {library}")
        if weight.dtype != torch.float32 or not weight.is_cpu:
            raise ConfigError(f"weights of 8 bits: expected float32 on the CPU, got {weight.dtype} on {weight.device}")
        self._library, (self._outputs, self._inputs) = library, weight.shape
        weight = native_calls.resolved(weight.detach()).contiguous()
        bias = None if bias is None else native_calls.resolved(bias.detach()).contiguous()
        run = self._run(1)
        run.weight = weight.data_ptr()
        if bias is not None:
            run.bias = bias.data_ptr()
        self._packed = native_calls.aligned(library.linear_packed_size(run))
        run.packed = self._packed.data_ptr()
        library.linear_pack(run)

    def __call__(self, x: Tensor) -> Tensor:
        """`[..., D]` float32 to `[..., V]`.

        Raises:
            TensorError: an `x` that does not fit, or of which a gradient would be wanted.
        """
        if x.dtype != torch.float32 or not x.is_cpu or x.shape[-1] != self._inputs:
            raise TensorError(
                f"x: expected torch.float32 on the CPU of shape (..., {self._inputs}), "
                f"got {x.dtype} on {x.device} of shape {tuple(x.shape)}"
            )
        _require_inference((x,))
        rows = native_calls.resolved(x).reshape(-1, self._inputs).contiguous()
        output = x.new_empty(*x.shape[:-1], self._outputs)
        run = self._run(len(rows))
        workspace = native_calls.scratch(self._library.linear_workspace_size(run))
        run.x, run.output = rows.data_ptr(), output.data_ptr()
        run.packed, run.workspace = self._packed.data_ptr(), workspace.data_ptr()
        self._library.linear(run)
        return output

    def _run(self, rows: int) -> Linear:
        library = self._library
        isa, threads = library.isas[library.isa], torch.get_num_threads()
        return Linear(isa=isa, threads=threads, M=rows, D=self._inputs, V=self._outputs)


def _require_inference(tensors: tuple[Tensor, ...]) -> None:
    """That nobody asks for a gradient by these; weights of 8 bits are constants."""
    if is_compiling() or onnx.is_exported():
        raise ConfigError(
            "weights of 8 bits run as they are, in no graph of torch.compile or export: use float32 there"
        )
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        raise TensorError(
            "weights of 8 bits have no gradients: compute within torch.inference_mode(), or set weights to 'float32'"
        )
