"""What a run's task takes of the commands that ask it: every option of every command, with a run of every task."""

import dataclasses
import functools
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

import ostinato.api
from ostinato.api.run import Run
from ostinato.checkpoint import RunFolder
from ostinato.cli.main import main
from ostinato.core.errors import ConfigError, OptionTypeError
from ostinato.tasks import OPTIONS
from ostinato.tasks.commands import DECLARED, Evaluate, Generate, Plot, Predict, asked, declared
from ostinato.tasks.described import options_of

COMMANDS = {"evaluate": Evaluate, "predict": Predict, "generate": Generate, "plot": Plot}
BY_COMMAND = {
    command: [item.name for item in dataclasses.fields(kind) if DECLARED in item.metadata]
    for command, kind in COMMANDS.items()
}
ASKED = [(task, command) for task, takes in OPTIONS.items() for command in COMMANDS if getattr(takes, command)]
EVERY = [(task, command, option) for task, command in ASKED for option in BY_COMMAND[command]]
REFUSED = [(task, command, option) for task, command, option in EVERY if option not in declared(task, command)]
TAKEN = [case for case in EVERY if case not in REFUSED]

#: What nobody has to look up: options that tell tasks apart, and the tasks that take them.
KNOWN = {
    ("evaluate", "beam"): {"caption", "transcribe", "translate"},
    ("evaluate", "retrain"): {"forecast"},
    ("evaluate", "output"): {"forecast"},
    ("evaluate", "dynamic"): {"lm"},
    ("evaluate", "cache_theta"): {"lm"},
    ("evaluate", "images"): {"caption"},
    ("evaluate", "label"): {"classify", "transcribe"},
    ("evaluate", "column"): {"tag"},
    ("evaluate", "encoding"): {"caption", "classify", "forecast", "lm", "regress", "tag", "transcribe", "translate"},
    ("predict", "beam"): {"caption", "transcribe", "translate"},
    ("predict", "labels"): {"classify", "tag"},
    ("predict", "levels"): {"forecast"},
    ("predict", "format"): {"tag"},
    ("predict", "separator"): {"caption", "classify", "forecast", "regress", "transcribe", "translate"},
    ("predict", "decimal"): {"classify", "forecast", "regress", "transcribe"},
    ("generate", "greedy"): {"lm"},
    ("plot", "levels"): {"forecast"},
}


def option_and_value(command, name):
    """As words of the command line; a value that its type allows."""
    hint, item = get_type_hints(COMMANDS[command])[name], option(command, name)
    kind = next(one for one in (hint, *get_args(hint)) if one in (bool, int, float, str) or get_origin(one) is Literal)
    flag = f"--{name.replace('_', '-')}"
    if kind is bool:
        return [flag] if not item.metavar and dict(defaults(command))[name] is False else [flag, "False"]
    values = {int: "3", float: "0.5", str: "50" if name == "levels" else ";"}
    return [flag, values[kind] if kind in values else str(get_args(kind)[0])]


@functools.cache
def option(command, name):
    return next(one for one in options_of(COMMANDS[command]) if one.name == name.replace("_", "-"))


def defaults(command):
    return [(item.name, item.default) for item in dataclasses.fields(COMMANDS[command])]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """`load` gives a run of a task that has nothing, so that whoever reads data or computes would fail."""

    def of(task):
        found = Run(RunFolder(str(tmp_path / "run")), {"task": task, "options": {}}, None, None)
        monkeypatch.setattr(ostinato.api, "load", lambda path, **_: found)
        return found

    return of


@pytest.mark.parametrize(("task", "command", "name"), REFUSED)
def test_what_the_task_does_not_take_is_refused(task, command, name, run, capsys):
    run(task)
    words = [command, "run", "data.txt"] if command != "generate" else [command, "run"]
    words += ["--out", "a.png"] if command == "plot" else []
    assert main([*words, *option_and_value(command, name)]) == 2
    said = capsys.readouterr()
    flag = f"--{name.replace('_', '-')}"
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith(f"ostinato: {flag}: a run of task {task!r} has no use for it")


@pytest.mark.parametrize(("task", "command", "name"), REFUSED)
def test_so_it_is_from_python(task, command, name, run):
    call = {
        "evaluate": lambda run, **options: run.evaluate("data.txt", **options),
        "predict": lambda run, **options: run.predict("data.txt", **options),
        "generate": lambda run, **options: run.generate("a", **options),
        "plot": lambda run, **options: run.plot("data.txt", "a.png", **options),
    }[command]
    value = True if dict(defaults(command))[name] is False else option_and_value(command, name)[-1]
    with pytest.raises(ConfigError, match=f"^--{name.replace('_', '-')}: a run of task '{task}' has no use for it"):
        call(run(task), **{name: value})


@pytest.mark.parametrize(("task", "command", "name"), TAKEN)
def test_what_it_takes_says_so_in_the_help(task, command, name):
    tasks = {other for other, of in ASKED if of == command}
    takers = {other for other, of, option in TAKEN if (of, option) == (command, name)}
    text = option(command, name).text
    if takers != tasks:
        (named,) = [part for part in text.split("; ") if task in part.split(":")[0].split(", ")]
        assert set(named.split(":")[0].split(", ")) <= takers
    else:
        assert not text.startswith(f"{task}:")


@pytest.mark.parametrize(("command", "name"), KNOWN)
def test_who_takes_what(command, name):
    assert {task for task in OPTIONS if (task, command, name) in TAKEN} == KNOWN[command, name]


def test_what_nobody_said_is_no_option(run):
    assert asked("lm", "evaluate", {"beam": None, "retrain": False, "dynamic": 0.5}).adapting.dynamic == 0.5
    with pytest.raises(OptionTypeError, match="unknown option 'bean': did you mean 'beam'"):
        run("lm").evaluate("data.txt", bean=3)
    with pytest.raises(OptionTypeError, match="unknown option 'labels': it is for `ostinato predict`"):
        run("tag").predict("data.txt", labels=True)


def test_a_range_is_looked_at_before_a_run(capsys):
    assert main(["evaluate", "nowhere", "data.txt", "--dynamic", "-1"]) == 2
    assert "--dynamic: expected at least 0, got -1.0" in capsys.readouterr().err
