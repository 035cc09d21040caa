"""A command on two hosts at once, and small data of every task to train on."""

import os
import random
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tests.end_to_end.harness import Command, Result, next_port, start
from tests.end_to_end.hosts import Hosts
from tests.support import prose


class Pair:
    """A command on both hosts, each in a folder of its own, with a cache of its own, which the other does not see.

    Args:
        hosts: two.
        root: a folder for theirs.
    """

    def __init__(self, hosts: Hosts, root: Path) -> None:
        self.hosts, self.root = hosts, root
        self.started: list[Command] = []
        self.folders = [root / side / "work" for side in "ab"]
        for folder in self.folders:
            folder.mkdir(parents=True)

    def start(
        self,
        *words: object,
        port: str | None = None,
        address: str | None = None,
        ranks: tuple[int, ...] = (0, 1),
        environment: dict[int, dict[str, str]] | None = None,
        beside: int = 1,
    ) -> list[Command]:
        """Start it on the hosts `ranks`, as torchrun would, with so many processes `beside` each other on each."""
        port = port or next_port()
        begun = []
        for rank in [host * beside + local for host in ranks for local in range(beside)]:
            host, local = divmod(rank, beside)
            own = os.environ | {
                "TEST_HOST": self.hosts.names[host],
                "XDG_CACHE_HOME": str(self.folders[host].parent / "cache"),
                "MASTER_ADDR": address or self.hosts.addresses[0],
                "MASTER_PORT": port,
                "RANK": str(rank),
                "WORLD_SIZE": str(2 * beside),
                "LOCAL_WORLD_SIZE": str(beside),
                "LOCAL_RANK": str(local),
                **(environment or {}).get(rank, {}),
            }
            if host:
                own["TEST_HIDDEN"] = str(self.folders[0].parent)
            logs = self.root / f"logs-{len(self.started)}"
            self.started.append(start([str(word) for word in words], self.folders[host], logs, own))
            begun.append(self.started[-1])
        return begun

    def run(self, *words: object, **options: object) -> list[Result]:
        """Start it, and wait for what it leaves."""
        return [command.wait() for command in self.start(*words, **options)]

    def end(self) -> None:
        """Kill what still runs."""
        for command in self.started:
            command.kill()


#: Options with which any task trains in a blink, on the data that `write_data` makes.
TINY = ["--hidden", "8", "--threads", "1", "--dropout", "0", "--batch", "8", "--log-every", "1"]
_NUMBERS = ["numbers.csv", "--id", "id", "--time", "t", "--values", "v"]
#: What `ostinato train TASK` is called with, for a hundred steps of training and more.
TASKS = {
    "lm": ["book.txt", "--steps", "10", "--epochs", "3"],
    "classify": ["texts.csv", "--label", "label", "--text", "text", "--word-dropout", "0", "--epochs", "5"],
    "tag": ["tags.txt", "--word-dropout", "0", "--epochs", "6"],
    "translate": ["pairs.tsv", "--level", "word", "--epochs", "5"],
    "forecast": ["series.csv", "--target", "v", "--window", "12", "--horizon", "3", "--epochs", "4"],
    "caption": ["captions.csv", "--features", "features.safetensors", "--epochs", "5"],
    "transcribe": ["frames.csv", "--id", "id", "--values", "a,b", "--label", "said", "--epochs", "5", "--lr", "0.001"],
    "regress": [*_NUMBERS, "--target", "y", "--epochs", "5"],
}


def write_data(folder: Path, examples: int = 200) -> None:
    """Data of every task, the same each time, of so many examples."""
    draw, normal = random.Random(5), np.random.default_rng(5)
    (folder / "book.txt").write_text(prose(100))
    lines = [line.split() for line in prose(examples).splitlines()]
    cut = [line[: draw.randrange(1, 8)] for line in lines]
    rows = "".join(f"{'yes' if 'cat' in line else 'no'},{' '.join(line)}\n" for line in cut)
    (folder / "texts.csv").write_text("label,text\n" + rows)
    (folder / "tags.txt").write_text("\n".join("".join(f"{w}\t{w[0].upper()}\n" for w in line) for line in cut))
    (folder / "pairs.tsv").write_text("".join(f"{' '.join(line)}\t{' '.join(line[::-1])}\n" for line in cut))
    (folder / "series.csv").write_text("v\n" + "".join(f"{v:.4f}\n" for v in np.sin(np.arange(400) / 5) + 1))
    names = [f"{number}.png" for number in range(examples)]
    shown = "".join(f"{name},{' '.join(line)}\n" for name, line in zip(names, cut, strict=True))
    (folder / "captions.csv").write_text("image,caption\n" + shown)
    features = {name: normal.normal(size=(draw.randrange(1, 4), 6)).astype(np.float32) for name in names}
    save_file(features, folder / "features.safetensors")
    table = ["id,t,v,y"]
    for number in range(examples):
        values = normal.normal(size=draw.randrange(2, 9))
        table += [f"{number},{t},{value:.4f},{values.sum():.4f}" for t, value in enumerate(values)]
    (folder / "numbers.csv").write_text("\n".join(table) + "\n")
    frames = ["id,said,a,b"]
    for number in range(examples):
        said = "".join(draw.choices("01", k=draw.randrange(1, 4)))
        shown = [int(digit) * 2 - 1 + normal.normal(0, 0.1) for digit in said for _ in range(draw.randrange(3, 5))]
        frames += [f"{number},{said},{value:.4f},{-value:.4f}" for value in shown]
    (folder / "frames.csv").write_text("\n".join(frames) + "\n")
