"""How much memory there is, so that what cannot fit is refused before it is asked for; what was freed, used again."""

import ctypes
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from ostinato.core.errors import ConfigError

#: Pages of this process, of all kinds, resident and shared.
_STATM = Path("/proc/self/statm")

#: Share of the free memory that one thing may take.
SHARE = 0.9

#: `mallopt`'s parameters, of malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: Where glibc's own thresholds for large blocks end up at most; older versions take no more than that.
_MOST_BY_ITSELF = 32 << 20

#: Seconds between two looks at what is kept, how many of them "of late" are, and bytes that may be kept besides.
LOOK_EVERY, LOOKS, SPARE = 0.5, 60, 512 << 20


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


class Heap(ctypes.Structure):
    """`struct mallinfo2` of malloc.h; in use are `used` bytes of the heap and `mapped` ones in blocks of their own."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "free_blocks", "small", "blocks", "mapped", "most", "small_free", "used", "free", "top")
    )


@contextmanager
def freed_kept() -> Iterator[None]:
    """Let glibc keep what is freed for what is asked for next, and give it back in the end.

    By default it returns large blocks at once. A training step asks for the same ones again and again, and each comes
    from the system as pages of 4 KiB that are cleared: of a step of `train lm` that is a sixth to a third. Sequences of
    many lengths ask for blocks of many sizes, which do not fit where others were: a thread watches, and what is kept
    in vain goes back as soon as it is more than was in use at once of late. Whoever has set malloc up by environment
    variables keeps that; other allocators are left alone, and a glibc before 2.33, which cannot say what is in use.
    """
    library = None if os.name != "posix" or any(map(_sets_up_malloc, os.environ.items())) else ctypes.CDLL(None)
    if library is None or not hasattr(library, "mallinfo2") or not _STATM.exists():
        yield
        return
    library.mallinfo2.restype = Heap
    if not library.mallopt(_MMAP_THRESHOLD, 1 << 30):
        library.mallopt(_MMAP_THRESHOLD, _MOST_BY_ITSELF)
    library.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
    ended = Event()
    watch = Thread(target=_give_back_in_vain, args=(library, ended), daemon=True, name="freed memory")
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()
        library.mallopt(_MMAP_THRESHOLD, _MOST_BY_ITSELF)
        library.mallopt(_TRIM_THRESHOLD, 2 * _MOST_BY_ITSELF)
        library.malloc_trim(0)


def _give_back_in_vain(library: ctypes.CDLL, ended: Event) -> None:
    """Until `ended`, look how much freed memory is resident, and give all of it back where it is more than was in use
    at any time of the last looks, and `SPARE` bytes."""

    def beside() -> tuple[int, int]:
        """Bytes of the heap in use, and resident bytes of no file beside them."""
        heap = library.mallinfo2()
        used = heap.used + heap.mapped
        return used, _resident() - used

    in_use: deque[int] = deque(maxlen=LOOKS)
    _, others = beside()  # Python's own, and what else does not come from malloc
    while not ended.wait(LOOK_EVERY):
        used, more = beside()
        in_use.append(used)
        if more - others > max(in_use) + SPARE:
            library.malloc_trim(0)
            _, others = beside()


def _resident() -> int:
    """Bytes of this process in memory that are of no file and not shared."""
    _, resident, shared, *_ = _STATM.read_text(encoding="ascii").split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


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
