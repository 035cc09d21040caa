"""Token ids of a long text in shards: files of their own, made while those before them are trained on.

What a shard holds follows from the text, the tokenizer and the shard's place alone; so it does not matter who makes it,
when, or how often.
"""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from ostinato.core.errors import DataError, OstinatoError
from ostinato.core.local_file import LocalFile
from ostinato.data.text.corpus import Progress, ids_file, token_ids
from ostinato.data.text.reading import Text
from ostinato.data.text.tokenizer import TokenIds, Tokenizer

if sys.platform != "win32":
    import fcntl

#: Shards that are made before they are wanted.
AHEAD = 2
#: Bytes of the disk to leave free: where there are fewer, shards that are done with are removed.
ROOM = 1 << 32

#: Of the process that makes them: training goes before.
_NICE = 10


class Shards:
    """The ids of a text, shard by shard.

    A process of lower priority makes the next `AHEAD` shards; a shard that nobody has made is made when it is asked
    for. Of several processes on a machine one makes a shard, which all read. After the last shard comes the first one
    again.

    Args:
        texts: parts of the text, in order.
        tokenizer: what makes ids of them.
        rate: tokens a character, about: of a sample.
        cache_dir: where files are kept; by default `cache_folder()`.
    """

    def __init__(
        self, texts: tuple[Text, ...], tokenizer: Tokenizer, rate: float, cache_dir: str | None = None
    ) -> None:
        self.texts, self.tokenizer, self.rate, self._cache_dir = texts, tokenizer, rate, cache_dir
        self._files: tuple[LocalFile, ...] = ()
        self._held: dict[int, TokenIds] = {}
        self._failed: set[int] = set()
        self._ahead: Thread | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_held": {}, "_failed": set(), "_ahead": None}

    def __len__(self) -> int:
        """Tokens in all, about."""
        return sum(self.expected)

    @property
    def expected(self) -> list[int]:
        """Tokens of each shard, about: what is known before it is made, and the same each time."""
        return [round(text.characters * self.rate) for text in self.texts]

    def ids(self, number: int) -> TokenIds:
        """A shard's ids, `[tokens]`, mapped from its file; the next ones are made meanwhile.

        Raises:
            DataError: the text cannot be read or has changed, or there is no room on disk.
        """
        window = [(number + step) % len(self.texts) for step in range(AHEAD + 1)]
        if any(one not in self._held and one not in self._failed for one in window[1:]) and not (
            self._ahead is not None and self._ahead.is_alive()
        ):
            self._ahead = Thread(target=self._open_all, args=(window[1:],), daemon=True)
            self._ahead.start()
        found = self._opened(number)
        for one in [one for one in self._held if one not in window]:
            self._held.pop(one, None)
        return found

    def first(self) -> TokenIds:
        """The first shard's ids, for whoever wants some; no others are made meanwhile. Raises what `ids` does."""
        return self._opened(0)

    def complete(self, progress: Progress | None = None) -> "Shards":
        """The same with all files there, to be sent to another machine where the text is not.

        Raises:
            DataError: the text cannot be read, or the files cannot be kept.
        """
        done, total = 0, sum(text.characters for text in self.texts)
        files = []
        for number, text in enumerate(self.texts):
            self._make(number)
            file = self._file(number)
            if not file.exists():
                raise DataError(f"{file}: token ids that other machines need cannot be kept here; set XDG_CACHE_HOME")
            files.append(LocalFile(str(file)))
            done += text.characters
            if progress is not None:
                progress(done, total)
        found = Shards(self.texts, self.tokenizer, self.rate, self._cache_dir)
        found._files = tuple(files)
        return found

    def _open_all(self, numbers: list[int]) -> None:
        missing = [number for number in numbers if not self._files and not self._file(number).exists()]
        if missing and not _made_beside(self, missing):
            self._failed |= set(missing)  # whoever wants them makes them, and is told what is wrong
        for number in numbers:
            try:
                if number not in self._failed:
                    self._opened(number)
            except OstinatoError:
                self._failed.add(number)

    def _opened(self, number: int) -> TokenIds:
        if (held := self._held.get(number)) is not None:
            return held
        self._make_room(number)
        ids = self._make(number)
        self._held[number] = ids
        return ids

    def _make(self, number: int) -> TokenIds:
        """The ids; of threads and processes that want them one makes them, and the others wait."""
        if self._files:
            return np.memmap(self._files[number].path, self.tokenizer.dtype, "r")
        with _alone_with(self._file(number)):
            return token_ids(self.texts[number], self.tokenizer, self._cache_dir)

    def _file(self, number: int) -> Path:
        return ids_file(self.texts[number], self.tokenizer, self._cache_dir)

    def _make_room(self, number: int) -> None:
        """Where the disk is nearly full, remove the shards that will not be wanted for longest."""
        with suppress(OSError):
            if self._files or shutil.disk_usage(self._file(number).parent).free >= ROOM:
                return
        near = {(number + step) % len(self.texts) for step in range(-AHEAD - 1, AHEAD + 1)}
        for other in set(range(len(self.texts))) - near:
            for suffix in (".bin", ".json"):
                with suppress(OSError):
                    self._file(other).with_suffix(suffix).unlink(missing_ok=True)


def _made_beside(shards: Shards, numbers: list[int]) -> bool:
    """Make shards in a process of its own: a thread would hold up the steps of a training, whose threads wait for each
    other. It ends by itself, whatever becomes of this process; False where it could not make them."""
    if not sys.executable:
        return False
    try:
        made = subprocess.run(
            [sys.executable, "-m", __name__],
            input=pickle.dumps((shards, numbers)),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is none of its business
            check=False,
        )
    except OSError:
        return False
    return made.returncode == 0


def _make_here() -> None:
    """What that process does."""
    found: tuple[Shards, list[int]] = pickle.load(sys.stdin.buffer)
    shards, numbers = found
    if sys.platform != "win32":
        os.nice(_NICE)
    for number in numbers:
        shards._make(number)


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
