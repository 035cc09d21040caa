"""The precision of matrix products, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def precision(name: str) -> Iterator[None]:
    """`torch.set_float32_matmul_precision`, and back.

    Args:
        name: "highest", "high" or "medium".
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
