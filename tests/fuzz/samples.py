"""Small files of every kind that is read, and a run trained on each, from which cases start."""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ostinato.cli.main import main
from tests.support import prose

TINY = ["--hidden", "4", "--epochs", "1", "--threads", "1", "--batch", "8"]
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 60), "blue": (20, 40, 230)}

#: Of each sample: what trains its run, a file to read with it, and all files that `train` could read in its place.
TRAIN: dict[str, list[str]] = {
    "lm": ["lm", "book.txt", "--steps", "10", "--level", "word"],
    "classify": ["classify", "texts.csv", "--text", "text", "--label", "label", "--embed", "4"],
    "numbers": ["classify", "waves.csv", "--id", "id", "--label", "label", "--values", "a,b"],
    "archive": ["classify", "waves.ts"],
    "transcribe": ["transcribe", "frames.csv", "--id", "id", "--label", "said", "--values", "a,b"],
    "regress": ["regress", "prices.csv", "--text", "text", "--target", "price,weight", "--embed", "4"],
    "tag": ["tag", "names.txt", "--embed", "4", "--char-hidden", "2"],
    "forecast": ["forecast", "series.csv", "--target", "y", "--time", "time", "--window", "6", "--horizon", "2"],
    "translate": ["translate", "pairs.tsv", "--embed", "4"],
    "caption": ["caption", "captions.csv", "--images", "pictures", "--picture-size", "16", "--embed", "4"],
}
#: Files of each sample that its commands read: the first is what TRAIN names.
FILES: dict[str, list[str]] = {
    "lm": ["book.txt", "book.txt.gz", "book.jsonl"],
    "classify": ["texts.csv", "texts.tsv", "texts.jsonl", "texts.parquet", "texts.csv.gz"],
    "numbers": ["waves.csv", "waves.jsonl", "waves.parquet"],
    "archive": ["waves.ts"],
    "transcribe": ["frames.csv", "frames.jsonl", "frames.parquet"],
    "regress": ["prices.csv", "prices.jsonl", "prices.parquet"],
    "tag": ["names.txt", "names.conllu", "plain.txt"],
    "forecast": ["series.csv", "series.jsonl", "series.parquet"],
    "translate": ["pairs.tsv", "pairs.txt"],
    "caption": [
        "captions.csv",
        "pictures/0.png",
        "pictures/1.jpg",
        "pictures/2.bmp",
        "pictures/3.gif",
        "features.safetensors",
    ],
}


def made(name: str, bases: Path) -> Path:
    """The sample's folder, made where it is not there yet."""
    folder = bases / name
    if not folder.is_dir():
        fresh = bases / f"{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        _WRITE[name](fresh)
        _train(name, fresh)
        fresh.rename(folder)
    return folder


def _train(name: str, folder: Path) -> None:
    """In a fork: this process may have imported all that training needs."""
    said = folder.with_suffix(".said")
    child = os.fork()
    if not child:
        status = 70
        try:
            with said.open("w") as sys.stdout, said.open("a") as sys.stderr:
                os.chdir(folder)
                os.environ["XDG_CACHE_HOME"] = str(folder / ".cache")
                status = main(["train", *TRAIN[name], "--out", "run", *TINY])
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    if status:
        raise RuntimeError(f"the sample {name} does not train: {said.read_text()[-2000:]}")


def _lm(folder: Path) -> None:
    text = prose(lines=40)
    (folder / "book.txt").write_text(text)
    (folder / "book.txt.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    (folder / "book.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in text.splitlines()))


def _table(folder: Path, stem: str, rows: list[dict[str, object]]) -> None:
    """As CSV, TSV, JSON lines and, where pyarrow is there, Parquet."""
    names = list(rows[0])
    for ending, between in (("csv", ","), ("tsv", "\t")):
        lines = [between.join(names), *(between.join(str(row[name]) for name in names) for row in rows)]
        (folder / f"{stem}.{ending}").write_text("\n".join(lines) + "\n")
    (folder / f"{stem}.csv.gz").write_bytes(gzip.compress((folder / f"{stem}.csv").read_bytes(), mtime=0))
    (folder / f"{stem}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:
        from pyarrow import Table, parquet
    except ImportError:
        return
    parquet.write_table(Table.from_pylist(rows), folder / f"{stem}.parquet")


def _classify(folder: Path) -> None:
    draw = random.Random(1)
    words = {"good": ["fine", "warm", "kind"], "bad": ["poor", "cold", "mean"]}
    labels = [draw.choice(list(words)) for _ in range(30)]
    _table(folder, "texts", [{"text": " ".join(draw.choices(words[label], k=5)), "label": label} for label in labels])


def _numbers(folder: Path) -> None:
    draw, rows = random.Random(2), []
    for number in range(12):
        for step in range(6):
            value = round(math.sin(step * (1 + number % 2)) + draw.random() / 10, 3)
            rows.append({"id": number, "label": "ab"[number % 2], "a": value, "b": step})
    _table(folder, "waves", rows)


def _transcribe(folder: Path) -> None:
    draw, rows = random.Random(8), []
    for number in range(16):
        said = "".join(draw.choices("xyz", k=2))
        for frame, symbol in enumerate(said * 3):
            rows.append({"id": number, "said": said, "a": ord(symbol) + round(draw.random(), 3), "b": frame})
    _table(folder, "frames", rows)


def _archive(folder: Path) -> None:
    draw = random.Random(3)
    head = (
        "@problemName waves\n@timeStamps false\n@missing false\n@univariate true\n@equalLength true\n@seriesLength 8\n"
    )
    lines = [",".join(f"{draw.random() + n % 2:.3f}" for _ in range(8)) + f":{'ab'[n % 2]}" for n in range(16)]
    (folder / "waves.ts").write_text(head + "@classLabel true a b\n@data\n" + "\n".join(lines) + "\n")


def _regress(folder: Path) -> None:
    draw, rows = random.Random(7), []
    for _ in range(30):
        words = draw.choices(["fine", "warm", "poor", "cold"], k=5)
        rows.append({"text": " ".join(words), "price": words.count("fine") + 0.5, "weight": 10 - words.count("cold")})
    _table(folder, "prices", rows)


def _tag(folder: Path) -> None:
    draw, plain, columns = random.Random(4), [], []
    for _ in range(24):
        sentence = [
            (f"{draw.choice('ab')}{draw.randrange(5)}", draw.choice(["B-PER", "O", "O", "B-LOC"])) for _ in range(5)
        ]
        plain.append(" ".join(word for word, _ in sentence))
        columns.append(sentence)
    (folder / "plain.txt").write_text("\n".join(plain) + "\n")
    (folder / "names.txt").write_text("\n\n".join("\n".join(f"{w} {t}" for w, t in one) for one in columns) + "\n")
    rows = ["\n".join(f"{n}\t{w}\t_\t{t}" + "\t_" * 6 for n, (w, t) in enumerate(one, 1)) for one in columns]
    (folder / "names.conllu").write_text("\n\n".join(rows) + "\n\n")


def _forecast(folder: Path) -> None:
    rows = [
        {"time": f"2023-01-{day + 1:02d}", "y": round(10 + 3 * math.sin(day / 2), 2), "x": day % 7} for day in range(31)
    ]
    rows += [
        {"time": f"2023-02-{day + 1:02d}", "y": round(10 + 3 * math.sin(day / 2 + 4), 2), "x": day % 7}
        for day in range(28)
    ]
    _table(folder, "series", rows)


def _translate(folder: Path) -> None:
    draw = random.Random(5)
    pairs = ["".join(draw.choices("abc", k=4)) for _ in range(40)]
    (folder / "pairs.tsv").write_text("".join(f"{one}\t{one[::-1]}\n" for one in pairs))
    (folder / "pairs.txt").write_text("".join(f"{one} ||| {one[::-1]}\n" for one in pairs))


def _caption(folder: Path) -> None:
    from PIL import Image

    draw, rows, features = np.random.default_rng(6), ["image,caption"], {}
    (folder / "pictures").mkdir()
    for number in range(12):
        word = list(COLOURS)[number % 3]
        pixels = np.clip(np.array(COLOURS[word]) + draw.normal(0, 20, (9, 10, 3)), 0, 255).astype(np.uint8)
        name = f"{number}.{('png', 'jpg', 'bmp', 'gif')[number % 4]}"
        Image.fromarray(pixels).save(folder / "pictures" / name)
        features[name] = np.eye(3, dtype=np.float32)[number % 3]
        rows.append(f"{name},a {word} wall")
    (folder / "captions.csv").write_text("\n".join(rows) + "\n")
    save_file(features, folder / "features.safetensors")


_WRITE: dict[str, Callable[[Path], None]] = {
    "lm": _lm,
    "classify": _classify,
    "numbers": _numbers,
    "archive": _archive,
    "transcribe": _transcribe,
    "regress": _regress,
    "tag": _tag,
    "forecast": _forecast,
    "translate": _translate,
    "caption": _caption,
}
