"""How much memory training takes above weights and gradients (Linux)."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_above(build: Callable[[], Any], owned: float) -> float | None:
    """Resident memory of the process at its peak, less what it was before and less what cannot be spared.

    Args:
        build: makes something with a `run`, which is called twice.
        owned: MB of what it makes that does not count.

    Returns:
        MB; None where the peak is not known.
    """
    with suppress(OSError, AttributeError):
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what was freed must not be there to be used again uncounted
    try:
        before = _kilobytes("VmRSS")
        built = build()
        _CLEAR.write_text("5", encoding="ascii")  # forget the peak so far
    except OSError:
        return None
    built.run()
    built.run()
    return round((_kilobytes("VmHWM") - before) / 1e3 - owned, 1)


def available() -> float:
    """MB that can be had without swapping; infinite where that is not known."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return float("inf")
    return int(text.split("MemAvailable:")[1].split()[0]) / 1e3


def _kilobytes(name: str) -> int:
    return int(_STATUS.read_text(encoding="ascii").split(f"{name}:")[1].split()[0])
