"""Positive or negative? Film reviews, read word by word by an LSTM that knows the 10,000 most frequent words.

    python examples/imdb.py --data FOLDER --seconds 300

FOLDER holds imdb_train.tsv.gz and imdb_test.tsv.gz, with columns text and label (1 positive, 0 negative): the Large
Movie Review Dataset of Maas et al. (2011). Without it the example makes up reviews, to show the way. Afterwards
runs/imdb/confusion.png shows what was taken for what.
"""

import argparse
import csv
import gzip
import os
import random
from pathlib import Path

import ostinato

HERE = Path(__file__).parent


def shorten(source: Path, target: Path, count: int) -> None:
    """The first and the last reviews of a file: positive ones come first."""
    with gzip.open(source, "rt", encoding="utf-8", newline="\n") as file:
        head, *rows = file
    target.write_text("".join([head, *rows[: count // 2], *rows[-(count // 2) :]]), encoding="utf-8")


def make_up(target: Path, count: int) -> None:
    """Reviews that begin well and end badly, or the other way round: the last word counts. Others for each file."""
    draw = random.Random(target.name)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["label", "text"])
        for number in range(count):
            first, last = ("dull", "lovely") if number % 2 else ("lovely", "dull")
            filler = draw.choices(["the", "story", "of", "a", "house"], k=draw.randrange(3, 9))
            writer.writerow([number % 2, f"{first} at first {' '.join(filler)} but {last} in the end"])


def main() -> None:
    """Train, measure, ask."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    data = os.environ.get("OSTINATO_DATA", HERE.parent / ".." / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(data) / "imdb")
    parser.add_argument("--reviews", type=int, default=25_000, help="how many to train on, and to test on")
    parser.add_argument("--seconds", type=float, default=300.0)
    options = parser.parse_args()
    files, made = {}, Path("runs/reviews")  # not here, where a train.tsv may be one's own
    made.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        files[part], whole = made / f"{part}.tsv", options.data / f"imdb_{part}.tsv.gz"
        if not whole.is_file():
            print(f"{whole} is not there: making up {part} reviews")
            make_up(files[part], min(options.reviews, 400))
        elif options.reviews < 25_000:
            shorten(whole, files[part], options.reviews)
        else:
            files[part] = whole
    run = ostinato.train(
        "classify",
        files["train"],
        out="runs/imdb",
        text="text",
        label="label",
        vocab_size=10_000,
        test=str(files["test"]),
        time_limit=options.seconds,
        overwrite=True,
    )
    print(f"{run.test['accuracy']:.1%} of {run.test['examples']:,} reviews are told right")
    own = made / "own.tsv"
    own.write_text("text\nA lovely film, I enjoyed every minute.\nThe plot is dull and the acting is worse.\n")
    for answer in run.predict(own):
        print(f"positive with probability {answer['probabilities']['1']:.2f}")


if __name__ == "__main__":
    main()
