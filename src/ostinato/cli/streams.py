"""Standard streams as a command needs them: whatever the shell made of them."""

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from ostinato.core.errors import OstinatoError


class OutputError(OstinatoError):
    """Standard output cannot be written.

    Attributes:
        reader_left: whether that is because nobody reads it any more, as with `| head`.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output: cannot be written: {error.strerror}")
        self.reader_left = isinstance(error, BrokenPipeError)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let a command go on without its display, but not without its output.

    Standard error shows how far something is. Once that cannot be written, all that goes there is dropped. What cannot
    be written to standard output is an `OutputError`. Streams that the shell closed lead nowhere, so that no file that
    is opened later takes their place. A character that a stream's encoding does not have is written as its escape.
    """
    _open_closed()
    _hold_every_character()
    before = sys.stdout, sys.stderr
    sys.stdout = cast("TextIO", _Watched(sys.stdout, _fail))
    sys.stderr = cast("TextIO", _Watched(sys.stderr, lambda error: None))
    try:
        yield
        sys.stdout.flush()
    finally:
        with suppress(OutputError):
            sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _hold_every_character() -> None:
    """UTF-8 where nobody asked for another encoding (LC_ALL=C, a pipe on Windows), escapes for what another lacks.

    The escapes are JSON's, so that lines of JSON stay readable as such.
    """
    codecs.register_error("ostinato.escape", _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            keeps_encoding = stream.isatty() or "PYTHONIOENCODING" in os.environ
            stream.reconfigure(encoding=None if keeps_encoding else "utf-8", errors="ostinato.escape")


def _escape(error: UnicodeError) -> tuple[str, int]:
    """JSON's escapes of what cannot be encoded: one of four digits, or a surrogate pair."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)), error.end


class _Watched:
    """A stream that leads nowhere once it could not be written, and says why; all else is the stream's own."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None]) -> None:
        self._stream, self._failed = stream, failed

    def write(self, text: str) -> int:
        """As a stream does."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """As a stream does."""
        self._try(lambda: self._stream.writelines(lines))

    def flush(self) -> None:
        """As a stream does."""
        self._try(self._stream.flush)

    def _try(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except OSError as error:
            self._lead_nowhere()
            self._failed(error)

    def _lead_nowhere(self) -> None:
        """What is still kept back of it must not fail again when Python ends."""
        with suppress(OSError, ValueError):  # it is none of the system's
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _fail(error: OSError) -> None:
    raise OutputError(error) from None


def _open_closed() -> None:
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
