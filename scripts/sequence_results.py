"""Figures of translate and caption on public data, with the defaults: benchmarks/results/sequences.json.

    python scripts/sequence_results.py [NAME ...] [--data ../shared/data] [--threads 2] [--scale 1]

Names: date, addition, multi30k, shapes, flickr8k; all where none is given. Each is trained for as long as it says
below, times --scale, and measured with a beam of 5. A figure replaces the one of the same name in the file.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "sequences.json"
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))


class Bench:
    """Runs commands and keeps what they say."""

    def __init__(self, data: Path, folder: Path, threads: int, scale: float) -> None:
        self.data, self.folder, self.threads, self.scale = data, folder, threads, scale

    def ask(self, *words: object) -> dict[str, Any]:
        """The object that a command gives."""
        command = ["ostinato", *map(str, words), "--threads", str(self.threads), "--json"]
        print("$", *command, file=sys.stderr, flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def train(self, task: str, *words: object, seconds: float, name: str) -> dict[str, Any]:
        """Train for so long; what train says, with the command and the seconds."""
        run = self.folder / name
        limit = round(seconds * self.scale)
        trained = self.ask("train", task, *words, "--out", run, "--time-limit", limit)
        command = " ".join(map(str, ("ostinato train", task, *words, "--time-limit", limit)))
        for folder, short in ((self.data, "DATA"), (self.folder, "WORK")):
            command = command.replace(str(folder), short)
        kept = {key: trained[key] for key in ("epochs", "steps", "parameters", "seconds")}
        return {"command": command, "seed": 1, "threads": self.threads, **kept}

    def dlfs2(self, name: str, seconds: float) -> dict[str, Any]:
        """The book's split: the last tenth after a shuffle of the line numbers."""
        lines = [line for line in (self.data / "dlfs2" / f"{name}.txt").read_text().split("\n") if line]
        order = np.arange(len(lines))
        np.random.seed(1984)
        np.random.shuffle(order)
        cut = len(lines) - len(lines) // 10
        train, test = ([lines[row] for row in rows] for rows in (order[:cut], order[cut:]))
        known = {line.split("_")[0].strip() for line in train}
        unseen = [line for line in test if line.split("_")[0].strip() not in known]
        files = {part: self.folder / f"{name}.{part}" for part in ("train", "test", "unseen")}
        for file, part in zip(files.values(), (train, test, unseen), strict=True):
            file.write_text("\n".join(part) + "\n")
        row = self.train("translate", files["train"], "--separator", "_", "--level", "char", seconds=seconds, name=name)
        row["exact_match"] = self.ask("evaluate", self.folder / name, files["test"])["exact_match"]
        row["exact_match_unseen"] = self.ask("evaluate", self.folder / name, files["unseen"])["exact_match"]
        return row | {"test_pairs": len(test), "unseen_pairs": len(unseen)}

    def date(self) -> dict[str, Any]:
        """Dates in words to dates in digits."""
        return self.dlfs2("date", 180)

    def addition(self) -> dict[str, Any]:
        """Sums of two numbers of up to three digits."""
        return self.dlfs2("addition", 300)

    def multi30k(self) -> dict[str, Any]:
        """German to English."""
        base = self.data / "multi30k_en_de"

        def both(part: str) -> tuple[Path, Path]:
            return base / f"{part}.de.gz", base / f"{part}.en.gz"

        source, target = both("train")
        words = ("--source", source, "--target", target, "--valid", "{},{}".format(*both("val")))
        row = self.train("translate", *words, "--precision", "medium", seconds=1800, name="multi30k")
        figures = self.ask("evaluate", self.folder / "multi30k", *both("test_2016_flickr"))
        return row | {key: figures[key] for key in ("bleu", "chrf", "bleu_signature")}

    def shapes(self) -> dict[str, Any]:
        """Drawn shapes, of examples/shapes.py."""
        import shapes

        folder = self.folder / "drawn"
        shapes.draw_all(folder, 4000)
        words = (folder / "captions.csv", "--images", folder / "pictures", "--test", folder / "test.txt")
        row = self.train("caption", *words, "--hidden", 128, "--dropout", 0, "--batch", 32, seconds=150, name="shapes")
        return row | {"exact_match": self.ask("evaluate", self.folder / "shapes", folder / "test.txt")["exact_match"]}

    def flickr8k(self) -> dict[str, Any]:
        """Photographs, and the same decoder that sees nothing: features of zero."""
        base = self.data / "flickr8k"
        captions = base / "captions_1000.csv"
        names = {line.split(",")[0] for line in captions.read_text().splitlines()[1:]}
        blind = self.folder / "nothing.safetensors"
        save_file({name: np.zeros(1, np.float32) for name in names}, blind)
        parts = ("--valid", base / "Flickr_8k.devImages.txt", "--test", base / "Flickr_8k.testImages.txt")
        row: dict[str, Any] = {}
        for name, sees in (("flickr8k", ("--images", base / "images")), ("flickr8k_blind", ("--features", blind))):
            found = self.train("caption", captions, *sees, *parts, seconds=300, name=name)
            figures = self.ask("evaluate", self.folder / name, base / "Flickr_8k.testImages.txt")
            found |= {key: figures[key] for key in ("examples", "bleu4", "cider")}
            row |= found if not row else {"blind": found}
        return row


def main() -> None:
    """Run what was asked for, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=["date", "addition", "multi30k", "shapes", "flickr8k"])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("OSTINATO_DATA", "../shared/data")))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.data, Path(folder), options.threads, options.scale)
        for name in options.names:
            run: Callable[[], dict[str, Any]] = getattr(bench, name)
            write(name, run() | {"machine": platform.processor() or platform.machine()})


def write(name: str, row: dict[str, Any]) -> None:
    """Put a row into the file of results."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[name] = row
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps({name: row}, indent=2))


if __name__ == "__main__":
    main()
