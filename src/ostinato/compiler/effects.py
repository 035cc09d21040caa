"""What a step does beside computing its results: compiled, it would happen once instead of at every step."""

import inspect
import io
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

from ostinato.cells.contract import Cell

_CONTAINERS = (list, dict, set, deque, bytearray)
#: Of every name: what it stands for, and what is in that.
Reached = Mapping[tuple[str, str], tuple[int, ...]]


def reached(cell: Cell) -> Reached:
    """What a cell's functions can change: attributes of the cell, and names from outside that they use."""
    found = {("the cell itself", name): value for name, value in getattr(cell, "__dict__", {}).items()}
    for function in (cell.project, cell.step):
        try:
            outside = inspect.getclosurevars(function)
        except (TypeError, ValueError):  # not written in Python
            continue
        found |= {(name, ""): value for name, value in {**outside.nonlocals, **outside.globals}.items()}
    return {name: _seen(value) for name, value in found.items()}


def _seen(value: Any) -> tuple[int, ...]:
    inside = list(value) if isinstance(value, _CONTAINERS) else []
    if isinstance(value, dict):
        inside += value.values()
    return id(value), *map(id, inside)


def changed(before: Reached, after: Reached) -> str:
    """The name of something that is not as it was; empty where there is none."""
    return next((name[0] for name in {**before, **after} if before.get(name) != after.get(name)), "")


def place(cell: Cell) -> str:
    """Where a cell's step is written."""
    code = getattr(inspect.unwrap(getattr(cell.step, "__func__", cell.step)), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else "unknown line"


class _Refusing(io.TextIOBase):
    """Standard output of a thread that is not to print; others' goes where it went."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        self._error, self._thread, self._usual = error, threading.get_ident(), sys.stdout

    def write(self, text: str) -> int:
        if threading.get_ident() == self._thread:
            raise self._error()
        return self._usual.write(text)

    def flush(self) -> None:
        self._usual.flush()


@contextmanager
def silent(error: Callable[[], Exception]) -> Iterator[None]:
    """Whoever prints here gets an error.

    Args:
        error: makes it, where something is printed.
    """
    with redirect_stdout(_Refusing(error)):
        yield
