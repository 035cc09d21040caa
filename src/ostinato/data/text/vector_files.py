"""Vectors of words from files: the text format of GloVe, and word2vec's text and binary formats; gzipped too."""

import gzip
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import DataError

_AT_ONCE = 1 << 20
#: Bytes of a word, at most: beyond it a binary file is none.
_LONGEST = 4_096
_GZIP = b"\x1f\x8b"


class VectorRows(NamedTuple):
    """Vectors for some words of a vocabulary: their ids there, `[F]`, and the vectors, `[F, E]`."""

    ids: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]


class _Layout(NamedTuple):
    width: int
    binary: bool
    header: bool


def vector_width(file: str) -> int:
    """E, numbers of each vector.

    Raises:
        DataError: no such file, or none of vectors.
    """
    with _opened(file) as (stream, _):
        return _layout(file, stream).width


def read_vectors(
    file: str, vocabulary: Mapping[str, int], progress: Callable[[int, int], None] | None = None
) -> VectorRows:
    """The vectors of a vocabulary's words, in the order of their ids. A word that the file has otherwise in capitals or
    small letters has that one's vector: the first in the file, which has frequent words first.

    Args:
        file: of vectors.
        vocabulary: ids by word.
        progress: told how many bytes are read, of how many.

    Raises:
        DataError: no such file, or one that is none of vectors, or damaged; says where.
    """
    alike: dict[str, list[str]] = {}
    for word in vocabulary:
        alike.setdefault(word.lower(), []).append(word)
    exact: dict[str, npt.NDArray[np.float32]] = {}
    near: dict[str, npt.NDArray[np.float32]] = {}
    with _opened(file) as (stream, read_so_far):
        layout = _layout(file, stream)
        stream.seek(0)
        rows = _binary(file, stream, layout) if layout.binary else _lines(file, stream, layout)
        for number, (raw, vector) in enumerate(rows):
            word = raw.decode("utf-8", "replace")
            if progress is not None and number % 20_000 == 0:
                progress(*read_so_far())
            wanted = alike.get(word.lower())
            if wanted is None:
                continue
            own = vector()
            if word in vocabulary:
                exact.setdefault(word, own)
            for other in wanted:
                near.setdefault(other, own)
    found = near | exact
    words = sorted(found, key=lambda word: vocabulary[word])
    ids = np.array([vocabulary[word] for word in words], np.int64)
    vectors = np.stack([found[word] for word in words]) if words else np.zeros((0, layout.width), np.float32)
    if len(wrong := np.flatnonzero(~np.isfinite(vectors).all(1))):
        raise DataError(f"{file}: expected finite numbers, the vector of {words[wrong[0]]!r} has others")
    return VectorRows(ids, vectors)


@contextmanager
def _opened(file: str) -> Iterator[tuple[BinaryIO, Callable[[], tuple[int, int]]]]:
    """The unpacked bytes, and what tells how many of the packed ones are read."""
    try:
        with open(file, "rb") as raw:
            packed = raw.read(2) == _GZIP
            size = raw.seek(0, 2)
            raw.seek(0)
            with cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw as stream:
                yield stream, lambda: (raw.tell(), size)
    except (OSError, EOFError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"--vectors {file}: cannot be read: {why}") from None


def _layout(file: str, stream: BinaryIO) -> _Layout:
    """What the first two lines show: word2vec's formats begin with two whole numbers, words and width."""
    first = stream.readline(_AT_ONCE)
    parts = first.split()
    header = len(parts) == 2 and all(part.isdigit() for part in parts)
    if header and int(parts[1]) > 0:
        second = stream.readline(_AT_ONCE).rstrip(b"\r\n").rsplit(b" ", int(parts[1]))
        text = len(second) > 1 and all(map(_is_number, b" ".join(second[1:]).split()))
        return _Layout(int(parts[1]), not text, True)
    if len(parts) < 2 or not all(map(_is_number, parts[1:])):
        raise DataError(
            f"--vectors {file}: expected a word and its numbers in each line (GloVe), or word2vec's text or binary "
            f"format, found {first[:60]!r}"
        )
    return _Layout(len(parts) - 1, False, False)


def _is_number(part: bytes) -> bool:
    try:
        float(part)
    except ValueError:
        return False
    return True


def _lines(
    file: str, stream: BinaryIO, layout: _Layout
) -> Iterator[tuple[bytes, Callable[[], npt.NDArray[np.float32]]]]:
    """Each line's word, and what reads its numbers: most are of words that nobody asks for."""
    for number, line in enumerate(stream, 1):
        if number == 1 and layout.header:
            continue
        parts = line.rstrip().rsplit(b" ", layout.width)

        def vector(number: int = number, parts: list[bytes] = parts) -> npt.NDArray[np.float32]:
            try:
                values = np.array(parts[1:], np.float32)
            except ValueError:
                values = np.zeros(0, np.float32)
            if len(values) != layout.width:
                raise DataError(f"{file}:{number}: expected a word and {layout.width} numbers, as the file begins with")
            return values

        yield parts[0], vector


def _binary(
    file: str, stream: BinaryIO, layout: _Layout
) -> Iterator[tuple[bytes, Callable[[], npt.NDArray[np.float32]]]]:
    """Each word, its blank, and its little-endian float32s; some programs end each with a line's end."""
    count = int(stream.readline().split()[0])
    size, held, at = 4 * layout.width, b"", 0
    for number in range(1, count + 1):
        while (end := held.find(b" ", at)) < 0 or len(held) < end + 1 + size:
            more = stream.read(_AT_ONCE)
            if not more or (end < 0 and len(held) - at > _LONGEST):
                raise DataError(
                    f"{file}: ends or is damaged in word {number:,} of {count:,}: expected word2vec's binary format"
                )
            held, at = held[at:] + more, 0
        word, values = held[at:end].lstrip(b"\n"), held[end + 1 : end + 1 + size]
        at = end + 1 + size
        yield word, lambda values=values: np.frombuffer(values, "<f4")  # type: ignore[misc]
