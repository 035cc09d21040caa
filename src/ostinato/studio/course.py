"""The course of one training, read as it is written."""

import json
import os
from pathlib import Path
from typing import Any

from ostinato.checkpoint import RunFolder

#: Lines of training intervals that are sent at once; of more, every second, third and so on.
_MOST_LINES = 1_500
#: What a line has that is always sent.
_KEPT = {"best", "advice"}
#: Bytes that are read at once of a file that has grown.
_MOST_BYTES = 64 << 20


class Course:
    """metrics.jsonl of a run: each `read` gives what is new.

    Args:
        path: the run folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None  # device and inode
        self._at = 0

    def read(self) -> dict[str, Any]:
        """What has been written since the last time.

        Returns:
            `lines`, as the file has them; `afresh`: whether they are all there are, in place of what was read before:
            the first time, and where a training has begun again or gone back to its checkpoint.
        """
        metrics = RunFolder(self._path).under_way.metrics
        try:
            with metrics.open("rb") as file:
                status = os.fstat(file.fileno())
                same = self._file == (status.st_dev, status.st_ino) and status.st_size >= self._at
                if same and status.st_size == self._at:
                    return {"lines": [], "afresh": False}
                begin = self._at if same else 0
                file.seek(begin)
                content = file.read(_MOST_BYTES)
        except OSError:  # none yet, or none any more
            return {"lines": [], "afresh": False}
        whole = content[: content.rfind(b"\n") + 1]  # the last line may be under way
        self._file, self._at = (status.st_dev, status.st_ino), begin + len(whole)
        return {"lines": _thinned(_lines(whole)), "afresh": not same}


def _lines(content: bytes) -> list[dict[str, Any]]:
    found = []
    for line in content.splitlines():
        try:
            read = json.loads(line)
        except ValueError:
            continue  # damaged; the others are not
        if isinstance(read, dict):
            found.append(read)
    return found


def _thinned(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All validations, all words, and of the rest as many as a picture shows."""
    every = -(-len(lines) // _MOST_LINES)
    return lines if every < 2 else [line for n, line in enumerate(lines) if n % every == 0 or line.keys() & _KEPT]
