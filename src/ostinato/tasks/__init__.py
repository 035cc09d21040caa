"""The tasks, a folder each: its options, data, model, figures and what it does with them.

What several share stands beside the folders: the contract, what all options have in common, the model card. Importing
this imports every task's options, which need no torch; `find` imports the task itself.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from ostinato.core.errors import ConfigError, unknown_name
from ostinato.tasks.options import Takes, TrainOptions

#: What each task takes; adding a folder is all it takes to be listed here.
OPTIONS: dict[str, Takes] = {
    file.parent.name: import_module(f"{__name__}.{file.parent.name}.options").OPTIONS
    for file in sorted(Path(__file__).parent.glob("*/options.py"))
}

#: What training each task takes.
TRAIN_OPTIONS: dict[str, type[TrainOptions]] = {name: takes.train for name, takes in OPTIONS.items()}

#: Names, with *, of the pictures that tasks leave in a run folder.
PICTURES = tuple(name for takes in OPTIONS.values() for name in takes.pictures)

#: Tasks that can take over a model of another program.
ADOPTING = tuple(name for name in OPTIONS if Path(__file__).with_name(name).joinpath("adopting.py").exists())

#: Tasks that read tables, which may be laid out in several ways.
TABLES = frozenset(task for task, kind in TRAIN_OPTIONS.items() if "table" in kind.__dataclass_fields__)  # type: ignore[attr-defined]


def find(name: str) -> Any:
    """A task by its name: a `Task` as `ostinato.tasks.contract` has it.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in TRAIN_OPTIONS:
        raise ConfigError(unknown_name("unknown task", name, TRAIN_OPTIONS))
    return import_module(f"{__name__}.{name}.task").TASK
