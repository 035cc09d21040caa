"""Options from several places, and into plain names and back: option over --config over saved run over preset."""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from ostinato.core.errors import ConfigError

T = TypeVar("T")


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
    known = names(command)
    for name in flat:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigError(f"{source}: unknown option {name!r}: {hint}there are {', '.join(known)}")
    try:
        return msgspec.convert(_nest(command, flat), command)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ConfigError):
            raise error.__cause__ from None
        raise ConfigError(f"{source}: {error}") from None


def read_toml(path: str) -> dict[str, Any]:
    """Options by name from a TOML file; `time-limit` and `time_limit` are the same.

    Raises:
        ConfigError: the file is missing or not TOML.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--config {path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config {path}: expected TOML such as 'hidden = 256': {error}") from None
    return {name.replace("-", "_"): value for name, value in content.items()}


def _nest(command: type[Any], flat: Mapping[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(command)
    nested: dict[str, Any] = {}
    for item in dataclasses.fields(command):
        if dataclasses.is_dataclass(hints[item.name]):
            nested[item.name] = _nest(hints[item.name], flat)
        elif item.name in flat:
            nested[item.name] = flat[item.name]
    return nested
