"""Where text comes from: files, gzipped files, folders and standard input, decoded piece by piece."""

import codecs
import gzip
import os
import shutil
import stat
import sys
import tempfile
import weakref
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ostinato.core.errors import DataError

CHUNK = 1 << 16  #: bytes read at once
_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

PathLike = str | os.PathLike[str]


class Spool:
    """A copy on disk of a stream that can be read only once; removed with the object, or at exit.

    Args:
        stream: what to copy.
        name: how messages call it.

    Raises:
        DataError: the copy cannot be written.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        try:
            handle, path = tempfile.mkstemp(prefix="ostinato-", suffix=".spool")
            self.path = Path(path)
            weakref.finalize(self, self.path.unlink, missing_ok=True)
            with open(handle, "wb") as copy:
                shutil.copyfileobj(stream, copy)
        except OSError as error:
            raise DataError(
                f"{name} is read in several passes and cannot be kept in {tempfile.gettempdir()}: {error.strerror}. "
                "Set TMPDIR to a folder with room for it"
            ) from error


@dataclass(frozen=True)
class TextFile:
    """One file of UTF-8 text, plain or gzipped; told apart by its first bytes, not by its name.

    Attributes:
        name: how messages call it.
        path: where its bytes are.
        stamp: inode, size and time of change when it was found.
        spool: keeps the copy of a stream alive as long as this.
    """

    name: str
    path: Path
    stamp: tuple[int, int, int]
    spool: Spool | None = None

    def pieces(self) -> Iterator[str]:
        """The text in pieces of at most 64 Ki characters, exactly as it stands but for a byte order mark in front.

        Raises:
            DataError: it cannot be read, is damaged, is not text or not UTF-8, or has changed since it was found.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        done, at_start = 0, True
        for chunk in self._chunks():
            self._check_text(chunk, done)
            done += len(chunk)
            try:
                piece = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise self._not_utf8(done - len(error.object) + error.start, error.object[error.start]) from None
            if piece and at_start:
                at_start, piece = False, piece.removeprefix("\ufeff")
            if piece:
                yield piece

    def head(self, size: int) -> bytes:
        """The first bytes, gunzipped: as many as `size`, or somewhat fewer.

        Raises:
            DataError: it cannot be read.
        """
        return next(self._chunks())[:size]

    def _chunks(self) -> Iterator[bytes]:
        """The bytes, gunzipped; an empty chunk ends them."""
        try:
            with open(self.path, "rb") as raw:
                self._check_unchanged(raw)
                zipped = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
                raw.seek(0)
                stream = gzip.GzipFile(fileobj=raw) if zipped else raw
                while chunk := stream.read(CHUNK):
                    yield chunk
                self._check_unchanged(raw)
                yield b""
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{self.name}: the gzip data is cut short or damaged ({error}); `gzip -t` checks a file: fetch it again"
            ) from error
        except OSError as error:
            raise DataError(f"{self.name}: cannot be read: {error.strerror or error}") from error

    def _check_unchanged(self, file: BinaryIO) -> None:
        if _stamp(os.fstat(file.fileno())) != self.stamp:
            raise DataError(f"{self.name}: the file changed while it was in use; start again once it is complete")

    def _check_text(self, chunk: bytes, done: int) -> None:
        if done == 0 and chunk.startswith(_UTF16_MARKS):
            raise DataError(
                f"{self.name}: line 1, byte 0: expected UTF-8 text, but this begins with a UTF-16 byte order mark. "
                f"{self._remedy('utf-16')}"
            )
        if (index := chunk.find(b"\0")) >= 0:
            raise DataError(
                f"{self.name}: {self._place(done + index)}: expected UTF-8 text, but this file is binary: "
                "it holds a NUL byte. Give text files only, plain or gzipped"
            )

    def _not_utf8(self, offset: int, byte: int) -> DataError:
        return DataError(
            f"{self.name}: {self._place(offset)}: expected UTF-8 text, but byte 0x{byte:02X} does not belong there. "
            f"If this is Latin-1, {self._remedy('latin-1')}"
        )

    def _remedy(self, encoding: str) -> str:
        return f"convert it: iconv -f {encoding} -t utf-8 {self.path.name} > converted.txt"

    def _place(self, offset: int) -> str:
        """Line (from 1) and byte (from 0) of an offset in the text; reads the file again, as errors are rare."""
        line, left = 1, offset
        for chunk in self._chunks():
            line += chunk[:left].count(b"\n")
            left -= len(chunk)
            if left <= 0:
                break
        return f"line {line}, byte {offset}"


def as_list(sources: PathLike | Iterable[PathLike]) -> list[PathLike]:
    """One path or several, as a list.

    Raises:
        DataError: there is none.
    """
    paths = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not paths:
        raise DataError("no text was given: name a UTF-8 text file, a folder of them, or - for standard input")
    return paths


def find_files(source: PathLike) -> list[TextFile]:
    """The files that a path stands for.

    Args:
        source: a file; a folder, for all files below it that are not hidden, sorted by path; `-`, for standard input.
            What can be read only once (standard input, a pipe) is copied to a temporary file.

    Raises:
        DataError: there is no such file, it cannot be read, or the folder holds no file.
    """
    if source == "-":
        return [_spooled(sys.stdin.buffer, "standard input")]
    path = Path(source)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _below(path)
        if not stat.S_ISREG(mode):
            with open(path, "rb") as stream:
                return [_spooled(stream, str(source))]
        return [TextFile(str(source), path, _stamp(path.stat()))]
    except FileNotFoundError as error:
        raise DataError(
            f"{source}: no such file; expected a UTF-8 text file (plain or gzipped), a folder, or - for standard input"
        ) from error
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror}") from error


def _spooled(stream: BinaryIO, name: str) -> TextFile:
    spool = Spool(stream, name)
    return TextFile(name, spool.path, _stamp(spool.path.stat()), spool)


def _below(folder: Path) -> list[TextFile]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [path for name in names if not name.startswith(".") and (path := Path(root, name)).is_file()]
    if not found:
        raise DataError(f"{folder}: the folder holds no files; expected UTF-8 text files, plain or gzipped")
    return [TextFile(str(path), path, _stamp(path.stat())) for path in sorted(found)]


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
