"""Parts of data, a file each, that a process of lower priority makes before they are wanted.

What a part holds follows from the data, what encodes it and the part's number alone; so it does not matter who makes
it, when, or how often.
"""

import os
import pickle
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any, Generic, Protocol, Self, TypeVar

from ostinato.core.errors import DataError, OstinatoError
from ostinato.core.files import LocalFile

if sys.platform != "win32":
    import fcntl

#: Name of the thread that sees to what is wanted next.
THREAD = "ostinato ahead"
#: Parts that are made before they are wanted.
AHEAD = 2
#: Bytes of the disk to leave free: where there are fewer, parts that are done with are removed.
ROOM = 1 << 32

#: Of the process that makes them: training goes before.
_NICE = 10

Part = TypeVar("Part")
Part_co = TypeVar("Part_co", covariant=True)


class Made(Protocol[Part_co]):
    """What is made part by part, and can be pickled."""

    @property
    def count(self) -> int:
        """How many parts there are."""

    @property
    def there(self) -> bool:
        """Whether all of it is there for good, so that nothing is made and nothing removed."""

    def file(self, number: int) -> Path:
        """Where a part is kept."""

    def make(self, number: int) -> Part_co:
        """A part, from its file if that is there.

        Raises:
            OstinatoError: it cannot be made.
        """


class Ahead(Generic[Part]):
    """Parts as they are asked for, and those that will be asked for next. Another process begins with none."""

    def __init__(self, parts: Made[Part]) -> None:
        self._parts = parts
        self._held: dict[int, Part] = {}
        self._failed: set[int] = set()
        self._before: deque[int] = deque(maxlen=AHEAD + 2)
        self._thread: Thread | None = None

    def __reduce__(self) -> tuple[type[Self], tuple[Made[Part]]]:
        return type(self), (self._parts,)

    def get(self, number: int, following: Sequence[int]) -> Part:
        """A part; `following` are made meanwhile.

        Raises:
            OstinatoError: it cannot be made.
        """
        window = [number, *following]
        if any(one not in self._held and one not in self._failed for one in following) and not (
            self._thread is not None and self._thread.is_alive()
        ):
            self._thread = Thread(target=self._open_all, args=(list(following),), name=THREAD, daemon=True)
            self._thread.start()
        found = self.opened(number, following)
        for one in [one for one in self._held if one not in window]:
            self._held.pop(one, None)
        return found

    def opened(self, number: int, following: Sequence[int] = ()) -> Part:
        """A part, for whoever wants one; no others are made meanwhile. Raises what `get` does."""
        if (held := self._held.get(number)) is not None:
            return held
        if number not in self._before:
            self._before.append(number)
        self._make_room({number, *following, *self._before, *self._held})
        found = self._held[number] = made(self._parts, number)
        return found

    def wait(self) -> None:
        """Until those that are made meanwhile are there."""
        if self._thread is not None:
            self._thread.join()

    def _open_all(self, numbers: list[int]) -> None:
        missing = [number for number in numbers if not self._parts.there and not self._parts.file(number).exists()]
        if missing and not _made_beside(self._parts, missing):
            self._failed |= set(missing)  # whoever wants them makes them, and is told what is wrong
        for number in numbers:
            try:
                if number not in self._failed:
                    self.opened(number, numbers)
            except OstinatoError:
                self._failed.add(number)

    def _make_room(self, near: set[int]) -> None:
        """Where the disk is nearly full, remove the parts that will not be wanted for longest."""
        with suppress(OSError):
            if self._parts.there or shutil.disk_usage(self._parts.file(0).parent).free >= ROOM:
                return
        for other in set(range(self._parts.count)) - near:
            file = self._parts.file(other)
            for suffix in (file.suffix, ".json"):
                with suppress(OSError):
                    file.with_suffix(suffix).unlink(missing_ok=True)


def made(parts: Made[Part], number: int) -> Part:
    """A part; of threads and processes that want it one makes it, and the others wait.

    Raises:
        OstinatoError: it cannot be made.
    """
    if parts.there:
        return parts.make(number)
    with _alone_with(parts.file(number)):
        return parts.make(number)


def all_made(
    parts: Made[Any], what: str, sizes: Sequence[int], progress: Callable[[int, int], None] | None
) -> tuple[LocalFile, ...]:
    """The files of all parts, to be sent to another machine where the data is not; `progress` is told how much of these
    sizes is done, and of how much.

    Raises:
        OstinatoError: a part cannot be made.
        DataError: `what` is made cannot be kept.
    """
    files, done = [], 0
    for number, size in enumerate(sizes):
        made(parts, number)
        file = parts.file(number)
        if not file.exists():
            raise DataError(f"{file}: {what} that other machines need cannot be kept here; set XDG_CACHE_HOME")
        files.append(LocalFile(str(file)))
        done += size
        if progress is not None:
            progress(done, sum(sizes))
    return tuple(files)


def _made_beside(parts: Made[Any], numbers: list[int]) -> bool:
    """Make parts in a process of its own: a thread would hold up the steps of a training, whose threads wait for each
    other. It ends by itself, whatever becomes of this process; False where it could not make them."""
    if not sys.executable:
        return False
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=pickle.dumps((parts, numbers)),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is none of its business
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _make_here() -> None:
    """What that process does."""
    if sys.platform != "win32":
        os.nice(_NICE)
    found: tuple[Made[Any], list[int]] = pickle.load(sys.stdin.buffer)
    parts, numbers = found
    for number in numbers:
        made(parts, number)


@contextmanager
def _alone_with(file: Path) -> Iterator[None]:
    """While nobody else is making it; what holds this is gone with the process."""
    lock, path = None, file.with_suffix(".lock")
    if sys.platform != "win32":
        with suppress(OSError):  # a folder that cannot be written: each makes its own
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if lock is not None:
            path.unlink(missing_ok=True)  # who waits for it finds the file
            os.close(lock)


if __name__ == "__main__":
    _make_here()
