"""Killed at every single moment at which something goes to the disk, and gone on with: the same bits."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ostinato.checkpoint.position import Interval
from ostinato.losses import activation_penalty
from ostinato.training.metrics import MetricsLog
from tests.support import metrics

SETTINGS = {
    "sgd": {"optimizer": "sgd", "schedule": "plateau", "lr": 2.0},
    "adam": {"optimizer": "adam", "schedule": "cosine", "lr": 0.05, "weight_decay": 0.1},
    "adamw": {"optimizer": "adamw", "schedule": "cosine", "lr": 0.05, "weight_decay": 0.1},
    "average": {"optimizer": "sgd", "schedule": "constant", "lr": 2.0, "average": 0.5},
    "sparse": {"optimizer": "sgd", "schedule": "constant", "lr": 2.0, "sparse": True},
    "triggered": {"optimizer": "sgd", "schedule": "constant", "lr": 2.0, "average_after": 1, "valid_every": 1},
    "awd": {
        "steps": 20,
        "random": 3,
        "penalty": partial(activation_penalty, ar=2.0, tar=1.0),
        "noise": {"dropout": 0.3, "locked_dropout": True, "embedding_dropout": 0.2, "weight_drop": 0.5},
    },
}


class Killed(BaseException):
    """Stands for kill -9: nothing of the package catches it."""


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_weights_whenever_it_was_killed(make, monkeypatch, name):
    """Checkpoints after every step; killed before the 3rd, then the 6th, ... write, again and again until the end."""
    options = {"noise": {"dropout": 0.3}, "save_every": 0, "log_every": 3, "valid_every": 4} | SETTINGS[name]
    reference = make("reference", **options)
    reference.fit()
    if name == "triggered":
        assert 0 < reference.average.began < reference.position.step - 2, "it averages for some steps"
    kills = 0

    def run(after):
        left = after

        def fatal(original):
            def call(*args, **keywords):
                nonlocal left
                left -= 1
                if left == 0:
                    raise Killed
                return original(*args, **keywords)

            return call

        with monkeypatch.context() as patch:
            for home, what in ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (MetricsLog, "write")):
                patch.setattr(home, what, fatal(getattr(home, what)))
            try:
                make("killed", **options).fit()
            except Killed:
                return False
        return True

    after = 3
    while not run(after):
        kills, after = kills + 1, after + 3
    killed = make("killed", **options)
    assert kills >= 4
    assert replace(killed.position, seconds=0) == replace(reference.position, seconds=0)
    assert killed.folder.weights.read_bytes() == reference.folder.weights.read_bytes()
    assert metrics(killed.folder.path) == metrics(reference.folder.path)


def test_lines_after_the_checkpoint_are_dropped(tmp_path):
    file = tmp_path / "metrics.jsonl"
    log = MetricsLog(file, 0)
    log.write({"step": 1})
    size = file.stat().st_size
    log.write({"step": 2})
    assert file.read_text() == '{"step": 1}\n{"step": 2}\n'
    MetricsLog(file, size).write({"step": 3})
    assert file.read_text() == '{"step": 1}\n{"step": 3}\n'
    MetricsLog(file, 10_000)
    assert file.read_text() == '{"step": 1}\n{"step": 3}\n'
    MetricsLog(file, 0)
    assert file.read_text() == ""


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_other_names_of_the_file_keep_what_they_have(tmp_path, link):
    theirs, mine = tmp_path / "theirs.jsonl", tmp_path / "metrics.jsonl"
    theirs.write_text('{"step": 1}\n{"step": 2}\n')
    getattr(mine, link)(theirs)
    MetricsLog(mine, 12).write({"step": 3})
    assert theirs.read_text() == '{"step": 1}\n{"step": 2}\n'
    assert mine.read_text() == '{"step": 1}\n{"step": 3}\n'


def test_sums_of_an_interval():
    interval = Interval()
    interval.add(20.0, 10, 3.0, True)
    interval.add(30.0, 30, 1.0, False)
    assert interval == Interval(steps=2, tokens=40, loss=50.0, gradient_norm=4.0, clipped=1)
