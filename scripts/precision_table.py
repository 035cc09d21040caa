"""Whether a task's figures are the same with products in bfloat16: benchmarks/results/precision.md.

    python scripts/precision_table.py [CASE ...] [--data ../shared/data] [--threads 2] [--quick]

A case is a task, or a task and what else it reads: "classify numbers". Each is trained with three seeds by
`--precision highest` and by `medium`, and tested in float32. It takes hours and a machine that multiplies bfloat16;
--quick tries the script on any, for a few steps, and keeps nothing. `BFLOAT16` of a task's options may be True where
`same` says so of all its cases: `--precision auto` goes by it, and a test compares the two.
"""

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ostinato.api.info import describe
from ostinato.kernels import native

ROOT = Path(__file__).parents[1]
LINES = ROOT / "benchmarks" / "results" / "precision.jsonl"
SEEDS = (1, 2, 3)
PRECISIONS = {"highest": "float32", "medium": "bfloat16"}


class Case(NamedTuple):
    """A training of a task, of so many epochs that all runs see the same data.

    Attributes:
        data: what it is of, for the table.
        train: words of the command behind the task; DATA is the folder of public data, WORK one for what is made.
        test: words of `evaluate` behind the run.
        figure: of `evaluate`, the one that the task is judged by.
    """

    data: str
    train: str
    test: str
    figure: str


CASES = {
    "lm": Case(
        "Penn Treebank",
        "DATA/ptb/ptb.train.txt --valid DATA/ptb/ptb.valid.txt --preset rnnlm --epochs 3",
        "DATA/ptb/ptb.test.txt",
        "perplexity",
    ),
    "classify": Case(
        "IMDB, 100 tokens of each review",
        "DATA/imdb/imdb_train.tsv.gz --text text --label label --max-length 100 --epochs 2",
        "DATA/imdb/imdb_test.tsv.gz",
        "accuracy",
    ),
    "regress": Case(
        "IMDB's stars, 100 tokens of each review",
        "DATA/imdb/imdb_train.tsv.gz --text text --target rating --hidden 64 --max-length 100 --epochs 2",
        "DATA/imdb/imdb_test.tsv.gz",
        "rmse",
    ),
    "classify numbers": Case(
        "ArrowHead, outlines",
        "DATA/ucr_uea/ArrowHead_TRAIN.ts",
        "DATA/ucr_uea/ArrowHead_TEST.ts",
        "accuracy",
    ),
    "regress numbers": Case(
        "the sum of digits made of noisy frames",
        "WORK/digits.csv --target total --id id --values a,b,c --epochs 20",
        "WORK/digits.test.csv",
        "rmse",
    ),
    "tag": Case(
        "EWT, parts of speech",
        "DATA/ud_english_ewt/en_ewt-ud-train.conllu.gz --column upos "
        "--valid DATA/ud_english_ewt/en_ewt-ud-dev.conllu.gz --epochs 3",
        "DATA/ud_english_ewt/en_ewt-ud-test.conllu.gz",
        "accuracy",
    ),
    "translate": Case(
        "Multi30k, German to English",
        "--source DATA/multi30k_en_de/train.de.gz --target DATA/multi30k_en_de/train.en.gz "
        "--valid DATA/multi30k_en_de/val.de.gz,DATA/multi30k_en_de/val.en.gz --hidden 128 --epochs 4",
        "DATA/multi30k_en_de/test_2016_flickr.de.gz DATA/multi30k_en_de/test_2016_flickr.en.gz",
        "bleu",
    ),
    "forecast": Case(
        "monthly sunspots",
        "WORK/sunspots.csv --target Sunspots --time Month --window 132 --horizon 36 --season 132 --epochs 8",
        "DATA/timeseries/monthly-sunspots.csv",
        "mase",
    ),
    "caption": Case(
        "drawn shapes",
        "WORK/drawn/captions.csv --images WORK/drawn/pictures --test WORK/drawn/test.txt --hidden 128 --dropout 0 "
        "--batch 32 --epochs 20",
        "WORK/drawn/test.txt",
        "exact_match",
    ),
    "transcribe": Case(
        "digits made of noisy frames",
        "WORK/digits.csv --label said --id id --values a,b,c --hidden 24 --batch 16 --lr 0.02 --epochs 8",
        "WORK/digits.test.csv",
        "error_rate",
    ),
}


def same(task: str, lines: Sequence[dict[str, Any]]) -> bool:
    """Whether lines show the same figures of a task: over the seeds, the medians of the two precisions are no further
    apart than two seeds of one precision are."""
    figures = _figures(task, lines)
    if any(len(found) < len(SEEDS) for found in figures.values()):
        return False
    spread = max(max(found) - min(found) for found in figures.values())
    first, second = (statistics.median(found) for found in figures.values())
    return abs(first - second) <= spread


def kept_lines() -> list[dict[str, Any]]:
    """The lines that there are."""
    return [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.exists() else []


def _figures(task: str, lines: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    of_task = [line for line in lines if line["task"] == task]
    return {name: [line["value"] for line in of_task if line["precision"] == name] for name in PRECISIONS}


def written(lines: Sequence[dict[str, Any]]) -> str:
    """The page: a row for each task."""
    rows = ["| task | data | figure | float32 | bfloat16 | the same | machine |", "|---|---|---|---|---|---|---|"]
    for task, case in CASES.items():
        if sets := sorted({line["isa"] for line in lines if line["task"] == task}):
            shown = [_shown(found) for found in _figures(task, lines).values()]
            judged = "yes" if same(task, lines) else "not shown"
            cells = [task, case.data, case.figure.replace("_", " "), *shown, judged, ", ".join(sets)]
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([HEAD, *rows, ""])


HEAD = """# The same figures in bfloat16?

Test figures of small trainings with products in float32 (`--precision highest`) and in bfloat16 (`medium`): the median
of three seeds, and each in brackets; tested in float32. They are called the same where the medians are no further apart
than two seeds of one precision. `--precision auto` may take bfloat16 for the tasks with a "yes". Made by
`scripts/precision_table.py`.
"""


def _shown(values: list[float]) -> str:
    if not values:
        return ""
    return f"{statistics.median(values):.4g} ({', '.join(f'{value:.4g}' for value in values)})"


def ostinato(*words: str) -> dict[str, Any]:
    """The object that a command gives."""
    command = [str(Path(sys.executable).with_name("ostinato")), *words]
    print("$ ostinato", *command[1:], file=sys.stderr, flush=True)
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def prepare(task: str, data: Path, work: Path) -> None:
    """Make what a case trains on, where that is not a file of the data."""
    if task == "forecast":
        heading, *rows = (data / "timeseries" / "monthly-sunspots.csv").read_text().splitlines(keepends=True)
        (work / "sunspots.csv").write_text(heading + "".join(rows[: len(rows) * 4 // 5]))
    if task in ("transcribe", "regress numbers"):
        write_digits(work / "digits.csv", 600, 0)
        write_digits(work / "digits.test.csv", 200, 1)
    if task == "caption" and not (work / "drawn").exists():
        sys.path.insert(0, str(ROOT / "examples"))
        import shapes

        shapes.draw_all(work / "drawn", 4000)


def write_digits(path: Path, count: int, seed: int) -> None:
    """Sequences of digits, each two to five noisy frames around its place on a circle, with quiet frames between."""
    draw = random.Random(seed)
    places = ((1, 0), (0, 1), (-1, 0), (0, -1))
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "said", "total", "a", "b", "c"])
        for number in range(count):
            said = [draw.randrange(4) for _ in range(draw.randrange(1, 6))]
            about = [f"s{number}", "".join(map(str, said)), sum(said)]
            for digit in said:
                loud = [(*places[digit], 1)] * draw.randrange(2, 6) + [(0, 0, 0)] * draw.randrange(1, 4)
                noisy = [[f"{value + draw.gauss(0, 0.6):.4f}" for value in frame] for frame in loud]
                rows.writerows([*about, *frame] for frame in noisy)


def measure(
    task: str, case: Case, data: Path, work: Path, threads: int, more: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Train with each seed and precision; what came out."""
    prepare(task, data, work)

    def given(words: str) -> list[str]:
        return [word.replace("DATA", str(data)).replace("WORK", str(work)) for word in words.split()]

    isa = describe().native
    for seed in SEEDS:
        for precision in PRECISIONS:
            run = str(work / f"{task}-{precision}-{seed}".replace(" ", "-"))
            words = ["train", task.split()[0], *given(case.train), "--precision", precision, "--seed", str(seed), *more]
            ostinato(*words, "--out", run, "--threads", str(threads), "--overwrite")
            value = ostinato("evaluate", run, *given(case.test), "--threads", str(threads))[case.figure]
            yield {"task": task, "precision": precision, "seed": seed, "value": value, "isa": isa}


def keep(line: dict[str, Any]) -> None:
    """Add a line, in place of the one of the same run, and write the page."""
    run = ("task", "precision", "seed")
    lines = [kept for kept in kept_lines() if [kept[name] for name in run] != [line[name] for name in run]] + [line]
    LINES.write_text("".join(json.dumps(kept) + "\n" for kept in lines))
    LINES.with_suffix(".md").write_text(written(lines))


def main() -> None:
    """Measure what was asked for, a line at a time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("OSTINATO_DATA", "../shared/data")))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="eight seconds of each, on any machine; nothing is kept")
    options = parser.parse_args()
    if not (options.quick or native.multiplies_bfloat16()):
        parser.error("this processor does not multiply bfloat16 (ostinato info); --quick tries the script")
    more = ["--time-limit", "8"] if options.quick else []
    with tempfile.TemporaryDirectory() as work:
        for task in options.cases or CASES:
            for line in measure(task, CASES[task], options.data, Path(work), options.threads, more):
                print(json.dumps(line), flush=True)
                if not options.quick:
                    keep(line)


if __name__ == "__main__":
    main()
