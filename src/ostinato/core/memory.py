"""What the C library does with memory that is freed."""

import ctypes
import os
from contextlib import suppress

#: For glibc: keep what is freed. By default it gives large blocks back to the system and asks for them again, page by
#: page, depending on what else the process has freed before.
KEPT = {"MALLOC_TRIM_THRESHOLD_": str(1 << 33), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def keep_freed_memory() -> None:
    """Let this process, and those it starts, keep what they free: a step of training frees what the next one takes.

    Does nothing where the user has said otherwise, and where the C library is another.
    """
    if KEPT.keys() & os.environ.keys() or "GLIBC_TUNABLES" in os.environ:
        return
    with suppress(OSError, TypeError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        if mallopt(_M_MMAP_THRESHOLD, 1 << 30) and mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1):
            os.environ.update(KEPT)
