"""Files that are either the old version or the new one, whenever the power goes, and never somebody else's."""

import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

if sys.platform != "win32":
    import fcntl

#: Names of files that are being written; those of earlier versions had a process's number in them.
_TEMPORARY = re.compile(r"\..*\.(?:[0-9a-f]{16}|\d{1,10})\.tmp", re.DOTALL)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_STEM = 200  #: bytes of a file's name that its temporary one has too: both must be short enough


@contextmanager
def replacing(path: Path, *, like: Path | None = None) -> Iterator[BinaryIO]:
    """Write a file in one step: under another name beside it, flushed to the disk, then renamed.

    The other name is drawn at random and is used only where nothing has it. A link is itself replaced: what it leads to
    stays as it is.

    Args:
        path: the file. Its folder is there.
        like: a file whose permissions a new one gets; one that is replaced keeps its own.

    Yields:
        What to write to. Where the block raises, the file stays as it was.

    Raises:
        OSError: it cannot be written.
    """
    file, temporary = _begin(path, _permissions(path, like))
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def replace_text(path: Path, text: str) -> None:
    """Write a text file in one step; see `replacing`.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as file:
        file.write(text.encode())


def append_bytes(path: Path, content: bytes) -> None:
    """Add to a file, which is made where it is not there.

    Raises:
        OSError: it cannot be written, or is a link.
    """
    with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_FOLLOW, 0o666), "wb") as file:
        file.write(content)


@contextmanager
def in_utf8(path: Path) -> Iterator[str]:
    """A name under which libraries find a file that take UTF-8 only: its own where that is, else that of a handle."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        handle = os.open(path, os.O_RDONLY)
        try:
            yield f"/dev/fd/{handle}"
        finally:
            os.close(handle)
    else:
        yield os.fspath(path)


def is_temporary(path: Path) -> bool:
    """Whether a file has a name that `replacing` gives while it writes."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_left_over(folder: Path, name: str | None = None) -> None:
    """Remove what writers left that were killed; what another process is writing stays.

    Args:
        folder: where; it need not exist.
        name: of the one file whose writers are meant; None means all.
    """
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if is_temporary(path) and (name is None or path.name.startswith(_stem(name))):
                with suppress(OSError):
                    _remove_if_abandoned(path)


def _begin(path: Path, permissions: int | None) -> tuple[BinaryIO, Path]:
    """A new file to write to, whose lock says that somebody does, and its name."""
    while True:
        temporary = path.with_name(f"{_stem(path.name)}{secrets.token_hex(8)}.tmp")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | getattr(os, "O_BINARY", 0)
        file = open(os.open(temporary, flags, 0o666 if permissions is None else permissions), "w+b")  # noqa: SIM115
        _lock(file)
        if permissions is not None:
            with suppress(OSError):  # a file system without permissions; the umask may have taken some away
                os.chmod(file.fileno() if os.chmod in os.supports_fd else temporary, permissions)
        with suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), os.lstat(temporary)):
                return file, temporary
        file.close()  # taken for left over in the moment before it had its lock


def _lock(file: BinaryIO) -> None:
    if sys.platform != "win32":
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)


def _remove_if_abandoned(path: Path) -> None:
    """Remove a file whose lock nobody holds."""
    if sys.platform == "win32" or not stat.S_ISREG(os.lstat(path).st_mode):
        return
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _NO_FOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(handle)


def _permissions(path: Path, like: Path | None) -> int | None:
    """Those of a file, or else of the other; None where neither is there."""
    for known in (path, like):
        if known is not None:
            with suppress(OSError):
                status = os.lstat(known)
                if stat.S_ISREG(status.st_mode):
                    return stat.S_IMODE(status.st_mode) & 0o777
    return None


def _stem(name: str) -> str:
    return f".{os.fsdecode(os.fsencode(name)[:_STEM])}."


class LocalFile(NamedTuple):
    """A file of this machine. Where what names it is sent to another one, the launcher sends the file as well."""

    path: str
