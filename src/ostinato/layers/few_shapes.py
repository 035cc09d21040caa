"""Products of sequences of many lengths, in few shapes."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Numbers of rows that are computed with, from each power of two to the next.
STEPS = 8


def in_few_shapes(layer: nn.Module, x: Tensor) -> Tensor:
    """`layer(x)` of `[T, N, D]`, of a layer that looks at each row by itself.

    oneDNN, by which torch multiplies in bfloat16, keeps code for every number of rows that it has seen, about a
    megabyte a product: a training on texts of 600 lengths would end up with gigabytes. So rows of zeros are added, at
    most an eighth. Other products are as they are.
    """
    rows = x.shape[0] * x.shape[1]
    if not x.is_cpu or torch.get_float32_matmul_precision() == "highest" or torch.compiler.is_compiling():
        found: Tensor = layer(x)
        return found
    step = (1 << rows.bit_length()) // (2 * STEPS) or 1
    filled = layer(F.pad(x.flatten(0, 1), (0, 0, 0, -rows % step)))
    return filled[:rows].unflatten(0, x.shape[:2])
