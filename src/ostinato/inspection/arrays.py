"""Tensors as arrays of NumPy."""

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]


def array(tensor: Tensor) -> Array:
    """The numbers, from any device; bfloat16, which NumPy has not, as float32."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(force=True)


def rounded(values: Any) -> Any:
    """An array as lists, with four significant digits: enough to draw, and half the size."""
    if isinstance(values, list):
        return [rounded(value) for value in values]
    return float(f"{values:.4g}")
