"""Kernels of compiled cells by a key: a text that a graph can hold, and that another process understands.

A key says which cell it is, as its registered name and options, and the hash of its equations. A process that meets one
makes the cell by that, and refuses where the equations are others than they were.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from torch import Tensor

import ostinato.cells  # noqa: F401  registers those of the package, which a key may name
from ostinato.cells.contract import Cell
from ostinato.compiler import build
from ostinato.compiler.build import NoCompilerError
from ostinato.compiler.kernel import Kernel, kernel_of
from ostinato.compiler.trace import Traced
from ostinato.compiler.tracer import CannotCompileError
from ostinato.core import registry
from ostinato.core.errors import ConfigError, OstinatoError
from ostinato.native import library as native_library

R = TypeVar("R")

_kernels: dict[str, Kernel] = {}
_keys: dict[Any, tuple[Cell, str, str]] = {}  # of a cell with or without noise: its key, or why it has none


def key_of(cell: Cell, masked: bool, zoned: bool, precision: str | None = "highest") -> tuple[str, str]:
    """Of a cell, compiled, and nothing; or nothing and why it cannot be.

    Args:
        cell: the cell.
        masked: with recurrent dropout.
        zoned: with zoneout.
        precision: of the products; None where torch says which when they are computed.
    """
    key = named_by(cell, masked, zoned, precision)
    if key not in _keys:
        _keys[key] = cell, *unwatched(_compiled, cell, masked, zoned, precision)
    return _keys[key][1:]


def keep(cell: Cell, kernel: Kernel) -> str:
    """Have a cell run by a kernel from now on, which is compiled; its key."""
    key = _key(cell, kernel)
    _kernels[key] = kernel
    _keys[named_by(cell, kernel.masked, kernel.zoned, kernel.precision)] = cell, key, ""
    return key


def kernel_by(key: str) -> Kernel:
    """The kernel of a key, which may come from another process.

    Raises:
        ConfigError: this process does not have the cell, has other equations for it, or cannot compile it.
    """
    found = _kernels.get(key)
    if found is None:
        found = _kernels[key] = _made_from(key)
    return found


def unwatched(function: Callable[..., R], *arguments: Any) -> R:
    """What a function gives where no mode sees it: modes, a graph that is being captured among them, are a thread's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *arguments).result()


def named_by(cell: Cell, *rest: bool | str | None) -> Any:
    """What stands for a cell in a dictionary that keeps it alive."""
    try:
        hash(cell)
    except TypeError:
        return (id(cell), *rest)
    return (type(cell), cell, *rest)


def _compiled(cell: Cell, masked: bool, zoned: bool, precision: str | None) -> tuple[str, str]:
    library = native_library.load()
    assert not isinstance(library, str)  # or the cell had been refused
    try:
        kernel = kernel_of(cell, library.isa, masked=masked, zoned=zoned, precision=precision)
        kernel.compile()
    except (CannotCompileError, NoCompilerError) as error:
        return "", str(error)
    if kernel.seconds:
        line = f"compiled {cell.name} in {kernel.seconds:.1f} s; kept in {build.cache_folder()}"
        print(line, file=sys.stderr, flush=True)
    return keep(cell, kernel), ""


def _key(cell: Cell, kernel: Kernel) -> str:
    noise = [name for name, there in (("mask", kernel.masked), ("zoneout", kernel.zoned)) if there]
    # What is kept depends on the machine: a graph that goes backward is of one kind of them.
    row = {
        "cell": cell.name,
        "options": _options(cell),
        "noise": noise,
        "precision": kernel.precision,
        "program": _hash(kernel.traced),
        "kept": kernel.kept_size,
    }
    return json.dumps(row, separators=(",", ":"))


def _options(cell: Cell) -> dict[str, Any] | None:
    """What the registered cell of that name is made with to be this one; None where that cannot be said."""
    found = {"input_size": cell.input_size, "hidden_size": cell.hidden_size, "bias": cell.bias}
    try:
        found |= registry.options_set(cell)
        again: Any = registry.build(cell.name, **json.loads(json.dumps(found)))
    except (OstinatoError, TypeError, ValueError):
        return None
    return found if again == cell else None


def _hash(traced: Traced) -> str:
    """Of all that a cell computes."""

    graph = traced.graph
    ends = [*traced.state, *([] if traced.output is None else [traced.output])]
    computed = [(at, graph[at]) for at in graph.needed(ends)], traced.state, traced.output
    shapes = (
        traced.state_widths,
        traced.input_width,
        traced.projected,
        traced.noise,
        traced.shapes,
        traced.matrix_shapes,
    )
    notes = traced.matrices, traced.vectors, _written(traced.notes)
    return hashlib.sha256(repr((computed, shapes, notes)).encode()).hexdigest()[:16]


def _written(tree: Any) -> Any:
    """Nested tuples and dicts as lists, and tensors as their numbers: all that `repr` says in full."""
    if isinstance(tree, Tensor):
        return str(tree.dtype), tree.tolist()
    if isinstance(tree, dict):
        return _written(list(tree.items()))
    return list(map(_written, tree)) if isinstance(tree, (tuple, list)) else tree


def _made_from(key: str) -> Kernel:
    row = json.loads(key)
    name = row["cell"]
    if row["options"] is None:
        raise ConfigError(
            f"this graph runs a cell {name!r} that was made by hand: make the same one here, and run it once before"
        )
    try:
        cell = registry.build(name, **row["options"])
    except ConfigError as error:
        raise ConfigError(f"this graph runs the cell {name!r}: {error}") from error
    made, why = key_of(cell, "mask" in row["noise"], "zoneout" in row["noise"], row["precision"])
    if why:
        raise ConfigError(f"this graph runs the cell {name!r} compiled, which cannot be done here: {why}")
    if json.loads(made)["program"] != row["program"]:
        raise ConfigError(
            f"the cell {name!r} has other equations here than where this graph was captured: capture it again"
        )
    return _kernels[made]
