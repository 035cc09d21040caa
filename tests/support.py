"""What tests of several rooms share."""

import hashlib
import json
import random
from pathlib import Path

#: Options of `train lm` for a model that trains in a blink.
TINY = ("--hidden", "8", "--batch", "4", "--steps", "10", "--threads", "1", "--dropout", "0", "--epochs", "1")


def prose(lines: int = 60, seed: int = 0) -> str:
    """Lines of eight English words each, the same for the same seed."""
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "that", "it", "was", "not", "so", "bad"]
    draw = random.Random(seed)
    return "".join(" ".join(draw.choices(words, k=8)) + "\n" for _ in range(lines))


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by path: equal before and after means that nothing was touched."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def times(folder: Path) -> dict[str, int]:
    """When every file below a folder was changed, in nanoseconds."""
    return {str(file): file.stat().st_mtime_ns for file in sorted(folder.rglob("*")) if file.is_file()}


def metrics(run: Path, *, with_times: bool = False) -> list[dict]:
    """The lines of metrics.jsonl, by default without what differs from one run to the next: seconds, speed, waiting."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]

    def timed(name: str) -> bool:
        return not with_times and (name in ("seconds", "waiting") or name.endswith("_per_second"))

    return [{name: value for name, value in line.items() if not timed(name)} for line in lines]
