"""The table of classification figures in benchmarks/results: trains with the defaults, and writes what came out.

    python scripts/classify_figures.py --data ../shared/data --out benchmarks/results/classify.md

The data folder holds imdb/imdb_{train,test}.tsv.gz and ucr_uea/{ArrowHead,BasicMotions}_{TRAIN,TEST}.ts. Runs go to a
folder of their own; one that is there already is gone on with (`--resume`), so that the script may be stopped.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

SEEDS = (1, 2, 3, 4, 5)


def train(out: Path, train_file: Path, test_file: Path, *options: str) -> tuple[list[str], dict]:
    """Run `ostinato train classify`, or go on with it; gives the command and its figures."""
    command = ["ostinato", "train", "classify", str(train_file), "--test", str(test_file), "--out", str(out), *options]
    print("+", *command, file=sys.stderr, flush=True)
    words = [sys.executable, "-m", "ostinato.cli.main", *command[1:], "--resume", "--json"]
    ran = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(ran.stdout.splitlines()[-1])
    if "test" not in result:  # it had ended before: measure it
        words = [sys.executable, "-m", "ostinato.cli.main", "evaluate", str(out), str(test_file), "--json"]
        result["test"] = json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return command, result


def row(name: str, results: list[dict]) -> str:
    """One line of the table: the median over the seeds, and what it is the median of."""
    accuracies = sorted(result["test"]["accuracy"] for result in results)
    macro = statistics.median(result["test"]["macro_f1"] for result in results)
    each = ", ".join(f"{accuracy:.4f}" for accuracy in accuracies) if len(results) > 1 else ""
    cells = (name, f"{statistics.median(accuracies):.4f}", f"{macro:.4f}", each, f"{results[0]['steps']:,}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Train everything, write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("OSTINATO_DATA", "../shared/data")))
    parser.add_argument("--runs", type=Path, default=Path("runs/classify"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/classify.md"))
    parser.add_argument("--seconds", type=float, default=1200.0, help="for the reviews")
    parser.add_argument("--only", nargs="*", default=["imdb", "BasicMotions", "ArrowHead"])
    parser.add_argument("--threads", default="0")
    options = parser.parse_args()
    rows, commands = [], []
    if "imdb" in options.only:
        files = [options.data / "imdb" / f"imdb_{part}.tsv.gz" for part in ("train", "test")]
        words = ("--text", "text", "--label", "label", "--time-limit", f"{options.seconds:g}")
        command, result = train(options.runs / "imdb", *files, *words, "--threads", options.threads)
        rows.append(row(f"imdb, {options.seconds / 60:g} minutes", [result]))
        commands.append(command)
    for name in ("BasicMotions", "ArrowHead"):
        if name not in options.only:
            continue
        files = [options.data / "ucr_uea" / f"{name}_{part}.ts" for part in ("TRAIN", "TEST")]
        results = []
        for seed in SEEDS:
            words = ("--seed", str(seed), "--threads", options.threads)
            command, result = train(options.runs / f"{name}-{seed}", *files, *words)
            results.append(result)
        rows.append(row(f"{name}, median of seeds {SEEDS[0]} to {SEEDS[-1]}", results))
        commands.append(command)
    lines = [
        "# Classification",
        "",
        f"Made by `scripts/classify_figures.py` on {os.cpu_count()} cores ({platform.machine()}), with the defaults. "
        "Figures are those of the whole test files.",
        "",
        "| data | test accuracy | macro F1 | accuracy of each seed | steps |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "Commands (of several seeds the last):",
        "",
        *(f"    {' '.join(command)}" for command in commands),
        "",
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines), encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
