"""How much memory training takes above weights and gradients (Linux)."""

import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import nn

from ostinato.optim import gradients_of

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_above(build: Callable[[], Any], owned: Callable[[Any], float]) -> float | None:
    """Resident memory of the process at its peak, less what it was before and less what cannot be spared.

    Args:
        build: makes something with a `run`, which is called twice.
        owned: of what was built, once it has run: MB that do not count.

    Returns:
        MB; None where the peak is not known.
    """
    with suppress(OSError, AttributeError):
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what was freed must not be there to be used again uncounted
    try:
        before = resident()
        built = build()
        forget_peak()
    except OSError:
        return None
    built.run()
    built.run()
    highest = peak()
    return round(highest - before - owned(built), 1)


def held(model: nn.Module) -> float:
    """MB of a model's weights and of the gradients it has now; a sparse one counts with its rows, each once."""
    tensors = [*model.parameters(), *gradients_of(model.parameters())]
    return sum(tensor.nbytes for tensor in tensors) / 1e6


def resident() -> float:
    """MB of this process in memory; an OSError, as of the two below, where the system does not say."""
    return _megabytes("VmRSS")


def peak() -> float:
    """The most that `resident` has been, since the start or `forget_peak`."""
    return _megabytes("VmHWM")


def forget_peak() -> None:
    """The peak is that from here on."""
    _CLEAR.write_text("5", encoding="ascii")


def _megabytes(name: str) -> float:
    kib = int(_STATUS.read_text(encoding="ascii").split(f"{name}:")[1].split()[0])  # it says kB and means 1,024 bytes
    return kib * 1024 / 1e6
