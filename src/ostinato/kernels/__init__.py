"""Who runs a cell over a sequence: a fused implementation where there is one, the reference loop where not.

Beside it, the products and the softmax of an output layer.
"""

from ostinato.cells.unroll import unroll as reference
from ostinato.core.torch_private import is_batched, is_transformed
from ostinato.kernels import eight_bits, flops, graphs, matmul
from ostinato.kernels import native_cells as native
from ostinato.kernels.dispatch import Choice, find, run
from ostinato.kernels.masks import fill_mask
from ostinato.kernels.matmul import multiply
from ostinato.kernels.native_calls import resolved
from ostinato.kernels.onnx import is_exported
from ostinato.kernels.recompute import run_recomputing
from ostinato.kernels.request import Request
from ostinato.kernels.softmax import Exponentials, exponentials
from ostinato.kernels.transforms import is_captured, own_node

__all__ = [
    "Choice",
    "Exponentials",
    "Request",
    "eight_bits",
    "exponentials",
    "fill_mask",
    "find",
    "flops",
    "graphs",
    "is_batched",
    "is_captured",
    "is_exported",
    "is_transformed",
    "matmul",
    "multiply",
    "native",
    "own_node",
    "reference",
    "resolved",
    "run",
    "run_recomputing",
]
