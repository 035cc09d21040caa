"""What is drawn, how a training is read while it runs, and which words make it."""

import json
import math

import pytest

from ostinato.cli.arguments import parse
from ostinato.core.errors import ConfigError
from ostinato.search.course import PLACES, Course
from ostinato.search.space import Choices, Range, space_of, usual_space
from ostinato.search.trials import command
from ostinato.tasks import TRAIN_OPTIONS

optuna = pytest.importorskip("optuna")


@pytest.mark.parametrize("task", sorted(TRAIN_OPTIONS))
def test_each_task_has_a_space_of_options_it_takes(task):
    kind = TRAIN_OPTIONS[task]
    space = usual_space(kind, {})
    assert {"lr", "hidden", "layers", "dropout"} <= space.drawn.keys()
    assert not set(space.drawn) & set(kind.UNUSED)
    trial = optuna.create_study().ask()
    drawn = {name: one.draw(trial, name) for name, one in space.drawn.items()}
    words = command(task, ["data"], drawn, "out").split()[3:]
    known = {word for word in words if word.startswith("--")}
    assert known == {f"--{name.replace('_', '-')}" for name in drawn} | {"--out"}


def test_draws_stay_in_range():
    trials = [optuna.create_study().ask() for _ in range(40)]
    rates = [Range(1e-4, 1e-2, log=True).draw(trial, "lr") for trial in trials]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert {Range(1, 3).draw(trial, "layers") for trial in trials} == {1, 2, 3}
    assert {Choices([8, 16]).draw(trial, "hidden") for trial in trials} == {8, 16}


def test_a_space_of_ones_own(tmp_path):
    file = tmp_path / "space.toml"
    file.write_text('lr = {low = 1e-4, high = 1e-2, log = true}\nhidden = {choices = [8, 16]}\ncell = "gru"\n')
    space = space_of(str(file), TRAIN_OPTIONS["lm"])
    assert space.drawn == {"lr": Range(1e-4, 1e-2, log=True), "hidden": Choices([8, 16])}
    assert space.fixed == {"cell": "gru"}
    assert list(space.without({"hidden", "cell"}).drawn) == ["lr"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hiden = {choices = [8]}", "unknown option 'hiden'"),
        ("out = {choices = ['a']}", "unknown option 'out'"),
        ("lr = {low = 1, high = 1}", "lr: expected low below high"),
        ("lr = {low = 0, high = 1, log = true}", "expected low above 0"),
        ("lr = {low = 0.1, top = 1}", "lr: Object contains unknown field `top`"),
        ("hidden = {choices = []}", "expected at least one"),
        ("cell = 'gru'", "nothing is to be drawn"),
        ("lr = [1, 2]", "expected a range, choices or a value"),
    ],
)
def test_spaces_that_are_none(tmp_path, content, message):
    file = tmp_path / "space.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        space_of(str(file), TRAIN_OPTIONS["lm"])


def test_a_course_is_read_as_it_is_written(tmp_path):
    course, file = Course(tmp_path, "accuracy"), tmp_path / "metrics.jsonl"
    assert course.news(0.5) == []
    with file.open("w") as metrics:
        for value in (0.5, 0.8, 0.7, math.nan):
            metrics.write(json.dumps({"step": 1, "valid_accuracy": value, "valid_loss": 1.0}) + "\n")
        metrics.write('{"step": 2, "valid_acc')  # the rest is still to come
        metrics.flush()
        assert course.news(0.5) == [(place, 0.8) for place in range(1, PLACES // 2 + 1)]
        metrics.write('uracy": 0.9}\n')
    later = [(place, 0.9) for place in range(PLACES // 2 + 1, PLACES + 1)]
    assert course.news(3.0) == later  # each once; a time limit that was overrun
    assert course.news(3.0) == []
    assert course.known == {"accuracy", "loss"}


def test_words_of_the_search_and_of_the_training():
    words = "lm book.txt --out s --trials 3 --level char --resume --lr 0.01 --no-prune"
    found = parse(["search", *words.split()])
    assert (found.task, found.out, found.trials, found.resume, found.prune) == ("lm", "s", 3, True, False)
    assert found.words == ("book.txt", "--level", "char", "--lr", "0.01")
    with pytest.raises(ConfigError, match="--trials: expected at least 1"):
        parse(["search", "lm", "book.txt", "--out", "s", "--trials", "0"])
