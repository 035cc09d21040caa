"""Products of sequences of many lengths, in few shapes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

#: Numbers of rows that are computed with, from each power of two to the next.
STEPS = 8


def more_rows(rows: int, like: Tensor) -> int:
    """How many rows, at most an eighth, to add to as many as sequences of many lengths have together.

    oneDNN, by which torch multiplies in bfloat16, makes code for every number of rows and keeps it: a megabyte a
    product, and up to 30 ms where there are many columns. A training on texts of 600 lengths would end up with
    gigabytes, and spend half of its time on that. Other products are as they are.

    Args:
        rows: of what is multiplied.
        like: where and how it is multiplied.
    """
    if not like.is_cpu or torch.get_float32_matmul_precision() == "highest" or torch.compiler.is_compiling():
        return 0
    return -rows % ((1 << rows.bit_length()) // (2 * STEPS) or 1)


def in_few_shapes(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`layer(x)` of `[..., D]`, of a layer that looks at each row by itself: rows of zeros are added."""
    rows = math.prod(x.shape[:-1])  # `numel` would freeze sizes that an export leaves free
    more = more_rows(rows, x)
    if not more:
        return layer(x)
    found = layer(F.pad(x.flatten(0, -2), (0, 0, 0, more)))[:rows]
    return found.reshape(*x.shape[:-1], found.shape[-1])
