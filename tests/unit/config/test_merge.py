"""Options by plain name: there and back, from several places, and what is wrong with them."""

import dataclasses

import pytest

from ostinato.config.commands import Demo, Info, Runs
from ostinato.config.merge import build, defaults_below, flatten, names, read_toml, unchecked
from ostinato.config.model import ModelOptions
from ostinato.config.start import StartOptions
from ostinato.config.text import TextOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.commands import Evaluate, Generate
from ostinato.tasks.lm.options import LmModelOptions, TrainLm
from ostinato.tasks.lm.presets import LANGUAGE_MODEL

COMMANDS = [
    TrainLm(("a.txt",), "run"),
    TrainLm(
        ("a.txt", "-"),
        "run",
        valid="v",
        tokens=TextOptions("word", 50),
        model=LmModelOptions("gru", 2, 16, 16, 0.5, tied=True, cell_options=("a=1", "b=0.5")),
        training=TrainingOptions(epochs=3, time_limit=9.5, batch=8, devices=2, optimizer="sgd", schedule="plateau"),
        start=StartOptions(resume=True, plugin=("cell.py",)),
    ),
    Evaluate("run", ("a",), 2, "high"),
    Generate("run", (), "The", None, 2, 5, ".", greedy=True, temperature=0.5, top_k=3, top_p=0.9, seed=7),
    Demo("run", 5.0),
    Info(("x.py",), True),
    Runs("folder"),
]


@pytest.mark.parametrize("options", COMMANDS, ids=lambda options: type(options).__name__)
def test_names_there_and_back(options):
    flat = flatten(options)
    assert list(flat) == names(type(options))
    assert build(type(options), flat, "test") == options
    assert unchecked(type(options), flat, "test") == options


def test_json_turns_tuples_into_lists_and_back():
    import json

    assert build(TrainLm, json.loads(json.dumps(flatten(COMMANDS[1]))), "test") == COMMANDS[1]


def test_no_name_occurs_twice():
    for options in COMMANDS:
        assert len(set(names(type(options)))) == len(names(type(options)))


def test_what_is_not_named_has_its_default():
    flat = {"text": ["a.txt"], "out": "run", "hidden": 7}
    expected = dataclasses.replace(COMMANDS[0], model=LmModelOptions(hidden=7))
    assert build(TrainLm, flat, "test") == unchecked(TrainLm, flat, "test") == expected


@pytest.mark.parametrize("make", [build, unchecked])
def test_unknown_name_offers_the_nearest(make):
    with pytest.raises(ConfigError, match=r"^here: unknown option 'hiden': did you mean 'hidden'\? there are .*seed"):
        make(TrainLm, {"hiden": 3}, "here")
    with pytest.raises(ConfigError, match=r"^here: unknown option 'zzzzz': there are text, out"):
        make(TrainLm, {"zzzzz": 3}, "here")


@pytest.mark.parametrize("make", [build, unchecked])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", "12"),
        ("hidden", 1.5),
        ("hidden", None),
        ("dropout", "much"),
        ("tied", "yes"),
        ("optimizer", "rmsprop"),
        ("schedule", 1),
        ("level", "sentence"),
        ("epochs", "many"),
        ("cell", 5),
        ("plugin", 5),
        ("valid", [1, "b"]),
    ],
)
def test_wrong_types_are_refused(make, name, value):
    with pytest.raises(ConfigError, match=r"^here: "):
        make(TrainLm, {"text": ["a"], "out": "b", name: value}, "here")


def test_unchecked_leaves_ranges_for_later():
    options = unchecked(TrainLm, {"hidden": 0, "batch": 3, "devices": 2}, "test")
    assert (options.model.hidden, options.training.batch, options.training.devices) == (0, 3, 2)


def test_beneath_config_over_saved_over_preset(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text('hidden = 3\n"lr-divide" = 5.0\n')
    found = defaults_below("rnnlm", {"hidden": 2, "lr": 7.0}, str(file), LANGUAGE_MODEL)
    assert found == {**LANGUAGE_MODEL["rnnlm"], "hidden": 3, "lr": 7.0, "lr_divide": 5.0}
    assert defaults_below(None, {}, None, LANGUAGE_MODEL) == {}


def test_a_preset_named_in_the_file_counts_unless_another_is_given(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text('preset = "rnnlm"\nhidden = 3\n')
    assert defaults_below(None, {}, str(file), LANGUAGE_MODEL) == {
        **LANGUAGE_MODEL["rnnlm"],
        "preset": "rnnlm",
        "hidden": 3,
    }
    assert defaults_below("hello", {}, str(file), LANGUAGE_MODEL)["lr"] == 0.01


def test_a_presets_epochs_give_way_to_a_time_limit(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text('preset = "awd-lstm"\n"time-limit" = 60.0\n')
    assert "epochs" not in defaults_below("awd-lstm", {}, None, LANGUAGE_MODEL, timed=True)
    assert "epochs" not in defaults_below(None, {}, str(file), LANGUAGE_MODEL)
    assert defaults_below("awd-lstm", {}, None, LANGUAGE_MODEL)["epochs"] == 500
    assert defaults_below("awd-lstm", {"epochs": 3}, None, LANGUAGE_MODEL, timed=True)["epochs"] == 3


@pytest.mark.parametrize(
    ("preset", "message"),
    [("rnn", "unknown preset 'rnn': did you mean 'rnnlm'"), ("x", "unknown preset 'x': there are hello, char, rnnlm")],
)
def test_unknown_presets_are_named(preset, message):
    with pytest.raises(ConfigError, match=message):
        defaults_below(preset, {}, None, LANGUAGE_MODEL)


@pytest.mark.parametrize("content", ["hidden = ", "hidden: 3", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    file = tmp_path / "options.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=r"--config .*options.toml: expected TOML"):
        read_toml(str(file))


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(ConfigError, match=r"--config .*: cannot be read: "):
        read_toml(str(tmp_path / name))


def test_rnnlm_is_the_books():
    """Saitoh, Deep Learning from Scratch 2, chapter 6, but for the course of the rate."""
    options = build(TrainLm, {"text": [], "out": "", **LANGUAGE_MODEL["rnnlm"]}, "preset")
    model, training = options.model, options.training
    assert (options.tokens.level, options.tokens.vocab_limit) == ("word", 10_000)
    assert (model.cell, model.layers, model.hidden, model.embed, model.dropout, model.tied) == (
        "lstm",
        1,
        100,
        100,
        0,
        False,
    )
    assert (training.batch, training.steps, training.epochs) == (20, 35, 4)
    assert (training.optimizer, training.lr, training.clip) == ("sgd", 20, 0.25)
    assert (training.schedule, training.warmup) == ("cosine", 0)


def test_better_rnnlm_is_the_books():
    options = build(TrainLm, {"text": [], "out": "", **LANGUAGE_MODEL["better-rnnlm"]}, "preset")
    model, training = options.model, options.training
    assert (model.layers, model.hidden, model.embed, model.dropout, model.tied) == (2, 650, 650, 0.5, True)
    assert (training.batch, training.steps, training.epochs) == (20, 35, 40)
    assert (training.optimizer, training.lr, training.schedule) == ("sgd", 20, "plateau")
    assert (training.lr_divide, training.clip) == (4, 0.25)


def test_awd_lstm_is_the_papers():
    """Merity et al. 2018, section 5, for the Penn Treebank."""
    options = build(TrainLm, {"text": [], "out": "", **LANGUAGE_MODEL["awd-lstm"]}, "preset")
    model, noise, training = options.model, options.regularisation, options.training
    assert (model.layers, model.hidden, model.embed, model.tied) == (3, 1150, 400, True)
    assert (noise.input_dropout, noise.hidden_dropout, noise.output_dropout) == (0.4, 0.25, 0.4)
    assert (noise.embedding_dropout, noise.weight_drop, noise.ar, noise.tar) == (0.1, 0.5, 2, 1)
    assert (training.batch, training.steps, training.lr, training.clip) == (20, 70, 30, 0.25)
    assert training.average_after == 5


@pytest.mark.parametrize("name", LANGUAGE_MODEL)
def test_every_preset_is_offered_and_can_be_used(name):
    flat = {"text": ["a"], "out": "b", "preset": name, **LANGUAGE_MODEL[name]}
    assert build(TrainLm, flat, "test").preset == name


@dataclasses.dataclass(frozen=True)
class Small:
    """A command that changes a group's defaults."""

    model: ModelOptions = dataclasses.field(default_factory=lambda: ModelOptions(cell="gru", hidden=9))


@pytest.mark.parametrize("make", [build, unchecked])
def test_a_command_may_change_a_groups_defaults(make):
    assert make(Small, {}, "test") == Small()
    assert make(Small, {"hidden": 7}, "test").model == ModelOptions(cell="gru", hidden=7)
