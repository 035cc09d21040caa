"""How a training goes, read from its run folder while another process writes it."""

import json
import math
from pathlib import Path
from typing import Any

#: A training is looked at in so many places, at each by the best figure up to there.
PLACES = 20

#: Figures of which more is better.
HIGHER = ("accuracy", "f1", "r2")


def higher_is_better(metric: str) -> bool:
    """Whether more of a figure is better."""
    return metric.endswith(HIGHER)


class Course:
    """The validations of one training.

    Args:
        run: its folder.
        metric: the figure.
    """

    def __init__(self, run: Path, metric: str) -> None:
        self._file, self._metric, self._higher = run / "metrics.jsonl", f"valid_{metric}", higher_is_better(metric)
        self._read, self._reported = 0, 0
        self.best: float | None = None
        self.known: set[str] = set()

    def news(self, progress: float | None) -> list[tuple[int, float]]:
        """Places that have been passed since the last look, each with the best figure so far.

        Args:
            progress: share of the training that is done; None where nobody knows.
        """
        found = []
        for line in self._lines():
            self.known |= {name.removeprefix("valid_") for name in line if name.startswith("valid_")}
            value = line.get(self._metric)
            if isinstance(value, int | float) and math.isfinite(value):
                self.best = value if self.best is None else (max if self._higher else min)(self.best, value)
        if self.best is not None and progress is not None:
            passed = int(min(progress, 1.0) * PLACES)
            found = [(place, self.best) for place in range(self._reported + 1, passed + 1)]
            self._reported = max(self._reported, passed)
        return found

    def _lines(self) -> list[dict[str, Any]]:
        try:
            with self._file.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        return [line for line in map(_parsed, whole.splitlines()) if line is not None]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
