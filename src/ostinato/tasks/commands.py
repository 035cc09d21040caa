"""The commands that ask a run's task: together they take what any task takes, each run what its own task does."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from os import PathLike, fspath
from typing import Annotated, Any, Literal, NamedTuple, cast, get_args, get_type_hints

from ostinato.config import commands
from ostinato.config.columns import as_option
from ostinato.config.merge import flatten
from ostinato.config.options import options
from ostinato.core.errors import ConfigError, OptionTypeError, unknown_name
from ostinato.tasks import ADOPTING, OPTIONS


class Declared(NamedTuple):
    """Where an option of a command comes from: the task that takes it, the class whose field it is, and the outermost
    group within the task's options that holds it."""

    task: str
    kind: type[Any]
    group: type[Any] | None


#: Key of a field's metadata: everything that declares the option.
DECLARED = "declared"


def options_of_task(task: str, command: str) -> type[Any]:
    """The class of what a task takes of a command.

    Raises:
        ConfigError: the task has no such command.
    """
    kind = getattr(OPTIONS[task], command)
    if kind is None:
        able = ", ".join(name for name, takes in OPTIONS.items() if getattr(takes, command) is not None)
        raise ConfigError(f"{command}: expected a run of task {able}, got one of {task!r}")
    return cast("type[Any]", kind)


@cache  # a server asks at each request; what tasks take stays as it is
def declared(task: str, command: str) -> Mapping[str, Declared]:
    """What a task takes of a command, by option."""
    kind = options_of_task(task, command)
    unused = getattr(kind, "UNUSED", ())
    return {name: found for name, found in _declared(task, kind, None) if name not in unused}


#: Types of a class's fields, by name.
_hints = cast("Callable[[type[Any]], Mapping[str, Any]]", cache(get_type_hints))


def _declared(task: str, kind: type[Any], group: type[Any] | None) -> Iterator[tuple[str, Declared]]:
    hints = _hints(kind)
    for item in dataclasses.fields(kind):
        hint = hints[item.name]
        if dataclasses.is_dataclass(hint):
            yield from _declared(task, cast("type[Any]", hint), group or cast("type[Any]", hint))
        else:
            yield item.name, Declared(task, kind, group)


def _with_tasks_options(base: type[Any], command: str) -> type[Any]:
    """A command with the options of every task besides its own; what nobody gives is None, or False of a flag."""
    found: dict[str, list[Declared]] = {}
    for task, takes in OPTIONS.items():
        if getattr(takes, command) is not None:
            for name, one in declared(task, command).items():
                found.setdefault(name, []).append(one)
    fields = [(name, *_field(name, several)) for name, several in found.items()]
    namespace = {"__doc__": base.__doc__, "__module__": __name__, "__post_init__": _require_ranges}
    return dataclasses.make_dataclass(base.__name__, fields, bases=(base,), namespace=namespace, repr=False, eq=False)


def _field(name: str, several: list[Declared]) -> tuple[Any, Any]:
    """Type and field of an option that nobody needs to give."""
    kind = several[0].kind
    hint, plain = get_type_hints(kind, include_extras=True)[name], get_type_hints(kind)[name]
    (item,) = (item for item in dataclasses.fields(kind) if item.name == name)
    flag = plain is bool and item.default is False
    if not flag and type(None) not in get_args(plain):
        marks = getattr(hint, "__metadata__", ())
        hint = Annotated[(plain | None, *marks)] if marks else plain | None
    return hint, dataclasses.field(default=False if flag else None, metadata={DECLARED: tuple(several)})


def _require_ranges(options: Any) -> None:
    """That what was given is in range, before a run is looked for.

    Options that several classes declare wait for the run's task to say.
    """
    super(type(options), options).__post_init__()
    given, by_kind = said(options), dict[type[Any], list[str]]()
    for item in dataclasses.fields(options):
        kinds = {one.kind for one in item.metadata.get(DECLARED, ())}
        if item.name in given and len(kinds) == 1:
            by_kind.setdefault(kinds.pop(), []).append(item.name)
    for kind, names in by_kind.items():
        kind(**{name: given[name] for name in names})


Evaluate = _with_tasks_options(commands.Evaluate, "evaluate")
Predict = _with_tasks_options(commands.Predict, "predict")
Generate = _with_tasks_options(commands.Generate, "generate")
Plot = _with_tasks_options(commands.Plot, "plot")


@options
class Import(commands.Import):  # noqa: D101  as below
    __doc__ = commands.Import.__doc__

    task: Literal[ADOPTING] | None = None  # type: ignore[valid-type]


_COMMANDS = {"evaluate": Evaluate, "predict": Predict, "generate": Generate, "plot": Plot}


def said(options: Any) -> dict[str, Any]:
    """The options of tasks that a command was given, by name."""
    found = {
        item.name: getattr(options, item.name) for item in dataclasses.fields(options) if DECLARED in item.metadata
    }
    return {name: value for name, value in found.items() if not _is_unsaid(value, type(options), name)}


def _is_unsaid(value: Any, command: type[Any], name: str) -> bool:
    if value is not False:
        return value is None
    return any(item.name == name and item.default is False for item in dataclasses.fields(command))


def apart(task: str, command: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was given to a command, as what the task is asked, and what becomes of its answers.

    Raises:
        ConfigError: the task has no use for one of them.
    """
    require_taken(task, command, given)
    writing = getattr(options_of_task(task, command), "WRITING", ())
    asking = {name: value for name, value in given.items() if name not in writing}
    return asking, {name: value for name, value in given.items() if name in writing}


def require_taken(task: str, command: str, names: Iterable[str]) -> None:
    """That a task takes these options of a command.

    Raises:
        OptionTypeError: no task does; a ConfigError, and a TypeError as of any call.
        ConfigError: it does not, but others do.
    """
    known = declared(task, command)
    strange = [name for name in names if name not in known]
    if not strange:
        return
    others = {item.name: item.metadata[DECLARED] for item in dataclasses.fields(_COMMANDS[command])
              if DECLARED in item.metadata}  # fmt: skip
    for name in strange:
        if name not in others:
            raise OptionTypeError(unknown_name("unknown option", name, sorted(others)))
        able = ", ".join(dict.fromkeys(one.task for one in others[name]))
        option = "--" + name.replace("_", "-")
        raise ConfigError(
            f"{option}: a run of task {task!r} has no use for it in {command}, only of {able}; leave it out"
        )


def asked(task: str, command: str, given: Mapping[str, Any]) -> Any:
    """What a task is asked by a command (evaluate, predict, generate or plot): an instance of its class of options.

    Of the values by name None, and False of a flag, say nothing. What has commas on the command line may be a list.

    Raises:
        OptionTypeError: an option that there is not; a ConfigError, and a TypeError as of any call.
        ConfigError: one that the task has no use for, or out of range.
    """
    kind = options_of_task(task, command)
    wanted = {name: value for name, value in given.items() if not _is_unsaid(value, _COMMANDS[command], name)}
    for name in getattr(kind, "WRITING", ()):
        if name in wanted:
            raise OptionTypeError(f"unknown option {name!r}: it is for `ostinato {command}`, which writes answers")
    require_taken(task, command, wanted)
    return made(kind, wanted)


def made(kind: type[Any], given: Mapping[str, Any]) -> Any:
    """An instance of a class of options from values by name, its groups made as well."""
    hints = _hints(kind)
    values: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[item.name]):
            values[item.name] = made(cast("type[Any]", hints[item.name]), given)
        elif item.name in given:
            values[item.name] = _as_text(given[item.name], hints[item.name])
    return kind(**values)


def _as_text(value: Any, hint: Any) -> Any:
    """A value as the command line has it, where that is a text."""
    if str not in (hint, *get_args(hint)) or isinstance(value, str):
        return value
    if isinstance(value, PathLike):
        return fspath(value)
    return as_option(map(str, value)) if isinstance(value, Iterable) else str(value)


def reading_of(task: str) -> type[Any]:
    """The class of how a task's data may be laid out otherwise than in training."""
    return cast("type[Any]", get_type_hints(OPTIONS[task].evaluate)["reading"])


def reading_given(task: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What was given of how data are laid out, as the command line has it, and which of it is the task's own.

    Raises:
        OptionTypeError: an option that there is not.
        ConfigError: one that the task has no use for, or that cannot be used.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    known, every = _reading(task), [name for other in OPTIONS for name in _reading(other)]
    for name in wanted:
        if name not in every:
            raise OptionTypeError(unknown_name("unknown option", name, dict.fromkeys(every)))
        if name not in known:
            option = "--" + name.replace("_", "-")
            raise ConfigError(f"{option}: a run of task {task!r} has no use for it; leave it out")
    kind = reading_of(task)
    found = flatten(made(kind, wanted))
    return {name: found[name] for name in wanted}, {name for name in wanted if known[name].kind is kind}


def _reading(task: str) -> dict[str, Declared]:
    """The options that any command reads a task's data by."""
    kind = reading_of(task)
    commands = [command for command in ("evaluate", "predict", "plot") if getattr(OPTIONS[task], command) is not None]
    return {name: one for command in commands for name, one in declared(task, command).items() if one.group is kind}
