"""The options that a run was started with, as its folder keeps them, and what a training that goes on must keep."""

from dataclasses import replace
from typing import Any, cast

from ostinato.checkpoint import RunFolder
from ostinato.config.merge import build, flatten, unchecked
from ostinato.core.errors import ConfigError, RunFolderError
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
        given = {kind.SOURCES: ["-"], "out": "", **kind.EARLIER, **config["options"]}
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


#: Options that may differ when a run is resumed: they say how long and where, not what.
_MAY_CHANGE = {"accelerator", "epochs", "time_limit", "patience", "save_every", "lost_after", "test", "encoding"}


def in_batches_as_before(options: TrainOptions, folder: RunFolder) -> TrainOptions:
    """Options of a run that goes on, perhaps in another number of processes: the default batch goes by the number that
    it began with."""
    began = saved_options(type(options), str(folder.path))["devices"]
    changed: Any = replace(cast("Any", options), training=replace(options.training, devices=began))
    return cast("TrainOptions", changed)


def require_same_options(options: TrainOptions, folder: RunFolder) -> None:
    """Raise a ConfigError where an option would make another training of it."""
    now, then = flatten(options), saved_options(type(options), str(folder.path))
    may_change = _MAY_CHANGE - options.FIXED
    if None not in (now["valid"], then["valid"]) and "valid" not in options.FIXED:
        may_change |= {"valid"}  # the same data may lie elsewhere: its content is looked at
    for name, value in then.items():
        if name not in may_change and name in now and now[name] != value:
            raise ConfigError(
                f"--resume: the run in {folder.path} was started with {name} = {value!r}, now it is {now[name]!r}; "
                "leave the option out, or start another run"
            )


def require_same_data(options: TrainOptions, config: dict[str, Any], folder: RunFolder) -> None:
    """Raise a RunFolderError where what is trained or validated on is not what it was."""
    for part, what in other_data(options, config, folder).items():
        if part != "test":
            raise RunFolderError(f"--resume: {what}; give the same, or start another run")


def other_data(options: TrainOptions, config: dict[str, Any], folder: RunFolder) -> dict[str, str]:
    """Which parts of the data are not those that a run was started with, and how to say so."""
    now, then = config["data"], folder.read_config(options.TASK)["data"]
    return {
        part: f"the {options.SOURCES} to {verb} on is not the one that the run in {folder.path} was started with "
        f"({', '.join(then[part]['files'])})"
        for part, verb in (("train", "train"), ("valid", "validate"), ("test", "test"))
        if part in now and part in then and now[part]["sha256"] != then[part]["sha256"]
    }


def finished_already(options: TrainOptions, folder: RunFolder) -> bool:
    """Whether there is nothing left to do: more epochs than the run was to have go on with it, however it ended."""
    position = folder.resume_point.position()
    planned = position.planned_epochs
    last = options.training.epochs
    return position.finished and not (last is not None and last > (position.epoch if planned is None else planned))
