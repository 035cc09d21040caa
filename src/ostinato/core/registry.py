"""Cells by name. `ostinato.register` is public: a cell written outside the package gets everything one inside has."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from ostinato.core import states
from ostinato.core.errors import ConfigError, unknown_name

#: A class, or the module that registers it, imported when somebody asks for the cell.
_CELLS: dict[str, type[Any] | str] = {}

C = TypeVar("C", bound=type[Any])


def register(cell: C) -> C:
    """Make a cell available under its `name`, to `Recurrent`, to the command line and to every check.

    Args:
        cell: a class that follows `ostinato.cells.contract.Cell`; most easily a frozen dataclass.

    Returns:
        The class itself, so that this serves as a decorator.

    Raises:
        ConfigError: the class lacks something the contract asks for, or another class has the name already.
    """
    needed = ("name", "gates", "State", "paper", "parameters", "project", "step", "initial_state", "examples")
    if missing := [attribute for attribute in needed if not hasattr(cell, attribute)]:
        raise ConfigError(f"cell {cell.__name__} lacks {', '.join(missing)}; see ostinato.cells.contract.Cell")
    name = cell.name
    other = _CELLS.get(name)
    if isinstance(other, str):
        other = None if other == cell.__module__ else lookup(name)
    # The same class again, as when a notebook cell is run twice, replaces itself.
    if other is not None and (other.__module__, other.__qualname__) != (cell.__module__, cell.__qualname__):
        raise ConfigError(f"the cell name {name!r} is taken by {other.__module__}.{other.__qualname__}; choose another")
    states.declare(cell.State)
    _CELLS[name] = cell
    return cell


def announce(modules: Mapping[str, str]) -> None:
    """Say which module registers each cell, by the cells' names; it is imported once the cell is asked for."""
    for name, module in modules.items():
        _CELLS.setdefault(name, module)


def unregister(name: str) -> None:
    """Forget a cell; for tests and notebooks."""
    _CELLS.pop(name, None)


def registered() -> dict[str, type[Any]]:
    """Every registered cell by name, in the order of registration."""
    return {name: lookup(name) for name in _CELLS}


def is_ours(kind: type[Any]) -> bool:
    """Whether a cell's class is the package's, whose kernels know cells by their names."""
    return kind.__module__.startswith("ostinato.cells.")


def lookup(name: str) -> type[Any]:
    """The cell class of that name.

    Raises:
        ConfigError: no such cell; the message names those there are and the nearest.
    """
    if isinstance(found := _CELLS.get(name), str):
        import_module(found)  # which puts the class in its place
        found = _CELLS[name]
    if isinstance(found, type):
        return found
    raise ConfigError(
        f"{unknown_name('unknown cell', name, sorted(_CELLS))}. "
        "A cell of your own is found once the module that registers it is imported (command line: --plugin FILE.py)"
    )


def like_torch(mode: str) -> str:
    """The name of the package's cell that has the equations of a torch.nn layer, by that layer's `mode`."""
    there = registered().items()
    return next(name for name, cell in there if is_ours(cell) and getattr(cell, "torch_mode", "") == mode)


def build(name: str, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> Any:
    """A configuration of the cell of that name.

    Raises:
        ConfigError: no such cell, an option it does not have, or a value it refuses.
    """
    kind = lookup(name)
    given = inspect.signature(kind).parameters.values()
    known = sorted({parameter.name for parameter in given} - {"input_size", "hidden_size", "bias"})
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in given)
    if (unknown := sorted(set(options) - set(known))) and not open_ended:
        raise ConfigError(
            f"cell {name!r} has no option {', '.join(map(repr, unknown))}; it has {', '.join(known) or 'none'}"
        )
    return kind(input_size=input_size, hidden_size=hidden_size, bias=bias, **options)


def resized(cell: Any, input_size: int, hidden_size: int) -> Any:
    """The same configuration of a cell in other sizes."""
    return type(cell)(input_size=input_size, hidden_size=hidden_size, bias=cell.bias, **options_set(cell))


def options_set(cell: Any) -> dict[str, Any]:
    """The options of a cell that are not their defaults, by name; none of a cell that does not keep them by name."""
    given = inspect.signature(type(cell)).parameters.values()
    options = (one for one in given if one.name not in ("input_size", "hidden_size", "bias"))
    return {
        one.name: getattr(cell, one.name)
        for one in options
        if hasattr(cell, one.name) and getattr(cell, one.name) != one.default
    }
