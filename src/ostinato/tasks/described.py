"""What a command's options are, read off its class: names, kinds, defaults, and what their docstrings say of them."""

import ast
import dataclasses
import functools
import inspect
import itertools
import textwrap
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tyro.conf import FlagCreatePairsOff, Positional, Suppress

from ostinato.tasks.commands import DECLARED, Declared

#: What options are called here, and elsewhere.
_ALSO_CALLED = {
    "lr": "learning-rate",
    "batch": "batch-size",
    "hidden": "hidden-size hidden-dim",
    "layers": "num-layers n-layers",
    "embed": "embed-size embedding-dim",
    "epochs": "num-epochs n-epochs max-epochs",
    "seed": "random-seed random-state",
    "out": "output-dir",
    "valid": "validation val dev",
    "patience": "early-stopping",
    "steps": "bptt seq-len",
    "clip": "grad-clip",
    "tied": "tie-weights",
    "schedule": "lr-scheduler",
    "separator": "delimiter sep",
    "max-length": "max-len",
    "beam": "beams beam-size beam-width",
    "samples": "num-samples",
    "devices": "workers num-processes",
}
#: What people call options elsewhere, and what they are called here.
ELSEWHERE = {name: here for here, names in _ALSO_CALLED.items() for name in names.split()}


@dataclass(frozen=True)
class Option:
    """An option, or a word that stands for itself by its place.

    Attributes:
        name: of the field, with dashes.
        positional: whether it stands by itself.
        metavar: what its value is called; empty for a flag.
        expected: what its value has to be, for messages; empty where any text will do.
        paired: a flag that can be switched off as well, by --no-NAME.
        group: what it belongs to, in a few words; empty for the command's own.
        text: what it does, one paragraph.
        required: whether there is no default.
        default: what it is otherwise.
    """

    name: str
    positional: bool
    metavar: str
    expected: str
    paired: bool
    group: str
    text: str
    required: bool
    default: Any

    @property
    def flag(self) -> str:
        """As it is written."""
        return self.metavar if self.positional else f"--{self.name}"

    @property
    def invocation(self) -> str:
        """As it is written, with its value."""
        return self.flag if self.positional or not self.metavar else f"{self.flag} {self.metavar}"


def options_of(command: type[Any], group: str = "", defaults: Any = None) -> list[Option]:
    """Every option of a command, its groups taken apart.

    Args:
        command: a dataclass.
        group: what the options belong to.
        defaults: an instance that has the defaults; where None, those of the class.
    """
    texts = _docstrings(typing.cast("typing.Hashable", command))
    hints, plain = get_type_hints(command, include_extras=True), get_type_hints(command)
    tasks = {one.task for item in dataclasses.fields(command) for one in item.metadata.get(DECLARED, ())}
    found: list[Option] = []
    for item in dataclasses.fields(command):
        if DECLARED in item.metadata:
            found.append(_of_tasks(item.name, item.metadata[DECLARED], tasks))
            continue
        default = _default(item) if defaults is None else getattr(defaults, item.name, _default(item))
        if dataclasses.is_dataclass(plain[item.name]):
            below = typing.cast("type[Any]", plain[item.name])
            at = default if dataclasses.is_dataclass(default) else None
            found += options_of(below, _first_sentence(below), at)
        elif (option := _option(item, hints[item.name], plain[item.name], texts, group, default)) is not None:
            found.append(option)
    return found


def _of_tasks(name: str, several: tuple[Declared, ...], tasks: set[str]) -> Option:
    """An option that tasks declare; it says which, where others of the command do not take it."""
    own = [_declared(name, one) for one in several]
    texts: dict[str, list[str]] = {}
    for one, option in zip(several, own, strict=True):
        texts.setdefault(option.text, []).append(one.task)
    if {one.task for one in several} == tasks and len(texts) == 1:
        return own[0]
    parts = [f"{', '.join(takers)}: {_within(text).rstrip('.')}" for text, takers in texts.items()]
    return dataclasses.replace(own[0], text="; ".join(parts) + ".")


def _declared(name: str, declared: Declared) -> Option:
    kind = declared.kind
    (item,) = (item for item in dataclasses.fields(kind) if item.name == name)
    hint, plain = get_type_hints(kind, include_extras=True)[name], get_type_hints(kind)[name]
    group = "" if declared.group is None else _first_sentence(declared.group)
    option = _option(item, hint, plain, _docstrings(typing.cast("typing.Hashable", kind)), group, _default(item))
    assert option is not None
    return option


def _within(text: str) -> str:
    """A text that goes on after a colon."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _option(
    item: dataclasses.Field[Any], hint: Any, kind: Any, texts: dict[str, str], group: str, default: Any
) -> Option | None:
    marks = _marks(hint)
    if _mark_of(Suppress) in marks:
        return None
    settings = next((mark for mark in marks if hasattr(mark, "metavar") and hasattr(mark, "help")), None)
    metavar, expected = _kind(kind)
    text = (settings and settings.help) or texts.get(item.name, "")
    name = (settings and settings.name) or item.name.replace("_", "-")
    positional = _mark_of(Positional) in marks
    return Option(
        name=name,
        positional=positional,
        metavar=(settings and settings.metavar) or (item.name.upper() if positional else metavar),
        expected=expected,
        paired=kind is bool and _mark_of(FlagCreatePairsOff) not in marks,
        group=group,
        text=" ".join(text.split()),
        required=item.default is item.default_factory is dataclasses.MISSING,
        default=default,
    )


def _kind(kind: Any) -> tuple[str, str]:
    """What a value of a type is called, and what it has to be."""
    if get_origin(kind) in (typing.Union, types.UnionType):
        return _kind(next(own for own in get_args(kind) if own is not type(None)))
    if get_origin(kind) is Literal:
        names = [str(value) for value in get_args(kind) if value is not None]
        return "|".join(names), f"one of {', '.join(names)}"
    if get_origin(kind) is tuple:
        return _kind(get_args(kind)[0])
    known = {bool: ("", ""), int: ("N", "a whole number"), float: ("X", "a number")}
    return known.get(kind, ("TEXT", ""))


def _default(item: dataclasses.Field[Any]) -> Any:
    if item.default is not dataclasses.MISSING:
        return item.default
    return None if item.default_factory is dataclasses.MISSING else item.default_factory()


def _marks(hint: Any) -> tuple[Any, ...]:
    """What `Annotated` says besides the type, all the way down."""
    return getattr(hint, "__metadata__", ())


def _mark_of(marker: Any) -> Any:
    """What `tyro` puts into `Annotated` for one of its markers."""
    found = _marks(marker[int]) if hasattr(type(marker), "__getitem__") or hasattr(marker, "__class_getitem__") else ()
    return found[0] if found else marker


@functools.cache
def _docstrings(command: type[Any]) -> dict[str, str]:
    """The text below each field of a dataclass, those it inherits included."""
    found: dict[str, str] = {}
    for kind in reversed(command.__mro__):
        if not dataclasses.is_dataclass(kind) or any(DECLARED in item.metadata for item in dataclasses.fields(kind)):
            continue  # the latter is made, and has no source
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        body = typing.cast("ast.ClassDef", tree).body
        for field, text in itertools.pairwise(body):
            target = field.target if isinstance(field, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[target.id] = str(text.value.value)
    return found


def _first_sentence(kind: type[Any]) -> str:
    text = " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".")
