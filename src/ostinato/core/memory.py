"""How much memory there is, so that what cannot fit is refused before it is asked for; what was freed, used again."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ostinato.core.errors import ConfigError

#: Share of the free memory that one thing may take.
SHARE = 0.9

#: `mallopt`'s parameters, of malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: Where glibc's own thresholds for large blocks end up at most; older versions take no more than that.
_MOST_BY_ITSELF = 32 << 20


def available() -> int | None:
    """Bytes that can be had without swapping, of the machine and of this process's group; None where none says so."""
    found = [amount for amount in (_of_machine(), _of_group()) if amount is not None]
    return min(found, default=None)


def require_room(need: float, what: str, remedy: str) -> None:
    """Check that something fits into memory.

    Args:
        need: bytes.
        what: takes them, as the message begins: "a model of 5 parameters".
        remedy: ends the message.

    Raises:
        ConfigError: it does not.
    """
    free = available()
    if free is not None and need > SHARE * free:
        raise ConfigError(f"{what} takes {_shown(need)} of memory, and {_shown(free)} are free; {remedy}")


@contextmanager
def freed_kept() -> Iterator[None]:
    """Let glibc keep what is freed for what is asked for next, and give it back in the end.

    By default it returns large blocks at once. A training step asks for the same ones again and again, and each comes
    from the system as pages of 4 KiB that are cleared: of a step of `train lm` that is a sixth to a third. Whoever
    has set malloc up by environment variables keeps that; other allocators are left alone.
    """
    library = None if os.name != "posix" or any(map(_sets_up_malloc, os.environ.items())) else ctypes.CDLL(None)
    if library is None or not hasattr(library, "mallopt"):
        yield
        return
    if not library.mallopt(_MMAP_THRESHOLD, 1 << 30):
        library.mallopt(_MMAP_THRESHOLD, _MOST_BY_ITSELF)
    library.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
    try:
        yield
    finally:
        library.mallopt(_MMAP_THRESHOLD, _MOST_BY_ITSELF)
        library.mallopt(_TRIM_THRESHOLD, 2 * _MOST_BY_ITSELF)
        library.malloc_trim(0)


def _sets_up_malloc(variable: tuple[str, str]) -> bool:
    name, value = variable
    return name.startswith("MALLOC_") or (name in ("GLIBC_TUNABLES", "LD_PRELOAD") and "malloc" in value)


def _shown(amount: float) -> str:
    return f"{amount / 2**30:,.1f} GiB" if amount >= 2**30 else f"{amount / 2**20:,.0f} MiB"


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _of_group() -> int | None:
    """What the control group leaves; a group without a limit says "max"."""
    try:
        limit, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text()) for name in ("max", "current"))
    except (OSError, ValueError):
        return None
    return max(0, limit - used)
