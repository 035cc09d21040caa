"""The tasks, one file each: what lm, classify and the others do with their data, found by name."""

from importlib import import_module
from typing import Any

from ostinato.api.tasks.contract import Task
from ostinato.config.tasks import TRAIN_OPTIONS
from ostinato.core.errors import ConfigError, unknown_name


def find(name: str) -> Task[Any, Any]:
    """A task by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in TRAIN_OPTIONS:
        raise ConfigError(unknown_name("unknown task", name, TRAIN_OPTIONS))
    task: Task[Any, Any] = import_module(f"{__name__}.{name}").TASK
    return task
