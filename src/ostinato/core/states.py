"""The states that the package's cells have, and what makes a state's class one that PyTorch can save and load."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

# Those that were declared before torch was there.
_WAITING: list[type[Any]] = []


class HiddenState(NamedTuple):
    """State of a cell that remembers its output only: `h` [N, O]."""

    h: Tensor


class MemoryState(NamedTuple):
    """State of a cell with a memory beside its output: `h` [N, O] and `c` [N, H]."""

    h: Tensor
    c: Tensor


def declare(state: type[Any]) -> None:
    """Let `torch.load` (weights only) and `torch.export.save` take states of this class, a NamedTuple.

    Where torch is not imported, that waits until it is.

    Args:
        state: the class; one of the same module and name takes the place of an earlier one.
    """
    if sys.modules.get("torch") is None:
        _WAITING.append(state)
        return
    import torch

    from ostinato.core.torch_private import register_namedtuple

    name = f"{state.__module__}.{state.__qualname__}"
    torch.serialization.add_safe_globals([state])
    register_namedtuple(state, name)


def declare_waiting() -> None:
    """Declare those that waited for torch, and those of this file."""
    for state in (HiddenState, MemoryState, *_WAITING):
        declare(state)
    _WAITING.clear()
