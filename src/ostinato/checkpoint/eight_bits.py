"""Matrices of a weights file in 8 bits: whole numbers from -127 to 127, and beside them a scale for each row.

A row's numbers are read as these times its scale, which is its largest magnitude over 127. Read and written again, the
whole numbers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ostinato.core.errors import RunFolderError

if TYPE_CHECKING:  # what is said of runs needs no torch
    from torch import Tensor

#: A smaller matrix stays as it is.
FEWEST = 1024
_SCALE = ".scale"
_MOST = 127


def encoded(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors to write: of each matrix whole numbers, and their scales as `NAME.scale`."""
    import torch

    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.dim() == 2 and tensor.is_floating_point() and tensor.numel() >= FEWEST:
            largest = tensor.detach().float().abs().amax(1, keepdim=True)
            steps = torch.where(largest > 0, _MOST / largest, 0.0)
            found[name] = (tensor.detach() * steps).round().clamp(-_MOST, _MOST).to(torch.int8)
            found[name + _SCALE] = (largest / _MOST).squeeze(1)
        else:
            found[name] = tensor
    return found


def restored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that were encoded, in float32."""
    import torch

    scales = {name + _SCALE for name, tensor in tensors.items() if tensor.dtype == torch.int8} & tensors.keys()
    return {
        name: tensor * tensors[name + _SCALE].unsqueeze(1) if name + _SCALE in scales else tensor
        for name, tensor in tensors.items()
        if name not in scales
    }


def restored_shapes(there: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kind and shape of each tensor once it is restored, from those in the file.

    Raises:
        RunFolderError: scales that are not those of their matrix.
    """
    found = dict(there)
    for name, (kind, shape) in there.items():
        if kind == "I8" and name + _SCALE in there:
            if there[name + _SCALE] != ("F32", shape[:1]) or len(shape) != 2:
                raise RunFolderError(f"{name}{_SCALE}: expected F32 of shape {shape[:1]}, got {there[name + _SCALE]}")
            del found[name + _SCALE]
            found[name] = "F32", shape
    return found
