"""Figures of tasks on public data, with the defaults: benchmarks/results/tasks.md. Forecasts have their own script.

    python scripts/task_figures.py [NAME ...] [--data ../shared/data] [--threads 2] [--runs runs/figures]

Without names it makes all, which takes two and a half hours of both cores. Every run is one command, which the table
shows; a run that is finished is only measured again, one that was stopped goes on. Each adds its line to tasks.jsonl,
in place of the one of the same name and seed.
"""

import argparse
import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[1]
LINES = ROOT / "benchmarks" / "results" / "tasks.jsonl"
sys.path.insert(0, str(ROOT / "examples"))

Words = Sequence[object]


class Case(NamedTuple):
    """One thing to train.

    Attributes:
        task: classify, regress, tag, translate or caption.
        train: words of the command behind the task.
        tests: words of `evaluate` behind the run, for each set of figures; the first is the test data.
        seeds: one run each.
        kept: figures of `evaluate` that the table shows.
    """

    task: str
    train: Words
    tests: dict[str, Words]
    kept: tuple[str, ...]
    seeds: tuple[int, ...] = (1,)


class Cases:
    """What is trained, by name; `data` is the folder of public data, `work` one for what is made of it."""

    def __init__(self, data: Path, work: Path) -> None:
        self.data, self.work = data, work

    def imdb(self) -> Case:
        """Reviews, positive or negative."""
        train, test = (self.data / "imdb" / f"imdb_{part}.tsv.gz" for part in ("train", "test"))
        words = (train, "--text", "text", "--label", "label", "--precision", "medium")
        return Case("classify", words, {"": [test]}, ("accuracy", "macro_f1"))

    def imdb_500(self) -> Case:
        """500 reviews with their label, as many of either kind, and the others as text alone."""
        source, test = (self.data / "imdb" / f"imdb_{part}.tsv.gz" for part in ("train", "test"))
        with gzip.open(source, "rt", encoding="utf-8", newline="") as lines:
            reviews = list(csv.DictReader(lines, delimiter="\t"))
        few, rest = self.work / "imdb_500.tsv", self.work / "imdb_500.rest.txt"
        draw, chosen = np.random.default_rng(1), set()
        for label in sorted({review["label"] for review in reviews}):
            alike = [n for n, one in enumerate(reviews) if one["label"] == label]
            chosen |= set(draw.choice(alike, 250, replace=False))
        with few.open("w", encoding="utf-8", newline="") as table:
            writer = csv.writer(table, delimiter="\t")
            writer.writerows([("label", "text"), *((reviews[n]["label"], reviews[n]["text"]) for n in sorted(chosen))])
        texts = [one["text"].replace("\n", " ") for n, one in enumerate(reviews) if n not in chosen]
        rest.write_text("\n".join(texts) + "\n", encoding="utf-8")
        words = (few, "--text", "text", "--label", "label", "--unlabelled", rest)
        return Case("classify", words, {"": [test]}, ("accuracy", "macro_f1"))

    def imdb_stars(self) -> Case:
        """One to ten stars: every fifth review to learn from, every tenth to test on: three seeds in minutes."""
        files = []
        for part, every in (("train", 5), ("test", 10)):
            with gzip.open(self.data / "imdb" / f"imdb_{part}.tsv.gz", "rt", encoding="utf-8") as lines:
                heading, *reviews = lines
            files.append(self.work / f"imdb_stars.{part}.tsv")
            files[-1].write_text(heading + "".join(reviews[::every]), encoding="utf-8")
        train, test = files
        words = (train, "--text", "text", "--target", "rating", "--hidden", 64, "--epochs", 3, "--max-length", 200)
        kept = ("rmse", "mean_rmse", "mae", "mean_mae", "r2")
        return Case("regress", (*words, "--precision", "medium"), {"": [test]}, kept, (1, 2, 3))

    def basic_motions(self) -> Case:
        """Six sensors, four motions."""
        return self._series("BasicMotions")

    def arrow_head(self) -> Case:
        """Outlines of arrow heads, 36 to learn from."""
        return self._series("ArrowHead")

    def _series(self, name: str) -> Case:
        train, test = (self.data / "ucr_uea" / f"{name}_{part}.ts" for part in ("TRAIN", "TEST"))
        return Case("classify", [train], {"": [test]}, ("accuracy", "macro_f1"), (1, 2, 3, 4, 5))

    def ewt(self) -> Case:
        """Parts of speech of English on the web."""
        train, dev, test = (
            self.data / "ud_english_ewt" / f"en_ewt-ud-{part}.conllu.gz" for part in ("train", "dev", "test")
        )
        return Case("tag", (train, "--column", "upos", "--valid", dev), {"": [test]}, ("accuracy",))

    def date(self) -> Case:
        """Dates in words to dates in digits."""
        return self._book("date", 180)

    def addition(self) -> Case:
        """Sums of two numbers of up to three digits."""
        return self._book("addition", 300)

    def _book(self, name: str, seconds: int) -> Case:
        """The book's split: the last tenth after a shuffle of the line numbers."""
        lines = [line for line in (self.data / "dlfs2" / f"{name}.txt").read_text().split("\n") if line]
        order = np.arange(len(lines))
        np.random.seed(1984)
        np.random.shuffle(order)
        cut = len(lines) - len(lines) // 10
        train, test = ([lines[row] for row in rows] for rows in (order[:cut], order[cut:]))
        known = {line.split("_")[0].strip() for line in train}
        parts = {
            "train": train,
            "test": test,
            "unseen": [line for line in test if line.split("_")[0].strip() not in known],
        }
        files = {part: self.work / f"{name}.{part}" for part in parts}
        for part, held in parts.items():
            files[part].write_text("\n".join(held) + "\n")
        words = (files["train"], "--separator", "_", "--level", "char", "--time-limit", seconds)
        return Case("translate", words, {"": [files["test"]], "unseen": [files["unseen"]]}, ("exact_match", "examples"))

    def multi30k(self) -> Case:
        """German to English."""

        def both(part: str) -> tuple[Path, ...]:
            return tuple(self.data / "multi30k_en_de" / f"{part}.{side}.gz" for side in ("de", "en"))

        source, target = both("train")
        words = ("--source", source, "--target", target, "--valid", "{},{}".format(*both("val")))
        more = ("--precision", "medium", "--time-limit", 1800)
        kept = ("bleu", "chrf", "bleu_signature")
        return Case("translate", (*words, *more), {"": [*both("test_2016_flickr"), "--beam", 5]}, kept)

    def shapes(self) -> Case:
        """Drawn shapes, of examples/shapes.py."""
        import shapes

        folder = self.work / "drawn"
        if not folder.exists():
            shapes.draw_all(folder, 4000)
        words = (folder / "captions.csv", "--images", folder / "pictures", "--test", folder / "test.txt")
        small = ("--hidden", 128, "--dropout", 0, "--batch", 32, "--time-limit", 240)
        return Case("caption", (*words, *small), {"": [folder / "test.txt"]}, ("exact_match", "examples"))

    def flickr8k(self) -> Case:
        """Photographs."""
        return self._photographs("--images", self.data / "flickr8k" / "images")

    def flickr8k_blind(self) -> Case:
        """The same decoder, which sees nothing: features of zero."""
        with (self.data / "flickr8k" / "captions_1000.csv").open(newline="", encoding="utf-8") as file:
            names = {row[0] for row in list(csv.reader(file))[1:]}
        nothing = self.work / "nothing.safetensors"
        save_file({name: np.zeros(1, np.float32) for name in names}, nothing)
        return self._photographs("--features", nothing)

    def _photographs(self, *sees: object) -> Case:
        base = self.data / "flickr8k"
        test = base / "Flickr_8k.testImages.txt"
        words = (base / "captions_1000.csv", *sees, "--valid", base / "Flickr_8k.devImages.txt", "--test", test)
        return Case("caption", (*words, "--time-limit", 300), {"": [test, "--beam", 5]}, ("cider", "bleu4", "examples"))


NAMES = [name for name in vars(Cases) if not name.startswith("_")]


def ostinato(*words: object) -> dict[str, Any]:
    """The object that a command gives."""
    command = [str(Path(sys.executable).with_name("ostinato")), *map(str, words), "--json"]
    print("$ ostinato", *command[1:], file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(name: str, case: Case, work: Path, shown: Callable[[str], str], threads: int) -> Iterator[dict[str, Any]]:
    """Train with each seed; what came out."""
    for seed in case.seeds:
        run = work / f"{name}-{seed}"
        words = ("train", case.task, *case.train, "--out", run, "--seed", seed, "--threads", threads)
        trained = ostinato(*words, "--resume")
        found: dict[str, Any] = {}
        for part, test in case.tests.items():
            figures = ostinato("evaluate", run, *test, "--threads", threads)
            found |= {f"{part}_{key}".strip("_"): figures[key] for key in case.kept}
        command = shown(" ".join(map(str, ("ostinato", *words))))
        kept = {key: trained[key] for key in ("epochs", "steps", "parameters")}
        last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])  # of all of a run that was gone on with
        kept["seconds"] = last["seconds"]
        yield {"name": name, "seed": seed, "threads": threads, **found, **kept, "command": command}


def written(lines: list[dict[str, Any]]) -> str:
    """The page: a row for each name, the median where there are several seeds, and the commands."""
    rows = ["| data | seeds | figures of the test data | steps | seconds | parameters |", "|---|---|---|---|---|---|"]
    commands = []
    for name in NAMES:
        of_name = sorted((line for line in lines if line["name"] == name), key=lambda line: line["seed"])
        if not of_name:
            continue
        first = of_name[0]
        about = {"name", "seed", "threads", "epochs", "steps", "parameters", "seconds", "command"}
        figures = [_figure(key, [line[key] for line in of_name]) for key in first if key not in about]
        seeds = str(first["seed"]) if len(of_name) == 1 else f"{first['seed']} to {of_name[-1]['seed']}"
        seconds = statistics.median(line["seconds"] for line in of_name)
        cells = (name, seeds, "; ".join(figures), f"{first['steps']:,}", f"{seconds:.0f}", f"{first['parameters']:,}")
        rows.append(f"| {' | '.join(cells)} |")
        commands.append(f"    {first['command']}")
    return "\n".join([HEAD, *rows, "", "Commands (of several seeds the first):", "", *commands, ""])


HEAD = """# What each task reaches on public data

Trained from nothing, with the defaults but for what the commands below say; on a machine of two cores, with as many
threads as they say. Seconds are those of the training, beside other work for most. Made by `scripts/task_figures.py`;
forecasts have [their own table](forecast.md), and so has [the adding problem](long-memory.md).
"""


def _figure(key: str, values: list[Any]) -> str:
    if isinstance(values[0], str):
        return f"`{values[0]}`".replace("|", "\\|")
    digits = ",.0f" if key.endswith("examples") else ".2f" if key in ("bleu", "chrf") else ".4f"
    each = " (" + ", ".join(f"{value:{digits}}" for value in values) + ")" if len(values) > 1 else ""
    return f"{key.replace('_', ' ')} {statistics.median(values):{digits}}{each}"


def main() -> None:
    """Make what was asked for, a line at a time, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("OSTINATO_DATA", "../shared/data")))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/figures"))
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    cases = Cases(options.data, options.runs)

    def shown(command: str) -> str:
        return command.replace(str(options.data), "DATA").replace(str(options.runs), "RUNS")

    for name in options.names or NAMES:
        for line in measure(name, getattr(cases, name)(), options.runs, shown, options.threads):
            lines = [json.loads(kept) for kept in LINES.read_text().splitlines()] if LINES.exists() else []
            lines = [kept for kept in lines if (kept["name"], kept["seed"]) != (name, line["seed"])] + [line]
            LINES.write_text("".join(json.dumps(kept) + "\n" for kept in lines))
            LINES.with_suffix(".md").write_text(written(lines))
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
