"""Training that keeps what a step frees against one that does not: `python scripts/kept_memory.py PRESET [SECONDS]`.

Prints tokens a second of `ostinato train lm --preset`, in turns. An environment variable about malloc, which says
nothing of large blocks, turns it off.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

from scaling import measured

from ostinato.bench.language.problem import Problem

OFF = "MALLOC_ARENA_TEST"
TURNS = 3


def main() -> None:
    """Measure a preset."""
    preset, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "15"
    prepared = Problem.make(preset).prepared
    text = prepared.codec.tokenizer.decode(prepared.train.tolist())
    speeds: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        book, valid = Path(folder, "book.txt"), Path(folder, "valid.txt")
        book.write_text(text)
        valid.write_text(text[:2000])
        words = [str(book), "--valid", str(valid), "--preset", preset, "--time-limit", seconds, "--log-every", "2"]
        words += ["--epochs", "1000", "--patience", "0", "--valid-every", "100000", "--threads", "2"]
        for turn in range(2 * TURNS):
            kept = turn % 2 == 0
            os.environ.pop(OFF, None)
            if not kept:
                os.environ[OFF] = "8"
            speeds[kept].append(measured(words, Path(folder, str(turn)))[0])
    kept, freed = (statistics.median(speeds[one]) for one in (True, False))
    print(f"| {preset} | {freed:,.0f} | {kept:,.0f} | {kept / freed:.2f} |", flush=True)


if __name__ == "__main__":
    main()
