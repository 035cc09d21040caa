"""Small data, and trainings that are told about."""

import random

import pytest

import ostinato
from ostinato.training.metrics import said_in

WORDS = ["anna", "bert", "cato", "dora", "emil", "fred", "gina", "hugo"]
MANY = [f"w{number}" for number in range(1000)]  #: so that each text has some of its own, to be known by


def written(file, *, label, texts=300, words=12, names=WORDS):
    """A table of texts of random words out of `names`, with the label that `label` gives for the words."""
    draw = random.Random(1)
    rows = [draw.choices(names, k=words) for _ in range(texts)]
    file.write_text("text,label\n" + "".join(f"{' '.join(row)},{label(row, draw)}\n" for row in rows))
    return file


def by_chance(row, draw):
    return draw.choice(["yes", "no"])


def by_a_word(row, draw):
    return "yes" if "anna" in row else "no"


def by_the_first(row, draw):
    return "yes" if row[0] in WORDS[:4] else "no"


@pytest.fixture
def told(tmp_path):
    """Trains a task; gives the names of the advice, in its order, and the run."""

    def train(task, *sources, **options):
        settings = {"hidden": 16, "threads": 1, "dropout": 0.0, "overwrite": True} | options
        run = ostinato.train(task, *map(str, sources), out=tmp_path / "run", **settings)
        return [advice.name for advice in said_in(run.folder.metrics)], run

    return train


@pytest.fixture(autouse=True)
def looked_at(monkeypatch):
    """The model is looked at however short a training is: no test goes by the clock."""
    monkeypatch.setattr("ostinato.advice.adviser.BUDGET", float("inf"))
