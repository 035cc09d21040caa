"""A layer's weights by name: checked and sorted by layer and direction."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.cells import form
from ostinato.cells.contract import Cell
from ostinato.config.cells import CELL_NAMES
from ostinato.core.errors import ConfigError
from ostinato.core.registry import is_ours, lookup
from ostinato.native import library as native_library

Array = NDArray[np.float32]


#: Of one layer and direction, float32 and dense, by their names in the table of operands; absent where there is none.
Weights = Mapping[str, Array]


def sort(cell: str, given: Mapping[str, Any], concatenated: bool = True) -> tuple[list[Weights], int, Cell]:
    """Weights of every layer and direction, in the state's order; the number of directions; the first layer's cell.

    Args:
        cell: its name.
        given: the weights by name.
        concatenated: two directions' outputs are; otherwise they become one as wide as each.

    Raises:
        ConfigError: a cell without a native kernel, or names and shapes that do not make such a layer.
    """
    kind = _with_kernel(cell)
    left = dict(given)
    layers = 1 + max((int(m[1]) for name in given if (m := re.fullmatch(r"weight_ih_l(\d+)", name))), default=-1)
    if not layers:
        raise ConfigError(f"expected weights named as in a layer's state_dict (weight_ih_l0, ...), got {_some(given)}")
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in given else ("",)
    found: list[Weights] = []
    cells: list[Cell] = []
    for layer in range(layers):
        for suffix in suffixes:
            wide = len(suffixes) if concatenated else 1
            like = found[0]["weight_hh"].shape if found else None
            below = (like[1] * wide if layer else found[0]["weight_ih"].shape[1]) if like else None
            one, weights = _one(kind, left, f"_l{layer}{suffix}", below, like)
            found.append(weights)
            cells.append(one)
    if left:
        raise ConfigError(f"cell {cell!r}: does not use {_some(left)}; is it another cell's?")
    return found, len(suffixes), cells[0]


def _with_kernel(cell: str) -> type[Any]:
    """The class of one of the package's cells.

    Raises:
        ConfigError: there is no kernel of it.
    """
    if cell in CELL_NAMES and not isinstance(native_library.holding(cell), str) and is_ours(kind := lookup(cell)):
        return kind
    there = (name for name in CELL_NAMES if not isinstance(native_library.holding(name), str))
    raise ConfigError(f"cell {cell!r}: the runtime has {', '.join(there)}; another cell needs torch")


def _one(
    kind: type[Any], left: dict[str, Any], suffix: str, below: int | None, like: tuple[int, ...] | None
) -> tuple[Cell, Weights]:
    """One layer and direction: the cell that has these weights, and they.

    Args:
        kind: the cell's class.
        left: weights by name; those that are used are taken out.
        suffix: of their names.
        below: features of the input; None where any will do.
        like: shape of the first layer's weight_hh, which all have; None for that one.
    """

    def take(name: str, *shape: int | None) -> Array:
        if name + suffix not in left:
            raise ConfigError(f"cell {kind.name!r}: {name}{suffix} is missing")
        array = np.ascontiguousarray(np.asarray(left.pop(name + suffix)), dtype=np.float32)
        fits = array.ndim == len(shape) and all(e in (None, n) for e, n in zip(shape, array.shape, strict=True))
        if not fits:
            raise ConfigError(f"{name}{suffix}: expected shape {_shown(shape)} for {kind.name!r}, got {array.shape}")
        return array

    weight_hh = take("weight_hh", *(like or (None, None)))
    rows, fed_back = weight_hh.shape
    try:
        form.configured(kind, 1, rows, fed_back, True)
    except ConfigError as error:
        raise ConfigError(f"weight_hh{suffix}: {error}") from None
    weight_ih = take("weight_ih", rows, below)
    cell = form.configured(kind, weight_ih.shape[1], rows, fed_back, f"bias_ih{suffix}" in left)
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh}
    extra: list[Array] = []
    for name, declared in cell.parameters().items():
        operand = form.operand(name, declared)
        if operand == "extra":
            extra.append(take(name, *declared.shape).reshape(-1, cell.hidden_size))
        elif operand not in weights:
            weights[operand] = take(name, *declared.shape)
    return cell, weights | ({"extra": np.concatenate(extra)} if extra else {})


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def _some(names: Mapping[str, Any]) -> str:
    shown = ", ".join(sorted(names)[:4])
    return f"{shown}, ..." if len(names) > 4 else shown or "none"
