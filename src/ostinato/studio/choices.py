"""What can be chosen of a training, as the classes of options have it, and the command that choices make."""

import functools
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from ostinato.config.cells import CELL_NAMES
from ostinato.config.merge import build, defaults_below
from ostinato.core.errors import ConfigError
from ostinato.tasks import TRAIN_OPTIONS
from ostinato.tasks.described import Option, options_of
from ostinato.tasks.options import TrainOptions

#: What is asked of every task in front of the fold, besides what a task itself puts there.
_COMMON = ("epochs", "time_limit", "cell", "layers", "hidden")
#: What is not the page's to say: where a run goes, what becomes of one that is there, and code to import.
_OURS = {"out", "json", "resume", "overwrite", "plugin", "config", "devices", "find_lr", "picture"}
#: Options that name a file, which the page has as an upload.
FILES = ("valid", "test")


@functools.cache
def described() -> dict[str, dict[str, Any]]:
    """The tasks with their options, as the page shows them."""
    return {name: _task(kind) for name, kind in TRAIN_OPTIONS.items()}


def _task(kind: type[TrainOptions]) -> dict[str, Any]:
    unused = {*getattr(kind, "UNUSED", ()), *_OURS}
    options = [option for option in options_of(kind) if _chosen_by_page(option, unused)]
    return {
        "about": " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
        "options": [_option(option, kind) for option in options],
    }


def _chosen_by_page(option: Option, unused: set[str]) -> bool:
    name = option.name.replace("-", "_")
    if option.positional or name in unused:
        return False
    return name in FILES or not option.metavar.startswith(("FILE", "DIR", "RUN"))


def _option(option: Option, kind: type[TrainOptions]) -> dict[str, Any]:
    name = option.name.replace("-", "_")
    return {
        "name": name,
        "kind": _kind(option, name),
        "choices": _choices(option, name),
        "default": option.default if isinstance(option.default, str | int | float | bool | None) else None,
        "required": option.required,
        "help": "Recurrent cell." if name == "cell" else option.text,  # the choices stand beside it
        "group": option.group,
        "common": name in (*kind.COMMON, *_COMMON) and name not in FILES,
    }


def _kind(option: Option, name: str) -> str:
    if name in FILES:
        return "file"
    if option.metavar.startswith("COL"):
        return "columns" if "," in option.metavar else "column"
    if option.metavar == "SOURCE,TARGET":
        return "columns"
    if not option.metavar:
        return "flag"
    if _choices(option, name):
        return "choice"
    return {"a whole number": "whole", "a number": "number"}.get(option.expected, "text")


def _choices(option: Option, name: str) -> list[str]:
    if name == "cell":
        return list(CELL_NAMES)
    return option.metavar.split("|") if option.expected.startswith("one of") else []


def words(task: str, data: Iterable[str], out: str, given: Mapping[str, Any]) -> list[str]:
    """A training as the words of its command line, checked.

    Args:
        task: its name.
        data: paths of what is trained on.
        out: the run folder.
        given: options by plain name; None leaves one out.

    Raises:
        ConfigError: an option that there is not, or that cannot be used.
    """
    kind = TRAIN_OPTIONS[task]
    sources = list(data)
    options = {name: value for name, value in given.items() if value is not None}
    below = defaults_below(options.get("preset"), {}, None, kind.PRESETS, timed=options.get("time_limit") is not None)
    build(kind, {**below, kind.SOURCES: sources, "out": out, **options}, "options")
    by_name = {option.name.replace("-", "_"): option for option in options_of(kind)}
    found = ["train", task, *sources, "--out", out]
    for name, value in options.items():
        found += _said(by_name[name], value)
    return found


def _said(option: Option, value: Any) -> list[str]:
    if not option.metavar:
        if value is False and not option.paired:
            return []
        return [f"--{option.name}" if value else f"--no-{option.name}"]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return [f"--{option.name}={text}"] if text.startswith("-") else [f"--{option.name}", text]


def allowed(task: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Options that the page may say, of what it says.

    Raises:
        ConfigError: an unknown task, or an option that is not for the page.
    """
    if task not in described():
        raise ConfigError(f"there is no task {task[:40]!r}; there are {', '.join(described())}")
    known = {option["name"] for option in described()[task]["options"]}
    for name in given:
        if name not in known:
            raise ConfigError(f"--{name[:40].replace('_', '-')}: is no option that the page may set")
    return dict(given)


def command_of(line: Iterable[str]) -> str:
    """A command line to copy."""
    return shlex.join(["ostinato", *line])


def asked_of(line: Iterable[str]) -> list[str]:
    """The words of a command whose result is to be read: as JSON."""
    return [*line, "--json"]
