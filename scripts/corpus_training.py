"""How soon a training on a large corpus begins, and what memory it takes (Linux): for benchmarks/results/corpora.md.

    python scripts/corpus_training.py TASK TEXT GIGABYTES SECONDS [OPTION...]

TASK is lm, classify, regress, tag or translate. TEXT is repeated until there are so many gigabytes, in random order of
variants in which some words have changed places; where that is 0, the file is taken as it is. To classify are eight
lines at a time, in a CSV file, sorted by their labels within a variant; what is learned of them, or of sentences with
their words the other way round, is of no interest. The file lies in TMPDIR, and so do run and cache: all are removed at
the end. Options are of `ostinato train TASK`.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

EVERY = 10.0  #: seconds between two looks
VARIANTS = 8
TOGETHER = 8  #: lines of a text that is classified

COLUMNS = {"classify": ["--text", "text", "--label", "label"], "regress": ["--text", "text", "--target", "label"]}


def as_text(lines: Iterable[str]) -> str:
    """Each as it is."""
    return "".join(f"{line}\n" for line in lines)


def as_pairs(lines: Iterable[str]) -> str:
    """Each with its words the other way round."""
    return "".join(f"{line.strip()}\t{' '.join(reversed(line.split()))}\n" for line in lines if line.strip())


def as_tags(lines: Iterable[str]) -> str:
    """Each word with its last letter."""
    return "".join("".join(f"{word}\t{word[-1]}\n" for word in line.split()) + "\n" for line in lines if line.strip())


def as_rows(lines: Iterable[str]) -> str:
    """Some together, and how many words they have."""
    rows, held = [], list(lines)
    for start in range(0, len(held), TOGETHER):
        text = " ".join(held[start : start + TOGETHER]).replace('"', '""').strip()
        rows.append(f'"{text}",{len(text.split()) // 20}\n')
    return "".join(sorted(rows, key=lambda row: row.rpartition(",")[2]))


FORMS: dict[str, Callable[[Iterable[str]], str]] = {
    "lm": as_text,
    "translate": as_pairs,
    "tag": as_tags,
    "classify": as_rows,
    "regress": as_rows,
}


def grown(source: Path, to: Path, size: float, form: Callable[[Iterable[str]], str], heading: str) -> None:
    """A large file of a small text."""
    lines, draw, parts = source.read_text(encoding="utf-8").splitlines(), random.Random(1), list[bytes]()
    for _ in range(VARIANTS):
        words = sorted({word for line in draw.sample(lines, 200) for word in line.split()})
        other = dict(zip(words, draw.sample(words, len(words)), strict=True))
        changed = (" ".join(other.get(word, word) for word in line.split(" ")) for line in lines)
        parts.append(form(changed).encode())
    with to.open("wb") as file:
        file.write(heading.encode())
        while file.tell() < size:
            file.write(draw.choice(parts))


def memory(process: int) -> dict[str, int]:
    """MB of a process: its own, and pages of files."""
    fields = dict(line.split(":") for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return {name: int(fields[name].split()[0]) // 1000 for name in ("RssAnon", "RssFile")}


def main() -> None:
    """Measure."""
    task, source, gigabytes, seconds, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        run, heading = Path(folder, "run"), "text,label\n" if task in COLUMNS else ""
        text = Path(folder, "corpus.csv" if heading else "corpus.txt")
        if float(gigabytes):
            grown(Path(source), text, 1e9 * float(gigabytes), FORMS[task], heading)
        else:
            text = Path(source)
        began = time.monotonic()
        words = ["train", task, str(text), "--out", str(run), "--time-limit", seconds, "--log-every", "20"]
        words += [*COLUMNS.get(task, []), *options]
        environment = dict(os.environ, XDG_CACHE_HOME=folder)
        process = subprocess.Popen([sys.executable, "-m", "ostinato", *words], env=environment)
        print(f"{task}: {text.stat().st_size / 1e9:.2f} GB, {' '.join(options)}\n")
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
        told = "no step was told of" if first is None else f"first 20 steps done after {first:.1f} s"
        print(f"\n{told}; status {process.returncode}")


if __name__ == "__main__":
    main()
