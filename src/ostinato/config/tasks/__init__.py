"""Options of `ostinato train TASK`, one file a task: its name is the task's, and its `OPTIONS` the class."""

from importlib import import_module
from pathlib import Path

from ostinato.config.tasks.contract import TrainOptions

_NOT_TASKS = {"__init__", "contract"}


def _names() -> list[str]:
    found = {file.stem for file in Path(__file__).parent.glob("*.py")} - _NOT_TASKS
    return sorted(found, key=lambda name: (name != "lm", name))


#: Classes of options by task; adding a file is all it takes to be listed here.
TRAIN_OPTIONS: dict[str, type[TrainOptions]] = {name: import_module(f"{__name__}.{name}").OPTIONS for name in _names()}

#: Tasks that read tables, which may be laid out in several ways.
TABLES = frozenset(task for task, kind in TRAIN_OPTIONS.items() if "table" in kind.__dataclass_fields__)  # type: ignore[attr-defined]
