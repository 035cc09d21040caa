"""Where text comes from: files, gzipped files, folders and standard input, decoded piece by piece."""

import bz2
import codecs
import errno
import gzip
import io
import lzma
import os
import shlex
import shutil
import stat
import sys
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import IO, BinaryIO, cast

from ostinato.core.errors import DataError
from ostinato.data.sources.encodings import (
    chosen_encoding,
    likely_encoding,
    marked_encoding,
    read_as,
    shown_encoding,
    unmarked_wide_encoding,
    whole_characters,
)
from ostinato.data.sources.memory import Texts, in_memory

CHUNK = 1 << 16  #: bytes read at once
#: Times its size, and from `_LARGE` bytes on, that a packed file is no text any more: text packs 3 to 30 times.
_SWOLLEN = 500
_LARGE = 1 << 28
_ROOM = 1 << 29  #: bytes of the disk that the copy of a stream leaves free
_ZIP = b"PK\x03\x04"
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", _ZIP: "zip"}
_UNPACK: dict[str, Callable[[BinaryIO], object]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
_PACKED_ENDINGS = {".gz", ".bz2", ".xz", ".zip"}
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile)

PathLike = str | os.PathLike[str]


class Spool:
    """A copy on disk of what can be read only once, in pieces; removed with the object, or at exit.

    Raises:
        DataError: the copy cannot be written.
    """

    def __init__(self, pieces: Iterable[bytes], name: str) -> None:
        try:
            handle, path = tempfile.mkstemp(prefix="ostinato-", suffix=".spool")
            self.path = Path(path)
            weakref.finalize(self, self.path.unlink, missing_ok=True)
            with open(handle, "wb") as copy:
                for number, chunk in enumerate(pieces):
                    if number % 256 == 0 and shutil.disk_usage(self.path).free < _ROOM:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    copy.write(chunk)
        except OSError as error:
            raise DataError(
                f"{name} is read in several passes and cannot be kept in {tempfile.gettempdir()}: {error.strerror}. "
                "Set TMPDIR to a folder with room for it"
            ) from error


@dataclass(frozen=True)
class TextFile:
    """One file of text, plain or packed (gzip, bzip2, xz, zip); told apart by its first bytes, not by its name.

    Attributes:
        name: how messages call it.
        path: where its bytes are.
        stamp: inode, size and time of change when it was found.
        spool: keeps the copy of a stream alive as long as this.
        member: its name within the zip archive at `path`.
        encoding: that its bytes are read by.
    """

    name: str
    path: Path
    stamp: tuple[int, int, int]
    spool: Spool | None = None
    member: str | None = None
    encoding: str = "utf-8"

    @property
    def plain_name(self) -> str:
        """Its name without the ending of a packed file: what the name says of the content."""
        return plain_name(self.name if self.member is None else self.member)

    def pieces(self, start: int = 0) -> Iterator[str]:
        """The text in pieces of at most 64 Ki characters, exactly as it stands but for a byte order mark in front.

        Where the first of them has carriage returns and no line feed, lines end as on an old Mac: each is taken as a
        line feed.

        Args:
            start: the byte to begin at, where a character does; of a file in which `mark_before` finds that one can.

        Raises:
            DataError: it cannot be read, is damaged, is not text or not in its encoding, or has changed since it was
                found.
        """
        decoder = codecs.getincrementaldecoder(self.encoding)()
        done, at_start, old_mac = start, start == 0, False
        for chunk in self._chunks(start):
            if done == 0 and chunk.startswith(codecs.BOM_UTF8):
                decoder = codecs.getincrementaldecoder("utf-8")()  # it says so itself
            self._check_text(chunk, done)
            done += len(chunk)
            try:
                piece = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise self._not_text(done - len(error.object) + error.start, error.object[error.start]) from None
            if piece and at_start:
                at_start, piece = False, piece.removeprefix("\ufeff")
                old_mac = "\r" in piece[:-1] and "\n" not in piece
            if piece:
                yield piece.replace("\r", "\n") if old_mac else piece

    def mark_before(self, size: int) -> int | None:
        """Bytes before a text of `size` bytes in UTF-8, where the file holds it as it stands, so that reading can begin
        anywhere: 3 of a byte order mark, or 0. None where it does not: packed, in another encoding, with the line ends
        of an old Mac. Raises what `pieces` does."""
        head = self.head(CHUNK)
        mark = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
        plain = self.member is None and self.stamp[1] == size + mark
        return mark if plain and (self.encoding == "utf-8" or mark) and (b"\n" in head or b"\r" not in head) else None

    def unpacked(self) -> "TextFile":
        """The same text in a copy in which reading can begin anywhere, removed with the object or at exit.

        Raises:
            DataError: what `pieces` raises; there is no room for the copy.
        """
        spool = Spool((piece.encode() for piece in self.pieces()), self.name)
        return TextFile(self.name, spool.path, _stamp(spool.path.stat()), spool)

    def lines(self) -> Iterator[str]:
        """The lines with their ends; only a line feed ends one. Raises what `pieces` does."""
        return whole_lines(self.pieces())

    def head(self, size: int) -> bytes:
        """The first bytes, unpacked: as many as `size`, or somewhat fewer. Raises what `pieces` does."""
        return next(self._chunks())[:size]

    def content(self) -> bytes:
        """All of it, unpacked. Raises what `pieces` does."""
        return b"".join(self._chunks())

    def _chunks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from one on, unpacked; an empty chunk ends them."""
        packed = None
        try:
            with open(self.path, "rb") as raw:
                self._check_unchanged(raw)
                packed = _packed(raw)
                done = 0
                with self._unpacked(raw, packed) as stream:
                    if start:
                        stream.seek(start)
                    while chunk := stream.read(CHUNK):
                        yield chunk
                        done += len(chunk)
                        if packed is not None and done > max(_LARGE, _SWOLLEN * self.stamp[1]):
                            raise DataError(
                                f"{self.name}: unpacks to more than {_SWOLLEN} times its size, as no text does; if it "
                                "is meant, unpack it first"
                            )
                    self._check_unchanged(raw)
                yield b""
        except _DAMAGED as error:
            raise self._damaged(packed, error) from error
        except (RuntimeError, NotImplementedError) as error:  # zipfile's ways to say: encrypted, or not known
            raise DataError(f"{self.name}: cannot be unpacked: {error}; unpack it first") from error
        except OSError as error:
            if packed == "bzip2" and error.errno is None:  # bz2's way to say: damaged
                raise self._damaged(packed, error) from error
            raise DataError(f"{self.name}: cannot be read: {error.strerror or error}") from error

    def _damaged(self, packed: str | None, error: Exception) -> DataError:
        check = {"gzip": "gzip -t", "bzip2": "bzip2 -t", "xz": "xz -t"}.get(packed or "", "unzip -t")
        return DataError(
            f"{self.name}: the {packed} data is cut short or damaged ({error}); `{check}` checks a file: fetch it again"
        )

    def _unpacked(self, raw: BinaryIO, packed: str | None) -> IO[bytes]:
        if (unpack := _UNPACK.get(packed or "")) is not None:
            return cast(IO[bytes], unpack(raw))
        return raw if self.member is None else zipfile.ZipFile(raw).open(self.member)

    def _check_unchanged(self, file: BinaryIO) -> None:
        if _stamp(os.fstat(file.fileno())) != self.stamp:
            raise DataError(f"{self.name}: the file changed while it was in use; start again once it is complete")

    def _check_text(self, chunk: bytes, done: int) -> None:
        if self.encoding.startswith(("utf-16", "utf-32")):
            return
        if done == 0 and (mark := marked_encoding(chunk)):
            raise DataError(
                f"{self.name}: line 1, byte 0: expected UTF-8 text, but this begins with the byte order mark of "
                f"{mark.upper()}; {self._remedy(mark)}"
            )
        if (index := chunk.find(b"\0")) >= 0:
            what = "file is binary: it holds a NUL byte. Give text files only, plain or gzipped"
            if found := unmarked_wide_encoding(chunk if done == 0 else b""):
                what = f"looks like {found}; {self._remedy(found)}"
            raise DataError(f"{self.name}: {self._place(done + index)[0]}: expected UTF-8 text, but this {what}")

    def _not_text(self, offset: int, byte: int) -> DataError:
        place, sample = self._place(offset)
        expected = "UTF-8" if self.encoding == "utf-8" else f"{self.encoding} (--encoding)"
        said = f"{self.name}: {place}: expected {expected} text, but byte 0x{byte:02X} does not belong there. "
        found = likely_encoding(sample)
        if found is None:
            return DataError(f"{said}If it is text, name its encoding by --encoding")
        if found == "utf-8":
            mend = "mend this place" if self.encoding == "utf-8" else "leave --encoding out"
            return DataError(f"{said}What is around it is UTF-8: {mend}")
        return DataError(f"{said}This looks like {shown_encoding(found)}: {self._remedy(found)}")

    def _remedy(self, encoding: str) -> str:
        """What to do about another encoding; iconv knows the names in capitals, `cp1252` too."""
        given = f"give --encoding {encoding}"
        if self.spool is not None or self.member is not None:
            return given
        path = shlex.quote(str(self.path))
        with open(self.path, "rb") as raw:
            packed = _packed(raw)
        source = {None: path, "gzip": f"<(gzip -dc {path})", "bzip2": f"<(bzip2 -dc {path})"}.get(packed)
        if source is None:
            return given
        name = encoding.upper().replace("_", "-").replace("ISO8859", "ISO-8859")
        return f"{given}, or convert it: iconv -f {name} -t UTF-8 {source} > converted.txt"

    def _place(self, offset: int) -> tuple[str, bytes]:
        """Line (from 1) and byte (from 0) of an offset in the text, and the lines around it; reads the file again, as
        errors are rare."""
        line, left, around = 1, offset, b""
        for chunk in self._chunks():
            line += chunk[: max(left, 0)].count(b"\n")
            left -= len(chunk)
            around += chunk
            if left <= -CHUNK:
                break
            around = around[-(2 * CHUNK - min(left, 0)) :]
        # whole lines: nothing is cut within a character
        start = around.find(b"\n", 0, CHUNK) + 1 if len(around) >= 2 * CHUNK else 0
        return f"line {line}, byte {offset}", around[start : around.rfind(b"\n") + 1 or len(around)]


def whole_lines(pieces: Iterable[str]) -> Iterator[str]:
    """Lines with their ends from pieces of text, of any length; only a line feed ends one."""
    held: list[str] = []  # of a line that goes on: joined once, however long it is
    for piece in pieces:
        first, *others = piece.split("\n")
        held.append(first)
        for line in others:
            yield "".join(held) + "\n"
            held = [line]
    if last := "".join(held):
        yield last


def as_list(sources: PathLike | Iterable[PathLike]) -> list[PathLike]:
    """One path or several, as a list, which is not empty, or else a DataError is raised."""
    paths = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not paths:
        raise DataError("no text was given: name a UTF-8 text file, a folder of them, or - for standard input")
    return paths


def find_files(source: PathLike) -> list[TextFile]:
    """The files that a path stands for.

    Args:
        source: a file; a folder or a zip archive, for all files below it that are not hidden, sorted by path; `-`, for
            standard input. What can be read only once (standard input, a pipe) is copied to a temporary file, as are
            texts in memory, one a line.

    Raises:
        DataError: there is no such file, it cannot be read, or the folder holds no file.
    """
    if source == "-":
        if sys.stdin is None:  # by `<&-`, or where there is no console
            raise DataError("standard input: closed; name a file, or pipe the data in")
        with suppress(OSError, ValueError):  # a stream that is no file of the system's
            if not sys.stdin.isatty():
                _require_an_end(os.fstat(sys.stdin.fileno()), "standard input")
        return _spooled(sys.stdin.buffer, "standard input")
    if (held := in_memory(source)) is not None:
        if not isinstance(held, Texts):
            raise DataError(f'{source}: expected texts, such as ["a text", "another"]')
        lines = "\n".join(" ".join(whole_characters(text or "").splitlines()) for text in held.texts)
        with read_as("utf-8"):
            return _spooled(io.BytesIO(f"{lines}\n".encode()), str(source))
    if source == "":  # which is the current folder elsewhere
        raise DataError("expected the name of a file or folder, got an empty one")
    path = Path(source)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return _below(path)
        _require_an_end(status, str(source))
        if not stat.S_ISREG(status.st_mode):
            with open(path, "rb") as stream:
                return _spooled(stream, str(source))
        return _file(str(source), path)
    except FileNotFoundError as error:
        raise DataError(
            f"{source}: no such file; expected a UTF-8 text file (plain or gzipped), a folder, or - for standard input"
        ) from error
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror}") from error
    except DataError:
        raise
    except ValueError as error:  # a name with a NUL
        raise DataError(f"{source!r}: cannot be the name of a file: {error}") from None


def one_file(source: PathLike) -> TextFile:
    """The one file that a path stands for.

    Raises:
        DataError: it is missing, or a folder of several.
    """
    files = find_files(source)
    if len(files) != 1:
        raise DataError(f"{source}: expected one file, got a folder of {len(files)} files")
    return files[0]


def _require_an_end(status: os.stat_result, name: str) -> None:
    """Refuse devices, such as /dev/zero, which may never end; all but the empty one."""
    device = stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode)
    if device and not os.path.samestat(status, os.stat(os.devnull)):
        raise DataError(f"{name}: is a device; expected a file, a folder, or a pipe that ends")


def _spooled(stream: BinaryIO, name: str) -> list[TextFile]:
    spool = Spool(iter(lambda: stream.read(CHUNK), b""), name)
    return _file(name, spool.path, spool)


def _file(name: str, path: Path, spool: Spool | None = None) -> list[TextFile]:
    """A file, or those of an archive."""
    file = TextFile(name, path, _stamp(path.stat()), spool, encoding=chosen_encoding())
    with open(path, "rb") as raw:
        if _packed(raw) != "zip":
            return [file]
        try:
            archive = [member.filename for member in zipfile.ZipFile(raw).infolist() if not member.is_dir()]
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise DataError(f"{name}: the zip archive is damaged: {error}; fetch it again") from error
    if "[Content_Types].xml" in archive:
        raise DataError(f"{name}: expected text, got an Office document; save it as CSV or plain text")
    parts = {member: PurePath(member).parts for member in archive}
    members = sorted(m for m in archive if not any(part.startswith((".", "__MACOSX")) for part in parts[m]))
    if not members:
        raise DataError(f"{name}: the archive holds no files; expected text files")
    if len(members) == 1:
        return [replace(file, member=members[0])]
    return [replace(file, name=f"{name}/{member}", member=member) for member in members]


def _packed(raw: BinaryIO) -> str | None:
    """How a file is packed, by its first bytes; it is read from its beginning afterwards."""
    start = raw.read(6)
    raw.seek(0)
    return next((kind for magic, kind in _PACKED.items() if start.startswith(magic)), None)


def plain_name(name: str) -> str:
    """A file's name without the ending of a packed one: `a.csv` for `a.csv.gz`."""
    return name[: -len(suffix)] if (suffix := PurePath(name).suffix).lower() in _PACKED_ENDINGS else name


def _below(folder: Path) -> list[TextFile]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [path for name in names if not name.startswith(".") and (path := Path(root, name)).is_file()]
    if not found:
        raise DataError(f"{folder}: the folder holds no files; expected UTF-8 text files, plain or gzipped")
    return [file for path in sorted(found) for file in _file(str(path), path)]


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
