"""metrics.jsonl: one line an interval."""

import json
import os
from pathlib import Path
from typing import Any


class MetricsLog:
    """Appends JSON lines. A run that goes on from a checkpoint first drops the lines written after it.

    Args:
        path: the file.
        size: bytes of it that belong to the checkpoint.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        path.touch()
        os.truncate(path, min(size, path.stat().st_size))

    def write(self, line: dict[str, Any]) -> None:
        """Add a line, at once on the disk."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._path.stat().st_size
