"""Twelve to a hundred times the text, the same memory."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "corpus_memory.py"
GROWTH = 100_000  # kB; the project's limit is 200 MB from 1 MB of text to 1 GB
WORDS = [f"word{index % 7} {index}" for index in range(100)]


def peak_kilobytes(folder: Path, level: str, between: str, megabytes: int) -> int:
    path = folder / f"{megabytes}.txt"
    size = len(between.join(WORDS)) + 9
    with path.open("w") as file:
        for index in range(megabytes * 1_000_000 // size):
            file.write(between.join(WORDS) + f"{index:08d}{between}")
    command = [sys.executable, str(SCRIPT), str(path), level, str(folder / "cache")]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="anonymous memory is read from Linux's /proc")
@pytest.mark.parametrize(
    ("level", "between", "megabytes"),
    [("char", "", 100), ("word", " ", 40), ("word", "\n", 20), ("bpe", "\n", 12)],
    ids=["one word by characters", "one line by words", "lines by words", "lines by bpe"],
)
def test_memory_does_not_grow_with_the_text(tmp_path, level, between, megabytes):
    small = peak_kilobytes(tmp_path, level, between, 1)
    large = peak_kilobytes(tmp_path, level, between, megabytes)
    assert large - small < GROWTH
