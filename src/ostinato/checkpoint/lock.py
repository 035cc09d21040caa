"""One training in a folder at a time."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ostinato.core.errors import RunFolderError

if sys.platform != "win32":
    import fcntl

_PATIENCE = 6  #: looks at a lock, 50 ms apart: `locked_by_another` holds one for a moment


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a folder's lock, where the file system has locks; it ends with the process at the latest.

    Raises:
        RunFolderError: another process holds it.
    """
    if sys.platform == "win32":
        yield
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        for left in range(_PATIENCE, -1, -1):
            if _lock(folder, fcntl.LOCK_EX):
                break
            if not left:
                raise RunFolderError(
                    f"{path}: another process is training here; wait for its end, or choose another name"
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(folder)


def locked_by_another(path: Path) -> bool:
    """Whether a process holds a folder's lock; False where there are no locks to tell by."""
    if sys.platform == "win32":
        return False
    try:
        folder = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(folder, fcntl.LOCK_SH)
    finally:
        os.close(folder)


def _lock(folder: int, kind: int) -> bool:
    """Whether there is a lock to be had, or the file system has none."""
    if sys.platform != "win32":
        try:
            fcntl.flock(folder, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
    return True
