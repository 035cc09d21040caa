"""Twelve to a hundred times the text, the same memory."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys, threading, time
from pathlib import Path
from ostinato.data.corpus import learned_tokenizer, token_ids
from ostinato.data.text import open_text

peak = 0

def watch():
    global peak
    while True:
        peak = max(peak, int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]))
        time.sleep(0.005)

threading.Thread(target=watch, daemon=True).start()
path, level, cache = sys.argv[1:]
parts = open_text(path).split(0.9, "character" if level == "char" else "line")
tokenizer = learned_tokenizer(parts[0], level, 2000, cache)
print(sum(int(token_ids(part, tokenizer, cache).max()) for part in parts) and peak)
"""
GROWTH = 100_000  # kB; the project's limit is 200 MB from 1 MB of text to 1 GB
WORDS = [f"word{index % 7} {index}" for index in range(100)]


def peak_kilobytes(folder: Path, level: str, between: str, megabytes: int) -> int:
    path = folder / f"{megabytes}.txt"
    size = len(between.join(WORDS)) + 9
    with path.open("w") as file:
        for index in range(megabytes * 1_000_000 // size):
            file.write(between.join(WORDS) + f"{index:08d}{between}")
    command = [sys.executable, "-c", SCRIPT, str(path), level, str(folder / "cache")]
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
