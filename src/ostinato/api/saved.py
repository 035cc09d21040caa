"""The options that a run was started with, as its folder keeps them."""

from typing import Any

from ostinato.checkpoint import RunFolder
from ostinato.config.merge import build, flatten, unchecked
from ostinato.core.errors import RunFolderError
from ostinato.tasks import TRAIN_OPTIONS
from ostinato.tasks.options import TrainOptions

#: Options of one invocation, which no run keeps; the data is another.
_PASSING = {"out", "config", "resume", "overwrite", "json", "quiet_advice", "find_lr", "picture"}
#: Written down, but given anew when a run is resumed: what a folder holds runs no code.
_ONLY_NOTED = {"plugin"}


def saved_options(kind: type[TrainOptions], out: str) -> dict[str, Any]:
    """The options a run was started with, by plain name.

    Args:
        kind: the class of the task's options.
        out: the run folder.

    Raises:
        RunFolderError: missing, damaged, or of another task.
    """
    folder = RunFolder(out)
    config = folder.read_config(kind.TASK)
    try:
        earlier = getattr(kind, "EARLIER", {})
        given = {kind.SOURCES: ["-"], "out": "", **earlier, **config["options"]}
        flat = flatten(build(kind, given, str(folder.config)))
    except (KeyError, TypeError):
        raise RunFolderError(f"{folder.config}: damaged, it holds no options") from None
    return {name: value for name, value in flat.items() if name not in _PASSING | _ONLY_NOTED | {kind.SOURCES}}


def to_save(options: TrainOptions) -> dict[str, Any]:
    """Options that belong to the run, not to one invocation."""
    return {name: value for name, value in flatten(options).items() if name not in _PASSING | {options.SOURCES}}


def saved_defaults(task: str, given: dict[str, Any]) -> dict[str, Any]:
    """What config.json says of a task's options: its defaults, but for those given."""
    kind = TRAIN_OPTIONS[task]
    return to_save(unchecked(kind, {kind.SOURCES: ("-",), "out": "", **given}, "import"))
