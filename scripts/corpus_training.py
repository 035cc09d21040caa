"""How soon a training on a large text begins, and what memory it takes (Linux): for benchmarks/results/corpora.md.

    python scripts/corpus_training.py TEXT GIGABYTES SECONDS [OPTION...]

TEXT is repeated until there are so many gigabytes, in random order of variants in which some words have changed places;
0 takes it as it is. The file lies in TMPDIR, and so do run and cache: all are removed at the end. Options are of
`ostinato train lm`.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVERY = 10.0  #: seconds between two looks
VARIANTS = 8


def grown(source: Path, to: Path, size: float) -> None:
    """A large text of a small one."""
    lines, draw, parts = source.read_text(encoding="utf-8").splitlines(), random.Random(1), list[bytes]()
    for _ in range(VARIANTS):
        words = sorted({word for line in draw.sample(lines, 200) for word in line.split()})
        other = dict(zip(words, draw.sample(words, len(words)), strict=True))
        changed = (" ".join(other.get(word, word) for word in line.split(" ")) for line in lines)
        parts.append("\n".join(changed).encode() + b"\n")
    with to.open("wb") as file:
        while file.tell() < size:
            file.write(draw.choice(parts))


def memory(process: int) -> dict[str, int]:
    """MB of a process: its own, and pages of files."""
    fields = dict(line.split(":") for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return {name: int(fields[name].split()[0]) // 1000 for name in ("RssAnon", "RssFile")}


def main() -> None:
    """Measure."""
    source, gigabytes, seconds, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        text, run = Path(folder, "corpus.txt"), Path(folder, "run")
        if float(gigabytes):
            grown(Path(source), text, 1e9 * float(gigabytes))
        else:
            text = Path(source)
        began = time.monotonic()
        words = ["train", "lm", str(text), "--out", str(run), "--time-limit", seconds, "--log-every", "20", *options]
        environment = dict(os.environ, XDG_CACHE_HOME=folder)
        process = subprocess.Popen([sys.executable, "-m", "ostinato", *words], env=environment)
        print(f"{text.stat().st_size / 1e9:.2f} GB, {' '.join(options)}\n")
        print("| second | step | own MB | of files MB | cache MB |")
        print("| --- | --- | --- | --- | --- |")
        first, seen = None, 0.0
        while process.poll() is None:
            time.sleep(0.2)
            spent, metrics = time.monotonic() - began, run / "metrics.jsonl"
            if first is None and metrics.exists() and metrics.stat().st_size:
                first = spent
            if spent - seen >= EVERY:
                seen = spent
                lines = metrics.read_text().splitlines() if metrics.exists() else []
                steps = max((json.loads(line).get("step", 0) for line in lines if line.endswith("}")), default=0)
                cache = sum(file.stat().st_size for file in Path(folder, "ostinato").glob("*") if file.exists())
                held = memory(process.pid)
                print(
                    f"| {spent:.0f} | {steps} | {held['RssAnon']} | {held['RssFile']} | {cache // 10**6} |", flush=True
                )
        print(f"\nfirst step after {first:.1f} s; status {process.returncode}")


if __name__ == "__main__":
    main()
