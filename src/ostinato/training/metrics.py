"""metrics.jsonl, and the sums between two of its lines."""

import json
import os
from dataclasses import dataclass
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


@dataclass
class Interval:
    """Sums since the last line of metrics.

    Attributes:
        steps: optimiser steps.
        tokens: tokens of this process.
        loss: sum over the tokens, in nats.
        gradient_norm: sum over the steps, before clipping.
        clipped: steps whose gradient was clipped.
    """

    steps: int = 0
    tokens: int = 0
    loss: float = 0.0
    gradient_norm: float = 0.0
    clipped: int = 0

    def add(self, loss: float, tokens: int, norm: float, clipped: bool) -> None:
        """Take note of one step."""
        self.steps += 1
        self.tokens += tokens
        self.loss += loss * tokens
        self.gradient_norm += norm
        self.clipped += clipped
