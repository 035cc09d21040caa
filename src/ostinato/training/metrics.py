"""metrics.jsonl: one line an interval."""

import json
from pathlib import Path
from typing import Any

from ostinato.core.files import append_bytes, replacing


class MetricsLog:
    """Appends JSON lines. A run that goes on from a checkpoint first drops the lines written after it.

    Args:
        path: the file.
        size: bytes of it that belong to the checkpoint.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        before = path.read_bytes()[:size] if size else b""
        with replacing(path, like=path.with_name("config.json")) as file:  # a new one: the old may have other names
            file.write(before)

    def write(self, line: dict[str, Any]) -> None:
        """Add a line, at once on the disk."""
        append_bytes(self._path, (json.dumps(line) + "\n").encode())

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._path.stat().st_size
