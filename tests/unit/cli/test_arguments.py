"""From words to options: which place wins, and what is said about words that mean nothing."""

import json
import re
from pathlib import Path

import pytest

from ostinato.cli.arguments import COMMANDS, parse
from ostinato.config.merge import build, flatten
from ostinato.core.errors import ConfigError
from ostinato.tasks.commands import Evaluate, Generate
from ostinato.tasks.described import options_of
from ostinato.tasks.lm.options import TrainLm

CELL = ["--cell-options", "a=1", "b=2"]
TRAIN = ["train", "lm", "book.txt", "--out", "run"]


def saved_run(**options):
    """A run folder's configuration, as far as options are concerned."""
    Path("run").mkdir()
    Path("run/config.json").write_text(json.dumps({"format": 1, "task": "lm", "options": options}))


def toml(content):
    Path("options.toml").write_text(content)
    return ["--config", "options.toml"]


def test_defaults():
    assert parse(TRAIN) == TrainLm(("book.txt",), "run")


#: Options that ask for another one, or that go with few others: each has tests of its own.
WITH_OTHERS = {"layer_rates", "unfreeze", "vectors", "freeze_vectors", "find_lr", "picture"}


def test_every_option_by_name():
    """Each option, given explicitly with a value that is not its default, arrives."""
    given = {
        "valid": "v.txt",
        "test": "t.txt",
        "preset": "hello",
        "config": toml("")[1],
        "document_separator": "<|end|>",
        "level": "bpe",
        "vocab_size": 300,
        "cell": "gru",
        "layers": 2,
        "hidden": 16,
        "embed": 16,
        "dropout": 0.5,
        "recurrent_dropout": 0.25,
        "zoneout": 0.125,
        "input_dropout": 0.15,
        "hidden_dropout": 0.25,
        "output_dropout": 0.35,
        "embedding_dropout": 0.1,
        "weight_drop": 0.45,
        "ar": 2.0,
        "tar": 1.0,
        "epochs": 7,
        "time_limit": 9.5,
        "batch": 6,
        "steps": 29,
        "optimizer": "sgd",
        "lr": 0.25,
        "schedule": "plateau",
        "warmup": 0.1,
        "lr_divide": 3.0,
        "weight_decay": 0.01,
        "average": 0.1,
        "average_after": 5,
        "clip": 0.5,
        "patience": 4,
        "valid_every": 5,
        "valid_times": 3,
        "log_every": 6,
        "save_every": 1.5,
        "seed": 8,
        "precision": "high",
        "threads": 1,
        "devices": 2,
        "accelerator": "cpu",
        "accumulate": 2,
        "lost_after": 30.5,
        "shard_size": 2.5,
    }
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    flags = ["--tied", "--locked-dropout", "--random-steps", "--overwrite", "--quiet-advice", "--json"]
    found = flatten(parse([*TRAIN, *words, *flags, "--plugin", "a.py", "b.py", *CELL]))
    given |= {
        "tied": True,
        "locked_dropout": True,
        "random_steps": True,
        "overwrite": True,
        "quiet_advice": True,
        "plugin": ("a.py", "b.py"),
        "json": True,
    }
    given |= {"cell_options": ("a=1", "b=2")}
    assert {name: found[name] for name in given} == given
    assert set(found) == set(given) | {"text", "out", "from_run", "resume", "adaptive", "encoding"} | WITH_OTHERS


def test_text_may_be_several_files_or_standard_input():
    assert parse(["train", "lm", "a.txt", "b.txt", "--out", "r"]).text == ("a.txt", "b.txt")
    assert parse(["train", "lm", "-", "--out", "r"]).text == ("-",)
    assert parse(["evaluate", "r", "a.txt", "-"]) == Evaluate("r", ("a.txt", "-"))


def test_explicit_over_config_over_preset_over_default():
    words = [*TRAIN, "--preset", "rnnlm", *toml("hidden = 3\nlr = 5.0\n")]
    model, training = (parse([*words, "--lr", "6"]).model, parse([*words, "--lr", "6"]).training)
    assert training.lr == 6.0  # explicit
    assert model.hidden == 3  # --config
    assert model.embed == 100  # preset
    assert training.patience is None  # default
    assert parse(words).training.lr == 5.0


def test_a_saved_run_stands_between_config_and_preset():
    saved_run(hidden=7, lr=2.0, epochs=9, seed=4)  # what it does not name had its default then
    words = [*TRAIN, "--resume", "--preset", "rnnlm", *toml("lr = 5.0")]
    training = parse([*words, "--seed", "3"]).training
    assert (training.seed, training.lr, training.epochs, training.steps) == (3, 5.0, 9, 100)
    assert parse(words).model.hidden == 7
    assert parse(TRAIN).model.hidden == TrainLm((), "").model.hidden  # without --resume it is not looked at


def test_resume_needs_no_text_and_starts_afresh_where_nothing_is():
    assert parse([*TRAIN, "--resume"]).start.resume
    saved_run(hidden=7)
    options = parse(["train", "lm", "--out", "run", "--resume"])
    assert (options.text, options.model.hidden) == ((), 7)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("tied = true\nembed = 30\n", ["--hidden", "30"]),
        ("batch = 64\ndevices = 3\n", ["--batch", "60"]),
        ("hidden = 0\n", ["--hidden", "5"]),
    ],
)
def test_options_are_judged_together_once_all_are_known(content, words):
    parse([*TRAIN, *toml(content), *words])


@pytest.mark.parametrize("content", ["tied = true\nembed = 30\n", "batch = 64\ndevices = 3\n", "hidden = 0\n"])
def test_what_the_file_says_is_judged_too(content):
    with pytest.raises(ConfigError, match="expected"):
        parse([*TRAIN, *toml(content)])


def test_a_preset_named_in_the_file_is_that_preset():
    assert parse([*TRAIN, *toml('preset = "rnnlm"')]).training.lr == 20.0
    assert parse([*TRAIN, *toml('preset = "rnnlm"'), "--preset", "hello"]).training.lr == 0.01


@pytest.mark.parametrize("content", ["hiden = 3", "hidden = '3'", "optimizer = 'adan'"])
def test_the_file_is_named_where_it_is_wrong(content):
    with pytest.raises(ConfigError, match=r"--config options.toml: "):
        parse([*TRAIN, *toml(content)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evalute"], "unknown command 'evalute': did you mean 'evaluate'"),
        (["zzz"], "unknown command 'zzz': there are bench, check-cell, demo, evaluate, export, "),
        (["train", "lms"], r"unknown task 'lms': did you mean 'lm'\? there are caption"),
        ([*TRAIN, "--preset", "rnn"], "unknown preset 'rnn': did you mean 'rnnlm'"),
    ],
)
def test_what_is_unknown_is_named(words, message):
    with pytest.raises(ConfigError, match=message):
        parse(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*TRAIN, "--hiden", "3"], "--hiden: there is no such option: did you mean --hidden?"),
        ([*TRAIN, "--learning_rate", "3"], "--learning-rate: there is no such option: did you mean --lr?"),
        ([*TRAIN, "--batch-size=3"], "--batch-size: there is no such option: did you mean --batch?"),
        ([*TRAIN, "--qqq", "3"], "--qqq: there is no such option; `ostinato train lm --help`"),
        ([*TRAIN, "--hidden", "many"], "--hidden: expected a whole number, got 'many'; "),
        ([*TRAIN, "--vocab-size", "many"], "--vocab-size: expected a whole number, got 'many'; "),
        ([*TRAIN, "--time-limit=soon"], "--time-limit: expected a number, got 'soon'; "),
        ([*TRAIN, "--hidden"], "--hidden: expected a whole number; "),
        ([*TRAIN, "--level", "sentence"], "--level: expected one of char, word, bpe, got 'sentence'"),
        (["train", "lm", "book.txt"], "expected --out RUN (Folder to write the run to)"),
        ([*TRAIN, "--resume", "--overwrite"], "give one of them"),
        ([*TRAIN, "--hidden", "0"], "--hidden: expected at least 1, got 0"),
        (["generate"], "expected RUN"),
        (["predict", "r", "a", "--beam", "b"], "--beam"),
        (["train", "classify", "t.csv", "--out", "r", "--steps", "5"], "--steps: train classify has no use for it"),
        (["train", "tag", "t.txt", "--out", "r", "--tied"], "--tied: train tag has no use for it"),
    ],
)
def test_what_cannot_be_read_is_one_message(words, message, capsys):
    with pytest.raises(ConfigError) as error:
        parse(words)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert capsys.readouterr() == ("", "")


def test_a_file_cannot_set_what_a_task_has_no_use_for():
    words = ["train", "classify", "t.csv", "--out", "r", *toml("steps = 5")]
    with pytest.raises(ConfigError, match=r"--config options.toml: --steps: train classify has no use for it"):
        parse(words)


def test_generate():
    words = ["generate", "r", "--prompt", "The ", "--length", "9", "--stop", "\n", "--greedy", "--temperature", "0.5"]
    words += ["--top-k", "4", "--top-p", "0.5", "--seed", "3", "--json"]
    flat = {"run": "r", "prompt": "The ", "length": 9, "stop": "\n", "greedy": True, "temperature": 0.5}
    flat |= {"top_k": 4, "top_p": 0.5, "seed": 3, "json": True}
    assert parse(words) == build(Generate, flat, "test")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_overview_names_every_command(words, capsys):
    with pytest.raises(SystemExit) as error:
        parse(words)
    out = capsys.readouterr().out
    assert error.value.code == 0
    for path, command in COMMANDS.items():
        assert f"  {' '.join(path)} " in out
        assert command.__doc__.splitlines()[0] in out


def helped(capsys, *words):
    with pytest.raises(SystemExit) as error:
        parse([*words])
    assert error.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_every_option(path, capsys):
    from ostinato.config.merge import names

    command = COMMANDS[path]
    hidden_names = {"text", "run", "runs", "view", "data", "folder", "words", "file", *getattr(command, "UNUSED", ())}
    if path == ("search",):
        hidden_names.add("task")
    if path == ("import",):
        hidden_names.add("source")  # a word by its place there, an option of translate
    if not getattr(command, "PRESETS", None):
        hidden_names.add("preset")  # a task without presets does not offer to choose one
    out = helped(capsys, *path, "--help-all").replace("--[no-]", "--")
    written = set(re.findall(r"^  --([a-z-]+)", out, re.MULTILINE))
    wanted = {name.replace("_", "-") for name in set(names(command)) - hidden_names}
    assert {"from" if name == "from-run" else name for name in wanted} <= written  # which no field can be called
    assert not {name.replace("_", "-") for name in getattr(command, "UNUSED", ())} & written
    for empty in ("None", "()", "MISSING", "{"):
        assert empty not in out
    assert max(map(len, out.splitlines())) <= 110


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_does(path):
    assert [option.name for option in options_of(COMMANDS[path]) if len(option.text) < 10] == []


def test_the_first_page_has_what_people_use(capsys):
    first, whole = helped(capsys, "train", "classify", "--help"), helped(capsys, "train", "classify", "--help-all")
    for option in ("--out", "--text", "--label", "--cell", "--hidden", "--epochs", "--time-limit", "--resume"):
        assert f"  {option}" in first
    assert first.count("\n  --") <= 14
    assert "--label-smoothing" in whole
    assert "--label-smoothing" not in first
    assert f"--help-all shows {whole.count(chr(10) + '  --') - first.count(chr(10) + '  --')} more" in first


def test_what_may_be_left_out_is_in_brackets(capsys):
    assert helped(capsys, "generate", "--help").startswith("usage: ostinato generate RUN [WORDS] [options]")
    assert helped(capsys, "train", "tag", "--help").startswith("usage: ostinato train tag DATA --out RUN [options]")


def test_help_fits_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "3")
    assert len(helped(capsys, "train", "lm", "--help-all").splitlines()) < 1000


def test_help_shows_what_a_preset_sets(capsys):
    assert "Default: 20." in helped(capsys, *TRAIN, "--preset", "rnnlm", "--help-all")


def test_version(capsys):
    import ostinato

    with pytest.raises(SystemExit) as error:
        parse(["--version"])
    assert (error.value.code, capsys.readouterr().out) == (0, f"ostinato {ostinato.__version__}\n")
