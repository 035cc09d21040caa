"""Parts of a file of text, to tell by what it is: its beginning, and lines from all over it."""

from dataclasses import dataclass
from functools import cached_property

from ostinato.data.sources.files import TextFile

#: Characters of the beginning, and of all that is read of a very large file.
_HEAD, _MOST = 400_000, 200_000_000
#: Pieces from behind the beginning: what is sorted by its labels has all of them only there.
_PIECES = 16


@dataclass(frozen=True)
class Sample:
    """Parts of a text.

    Attributes:
        head: its beginning, whole lines.
        later: whole lines from all over the rest.
        size: characters that it has, or that were read.
        count: line feeds among them.
    """

    head: str
    later: str
    size: int
    count: int

    @cached_property
    def lines(self) -> list[str]:
        """Those of the beginning."""
        return self.head.splitlines()


def sample_of(file: TextFile) -> Sample:
    """Read a file, and keep parts of it.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    head: list[str] = []
    pieces: list[str] = []
    size, count, every, number = 0, 0, 1, 0
    for piece in file.pieces():
        if size <= _HEAD:
            head.append(piece)
        else:
            number += 1
            if number % every == 0:
                pieces.append(piece)
            if len(pieces) == 2 * _PIECES:
                pieces, every = pieces[1::2], 2 * every
        size += len(piece)
        count += piece.count("\n")
        if size > _MOST:
            break
    text = "".join(head)
    if pieces:
        text = text[: text.rfind("\n") + 1] or text
    return Sample(text, "".join(map(_whole, pieces[-_PIECES:])), size, count)


def _whole(piece: str) -> str:
    """The whole lines of a piece."""
    return piece[piece.find("\n") + 1 : piece.rfind("\n") + 1]
