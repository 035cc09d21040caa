"""Every task keeps to the contract: options and task of the same name, with everything that the seam asks for."""

import dataclasses
import inspect

import pytest

from ostinato.cli.arguments import COMMANDS
from ostinato.config.merge import names
from ostinato.config.start import StartOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks import TRAIN_OPTIONS, find
from ostinato.tasks.contract import Generates, Predicts, Task

ASKED = [name for name, value in vars(Task).items() if inspect.isfunction(value) and not name.startswith("_")]


def test_an_unknown_task_is_named():
    with pytest.raises(ConfigError, match=r"^unknown task 'lmm': did you mean 'lm'\? there are caption"):
        find("lmm")


@pytest.mark.parametrize("name", TRAIN_OPTIONS)
def test_a_task_has_what_is_asked_for(name):
    task, options = find(name), TRAIN_OPTIONS[name]
    assert len(ASKED) == 10
    for method in ASKED:
        asked, given = inspect.signature(getattr(Task, method)), inspect.signature(getattr(type(task), method))
        assert list(given.parameters) == list(asked.parameters), method
    assert isinstance(task, Predicts) != isinstance(task, Generates)
    assert (options.TASK, COMMANDS["train", name]) == (name, options)


@pytest.mark.parametrize("name", TRAIN_OPTIONS)
def test_options_have_the_common_ones(name):
    options = TRAIN_OPTIONS[name]
    shared = {"out", "valid", "test", "preset", "config", "start", "json", options.SOURCES}
    assert shared <= {item.name for item in dataclasses.fields(options)}
    for group in (TrainingOptions, StartOptions):
        assert {item.name for item in dataclasses.fields(group)} <= set(names(options))
    assert len(set(names(options))) == len(names(options))
    for preset in options.PRESETS.values():
        assert set(preset) <= set(names(options))
