"""What a command's --help prints: the options that people use most, and with --help-all every one."""

import dataclasses
import inspect
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any

from ostinato.tasks.described import Option, options_of

#: Columns of the names; a longer one has a line to itself.
NAMES = 26

#: What `train` shows first of the options that all tasks share.
COMMON_IN_TRAINING = ("cell", "layers", "hidden", "epochs", "time_limit", "seed", "from", "resume")


def help_of(command: type[Any], prog: str, *, everything: bool, defaults: Any = None) -> str:
    """The help of a command.

    Args:
        command: its class. What its `COMMON` names comes first; what its `UNUSED` names is left out.
        prog: the program, and the command's name.
        everything: all options, not only those that people use most.
        defaults: an instance whose values are shown as defaults.
    """
    width = max(40, min(shutil.get_terminal_size().columns, 110))
    unused = {name.replace("_", "-") for name in getattr(command, "UNUSED", ())}
    options = [option for option in options_of(command, defaults=defaults) if option.name not in unused]
    first = _first(command, options)
    shown = options if everything else first
    places = [option for option in shown if option.positional]
    flags = [option for option in shown if not option.positional]
    needed = " ".join(option.invocation for option in options if option.required and not option.positional)
    given = [option.flag if option.required else f"[{option.flag}]" for option in places]
    usage = " ".join(filter(None, (prog, *given, needed, "[options]")))
    lines = [f"usage: {usage}", "", *_filled(inspect.cleandoc(command.__doc__ or ""), width), ""]
    lines += [*_rows(places, width), ""] if places else []
    for title in dict.fromkeys(["", *(option.group for option in flags)]):
        own = [option for option in flags if option.group == title]
        lines += [*_filled(f"{title or 'Options'}:", width), *_rows(own, width), ""] if own else []
    if len(first) < len(options) and not everything:
        lines += _filled(f"{prog} --help-all shows {len(options) - len(first)} more.", width)
    return "\n".join(lines).rstrip()


def _first(command: type[Any], options: list[Option]) -> list[Option]:
    """Those of the first page: what the command says, or else all that do not stand in a group."""
    common = getattr(command, "COMMON", None)
    if common is None:
        return [option for option in options if not option.group]
    names = [name.replace("_", "-") for name in (*common, *COMMON_IN_TRAINING)]
    by_name = {option.name: option for option in options if not option.positional}
    common_options = [by_name[name] for name in names if name in by_name]
    return [
        *(option for option in options if option.positional),
        *(dataclasses.replace(option, group="") for option in common_options),
    ]


def _rows(options: Iterable[Option], width: int) -> list[str]:
    lines: list[str] = []
    for option in options:
        name = f"  {option.invocation}" if not option.paired else f"  --[no-]{option.name}"
        text = _filled(" ".join(filter(None, (option.text, _default(option)))), width - NAMES)
        if len(name) + 2 > NAMES:
            lines.append(name)
            name = ""
        lines += [f"{name if number == 0 else '':<{NAMES}}{line}" for number, line in enumerate(text)]
    return lines


def _default(option: Option) -> str:
    """The default, where it says something."""
    if option.required:
        return "Required."
    value = option.default
    if value is None or value is False or value in ((), "") or "y default" in option.text:
        return ""
    if isinstance(value, tuple):
        value = " ".join(map(str, value))
    shown = "on" if value is True else f"{value:g}" if isinstance(value, float) else {"\t": "TAB"}.get(value, value)
    return f"Default: {shown}."


def _filled(text: str, width: int) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False) or [""]
