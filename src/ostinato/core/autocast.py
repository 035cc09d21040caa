"""Autocast, asked in a way that holds for every device."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch


def autocast_dtype(device: str) -> torch.dtype | None:
    """What autocast makes of tensors there; None where it is off, or where there is none (meta).

    Args:
        device: a device's type, such as "cpu".
    """
    if not _has_autocast(device):
        return None
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def autocast_again(device: str) -> Callable[[], AbstractContextManager[Any]]:
    """Makes contexts of the autocast that is on now, on or off: for backward, which runs outside of it.

    Args:
        device: a device's type.
    """
    if not _has_autocast(device):
        return nullcontext
    dtype = autocast_dtype(device)
    return partial(torch.autocast, device, dtype=dtype, enabled=dtype is not None)


def _has_autocast(device: str) -> bool:
    return device == "cpu" or torch.amp.is_autocast_available(device)
