"""Two processes of one thread against one process of two: `python scripts/scaling.py PRESET [SECONDS]` prints a row.

Tokens a second are the median of the lines that each wrote in metrics.jsonl, the first one aside, on made-up words by
Zipf's law (of the bench's problem). The batch is the preset's, over both processes together; and once more two
processes with that batch each, which every task with room for a larger batch may have.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ostinato.bench.language.problem import Problem


def measured(words: list[str], out: Path) -> tuple[float, float]:
    """Tokens a second, and the share of the time that processes waited for each other."""
    subprocess.run(
        [sys.executable, "-m", "ostinato", "train", "lm", *words, "--out", out], check=True, capture_output=True
    )
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    lines = [line for line in lines if "tokens_per_second" in line][1:]
    return tuple(statistics.median(line.get(name, 0.0) for line in lines) for name in ("tokens_per_second", "waiting"))  # type: ignore[return-value]


def main() -> None:
    """Measure a preset."""
    preset, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 25.0
    problem = Problem.make(preset)
    prepared = problem.prepared
    text = prepared.codec.tokenizer.decode(prepared.train.tolist())
    with tempfile.TemporaryDirectory() as folder:
        book, valid = Path(folder, "book.txt"), Path(folder, "valid.txt")
        book.write_text(text)
        valid.write_text(text[:2000])
        words = [str(book), "--valid", str(valid), "--preset", preset, "--time-limit", str(seconds), "--log-every", "2"]
        words += ["--epochs", "1000", "--patience", "0", "--valid-every", "100000"]
        one, _ = measured([*words, "--threads", "2"], Path(folder, "one"))
        words += ["--threads", "1", "--devices", "2"]
        two, waiting = measured(words, Path(folder, "two"))
        batch = 2 * problem.options.training.batch_for(len(prepared.train))
        each, _ = measured([*words, "--batch", str(batch)], Path(folder, "each"))
    print(
        f"| {preset} | {one:,.0f} | {two:,.0f} | {two / one:.2f} | {waiting:.1%} | {each:,.0f} | {each / one:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
