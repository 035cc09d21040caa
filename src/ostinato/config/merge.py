"""Options from several places, and into plain names and back: option over --config over saved run over preset."""

import dataclasses
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_type_hints

import msgspec

from ostinato.config.columns import as_option
from ostinato.core.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")

#: Options whose name is none that Python can have.
_CALLED = {"from": "from_run"}


def flatten(options: Any) -> dict[str, Any]:
    """The options of a command by plain name, its groups taken apart."""
    found: dict[str, Any] = {}
    for item in dataclasses.fields(options):
        value = getattr(options, item.name)
        found |= flatten(value) if dataclasses.is_dataclass(value) else {item.name: value}
    return found


def names(command: type[Any]) -> list[str]:
    """Every option's plain name, groups taken apart."""
    hints = get_type_hints(command)
    nested = [
        names(hints[item.name]) if dataclasses.is_dataclass(hints[item.name]) else [item.name]
        for item in dataclasses.fields(command)
    ]
    return [name for group in nested for name in group]


def build(command: type[T], flat: Mapping[str, Any], source: str) -> T:
    """A command from plain names; what is not named has its default.

    Args:
        command: the command's class.
        flat: value by name.
        source: where they come from, for errors.

    Raises:
        ConfigError: an unknown name (the nearest is offered), or a value of the wrong type or range.
    """
    _require_known(command, flat, source)
    try:
        return msgspec.convert(_nest(command, flat), command)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ConfigError):
            raise error.__cause__ from None
        raise ConfigError(f"{source}: {error}") from None


def unchecked(command: type[T], flat: Mapping[str, Any], source: str) -> T:
    """As `build`, but ranges, and whether options fit together, are not looked at: others are still to come on top.

    Raises:
        ConfigError: an unknown name, or a value of the wrong type.
    """
    _require_known(command, flat, source)
    try:
        return _unchecked(command, flat)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}") from None


def defaults_below(
    preset: str | None,
    saved: Mapping[str, Any],
    config: str | None,
    presets: Mapping[str, Mapping[str, Any]],
    *,
    timed: bool = False,
    begun: Callable[[str], Mapping[str, Any]] = lambda run: {},
    from_run: str | None = None,
) -> dict[str, Any]:
    """What stands below the options given explicitly: --config over a saved run, over the one begun from, over the
    preset.

    A preset's number of epochs gives way to a time limit: the learning rate falls by the one that ends the training.

    Args:
        preset: a preset's name; where None, the one that --config names.
        saved: options of a run to go on with.
        config: a TOML file.
        presets: those of the task.
        timed: whether a time limit is given explicitly.
        begun: the options that a training takes over which begins with a run's weights.
        from_run: that run; where None, the one that --config names.

    Raises:
        ConfigError: an unknown preset, or a file that is missing or not TOML.
    """
    from_file = read_toml(config) if config else {}
    for option in ("resume", "overwrite", "find_lr", "picture"):
        if option in from_file:
            called = option.replace("_", "-")
            raise ConfigError(f"--config {config}: {called} is for one command, not a setting; give --{called}")
    if "plugin" in from_file:
        raise ConfigError(f"--config {config}: plugin names code, and a file of settings runs none; give --plugin")
    if tables := [option for option, value in from_file.items() if isinstance(value, dict)]:
        raise ConfigError(
            f"--config {config}: [{tables[0]}] is a table; all options stand side by side, without tables"
        )
    name = from_file.get("preset") if preset is None else preset
    if name is not None and not presets:
        raise ConfigError(f"--preset {name}: this task has no presets; leave the option out")
    if name is not None and name not in list(presets):
        raise ConfigError(unknown_name("unknown preset", name, presets))
    of_preset = {} if name is None else dict(presets[name])
    if timed or from_file.get("time_limit") is not None:
        of_preset.pop("epochs", None)
    run = from_file.get("from_run") if from_run is None else from_run
    taken_over = {} if run is None or saved else begun(str(run))
    return {**of_preset, **taken_over, **saved, **from_file}


def refuse_unused(command: type[Any], given: Iterable[str], source: str = "") -> None:
    """Refuse options of the shared groups that a task has no use for, such as --steps where nothing is cut into pieces.

    Args:
        command: the command's class; its `UNUSED` names them.
        given: plain names that somebody set.
        source: begins the message.

    Raises:
        ConfigError: there is one.
    """
    for name in given:
        if name in getattr(command, "UNUSED", ()):
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{source}{option}: train {command.TASK} has no use for it; leave it out")


def read_toml(path: str) -> dict[str, Any]:
    """Options by name from a TOML file; `time-limit` and `time_limit` are the same.

    Raises:
        ConfigError: the file is missing or not TOML.
    """
    content = toml_of("--config", path, "hidden = 256")
    return {_CALLED.get(name, name.replace("-", "_")): value for name, value in content.items()}


def toml_of(option: str, path: str, example: str) -> dict[str, Any]:
    """What a TOML file says; a message begins with the option, and shows an example.

    Raises:
        ConfigError: the file is missing or not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{option} {path}: cannot be read: {error.strerror}") from None
    except RecursionError:
        raise ConfigError(f"{option} {path}: brackets within brackets, too deep to be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{option} {path}: expected TOML such as {example!r}: {error}") from None


def _require_known(command: type[Any], flat: Mapping[str, Any], source: str) -> None:
    known = names(command)
    for name in flat:
        if name not in known:
            raise ConfigError(unknown_name(f"{source}: unknown option", name, known))


def _unchecked(command: type[T], flat: Mapping[str, Any]) -> T:
    hints = get_type_hints(command)
    options = object.__new__(command)  # __init__ would check
    for item in dataclasses.fields(cast("type[DataclassInstance]", command)):
        value: Any = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
        if dataclasses.is_dataclass(hints[item.name]):
            value = _unchecked(hints[item.name], _group_defaults(item) | dict(flat))
        elif item.name in flat:
            try:
                value = msgspec.convert(_as_text(flat[item.name], hints[item.name]), hints[item.name])
            except msgspec.ValidationError as error:
                raise msgspec.ValidationError(f"{item.name}: {error}") from None
        object.__setattr__(options, item.name, value)
    return options


def _nest(command: type[Any], flat: Mapping[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(command)
    nested: dict[str, Any] = {}
    for item in dataclasses.fields(command):
        if dataclasses.is_dataclass(hints[item.name]):
            nested[item.name] = _nest(hints[item.name], _group_defaults(item) | dict(flat))
        elif item.name in flat:
            nested[item.name] = _as_text(flat[item.name], hints[item.name])
    return nested


def _as_text(value: Any, hint: Any) -> Any:
    """A list of columns' names as the option has it; anything else as it is."""
    several = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
    return as_option(value) if several and hint in (str, str | None) else value


def _group_defaults(item: dataclasses.Field[Any]) -> dict[str, Any]:
    """What a command changes in a group's defaults: `field(default_factory=lambda: ModelOptions(hidden=128))`."""
    return {} if item.default_factory is dataclasses.MISSING else flatten(item.default_factory())
