"""A layer's weights by name: checked and sorted by layer and direction."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.core.errors import ConfigError
from ostinato.runtime.forms import FORMS, Form, kernel_of

Array = NDArray[np.float32]


#: Of one layer and direction, float32 and dense, by their names in the table of operands; absent where there is none.
Weights = Mapping[str, Array]


def sort(cell: str, named: Mapping[str, Any], concatenated: bool = True) -> tuple[list[Weights], int, str]:
    """Weights of every layer and direction, in the state's order; the number of directions; the kernel's name.

    Args:
        cell: its name.
        named: the weights.
        concatenated: two directions' outputs are; otherwise they become one as wide as each.

    Raises:
        ConfigError: a cell without a native kernel, or names and shapes that do not make such a layer.
    """
    if cell not in FORMS:
        raise ConfigError(f"cell {cell!r}: the runtime has {', '.join(FORMS)}; another cell needs torch")
    kernel, form = kernel_of(cell, "weight_hr_l0" in named)
    left = dict(named)
    layers = 1 + max((int(m[1]) for name in named if (m := re.fullmatch(r"weight_ih_l(\d+)", name))), default=-1)
    if not layers:
        raise ConfigError(f"expected weights named as in a layer's state_dict (weight_ih_l0, ...), got {_some(named)}")
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in named else ("",)
    found: list[Weights] = []
    for layer in range(layers):
        for suffix in suffixes:
            wide = len(suffixes) if concatenated else 1
            like = found[0]["weight_hh"].shape if found else None
            below = (like[1] * wide if layer else found[0]["weight_ih"].shape[1]) if like else None
            found.append(_one(cell, form, left, f"_l{layer}{suffix}", below, like))
    if left:
        raise ConfigError(f"cell {cell!r}: does not use {_some(left)}; is it another cell's?")
    return found, len(suffixes), kernel


def _one(
    cell: str, form: Form, left: dict[str, Any], suffix: str, below: int | None, like: tuple[int, ...] | None
) -> Weights:
    """One layer and direction.

    Args:
        cell: its name.
        form: what it takes.
        left: weights by name; those that are used are taken out.
        suffix: of their names.
        below: features of the input; None where any will do.
        like: shape of the first layer's weight_hh, which all have; None for that one.
    """

    def take(name: str, *shape: int | None) -> Array:
        if name + suffix not in left:
            raise ConfigError(f"cell {cell!r}: {name}{suffix} is missing")
        array = np.ascontiguousarray(np.asarray(left.pop(name + suffix)), dtype=np.float32)
        fits = array.ndim == len(shape) and all(e in (None, n) for e, n in zip(shape, array.shape, strict=True))
        if not fits:
            raise ConfigError(f"{name}{suffix}: expected shape {_shown(shape)} for {cell!r}, got {array.shape}")
        return array

    weight_hh = take("weight_hh", *(like or (None, None)))
    rows, fed_back = weight_hh.shape
    H = rows // form.gates
    out_weight, out_bias = form.output or (None, None)
    if rows != form.gates * (H if out_weight else fed_back):
        wanted = f"a multiple of {form.gates}" if out_weight else f"{form.gates * fed_back}"
        raise ConfigError(f"weight_hh{suffix}: expected {wanted} rows of {fed_back} for {cell!r}, got {rows}")
    has_bias = f"bias_ih{suffix}" in left
    extra = [(name, count) for name, count in form.extra if has_bias or name not in form.without_bias]
    weights = {"weight_ih": take("weight_ih", rows, below), "weight_hh": weight_hh}
    if has_bias:
        weights |= {name: take(name, rows) for name in ("bias_ih", "bias_hh")}
    if extra:
        weights["extra"] = np.concatenate([take(name, count * H).reshape(count, H) for name, count in extra])
    if out_weight:
        weights["weight_out"] = take(out_weight, fed_back, H)
    if out_bias and has_bias:
        weights["bias_out"] = take(out_bias, fed_back)
    return weights


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def _some(names: Mapping[str, Any]) -> str:
    shown = ", ".join(sorted(names)[:4])
    return f"{shown}, ..." if len(names) > 4 else shown or "none"
