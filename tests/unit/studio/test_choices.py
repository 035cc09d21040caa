"""Choices of the page become the words of a command line, which reads them back as they were."""

import pytest

from ostinato.cli.arguments import parse
from ostinato.config.merge import flatten
from ostinato.core.errors import ConfigError
from ostinato.studio import choices
from ostinato.studio.trainings import Trainings, _last_words, _left
from ostinato.tasks import TRAIN_OPTIONS


@pytest.mark.parametrize(
    ("task", "given"),
    [
        ("lm", {"level": "word", "hidden": 64, "lr": 0.003, "tied": True, "dropout": 0.0, "separator": None}),
        ("classify", {"text": "a b", "label": "-y", "bidirectional": False, "class_weights": "balanced"}),
        ("forecast", {"target": '"a,b",c', "window": 24, "horizon": 12, "season": "24,168", "wide": False}),
    ],
)
def test_words_are_read_back(task, given):
    given = {name: value for name, value in given.items() if name in choices_of(task)}
    line = choices.words(task, ["data.csv"], "runs/x", given)
    assert line[:5] == ["train", task, "data.csv", "--out", "runs/x"]
    read = flatten(parse(line))
    for name, value in given.items():
        assert value is None or str(read[name]) == str(value)


def choices_of(task):
    return {option["name"] for option in choices.described()[task]["options"]}


def test_every_task_is_described_without_what_is_not_the_pages_to_say():
    assert choices.described().keys() == TRAIN_OPTIONS.keys()
    for task in TRAIN_OPTIONS:
        assert not choices_of(task) & {"out", "plugin", "config", "resume", "overwrite", "json", "images", "from"}
        assert {"epochs", "cell", "hidden", "time_limit"} <= choices_of(task)

    assert "features" not in choices_of("caption")  # a file; of a tagger they are columns


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="--window: expected at least 2"):
        choices.words("forecast", ["a.csv"], "x", {"target": "a", "window": 1, "horizon": 2})
    with pytest.raises(ConfigError, match="no option that the page may set"):
        choices.allowed("lm", {"plugin": "/tmp/evil.py"})
    with pytest.raises(ConfigError, match="there is no task"):
        choices.allowed("../lm", {})


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", " x", "x ", "a\nb", "x" * 90, "-rf"])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(ConfigError, match="the run's name"):
        Trainings(tmp_path).place(name)


def test_what_a_training_says_of_itself():
    assert _left("epoch 1 step 5  0:25 left\nepoch 1 step 9  1:05 left\n") == 65
    assert _left("epoch 1 of 20  1:41 h left\n") == 6060
    assert _left("nothing yet") is None
    assert _last_words("progress\nostinato: data.csv: line 3: expected 2 columns, got 3\n").startswith(
        "data.csv: line 3"
    )
    assert _last_words("ostinato: interrupted; the checkpoint is saved\n") is None
