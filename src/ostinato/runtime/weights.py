"""A layer's weights by name: from a file, a run folder or a state_dict, checked and sorted by layer and direction."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.config.cells import USUAL
from ostinato.core.errors import ConfigError, RunFolderError
from ostinato.runtime.forms import FORMS, Form, kernel_of

if TYPE_CHECKING:
    from ostinato.runtime.recurrent import Recurrent

Array = NDArray[np.float32]

#: Types that safetensors writes and NumPy has by itself.
_OF_NUMPY = {"F16", "F32", "F64"}


class Weights(NamedTuple):
    """Of one layer and direction, float32 and dense; shapes as in `native/source/ostinato.h`."""

    weight_ih: Array
    weight_hh: Array
    bias_ih: Array | None
    bias_hh: Array | None
    extra: Array | None
    weight_out: Array | None
    bias_out: Array | None

    @property
    def output_size(self) -> int:
        """R: units of the output."""
        return int(self.weight_hh.shape[1])


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
            first = found[0] if found else None
            wide = len(suffixes) if concatenated else 1
            below = first and (first.output_size * wide if layer else first.weight_ih.shape[1])
            found.append(_one(cell, form, left, f"_l{layer}{suffix}", below, first and first.weight_hh.shape))
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
    return Weights(
        take("weight_ih", rows, below),
        weight_hh,
        take("bias_ih", rows) if has_bias else None,
        take("bias_hh", rows) if has_bias else None,
        np.concatenate([take(name, count * H).reshape(count, H) for name, count in extra]) if extra else None,
        take(out_weight, fed_back, H) if out_weight else None,
        take(out_bias, fed_back) if out_bias and has_bias else None,
    )


def load(path: str | Path, cell: str | None = None, prefix: str | None = None, **options: Any) -> Recurrent:
    """A trained layer from a file of weights, or the recurrent stack of a run.

    Args:
        path: a safetensors file that holds a layer's `state_dict`, or a run folder.
        cell: the cell's name; a run folder knows its own.
        prefix: of the layer's names within the file, such as "encoder."; by default none, in a run "recurrent.".
        **options: of `Recurrent`.

    Raises:
        ConfigError: no such file or a damaged one, no cell named, weights that do not fit, or a run whose last layer
            stands apart.
        RunFolderError: a folder that is no run.
    """
    from safetensors import SafetensorError, safe_open

    from ostinato.runtime.recurrent import Recurrent

    file = Path(path)
    if file.is_dir():
        try:
            model = json.loads((file / "config.json").read_text(encoding="utf-8"))["model"]
            if not isinstance(model, dict):
                raise TypeError("config.json does not describe a model")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFolderError(f"{file}: not a run folder that can be read: {error}") from None
        if prefix is None and model.get("last_size") not in (None, model.get("hidden_size")):
            raise ConfigError(
                f"{file}: the last layer of this run has a width of its own and stands apart; load both parts, with "
                "prefix='recurrent.' and prefix='last.'"
            )
        if other := [f"{name}={model[name]}" for name, usual in USUAL.items() if model.get(name, usual) != usual]:
            raise ConfigError(f"{file}: the native kernels have the cells' usual form only, not {', '.join(other)}")
        cell = cell or model.get("cell")
        spelling = prefix is not None and prefix.startswith("spelling.")  # a tagger's, which has no zoneout
        options = {"zoneout": 0.0 if spelling else model.get("zoneout", 0.0)} | options
        file, prefix = file / "model.safetensors", "recurrent." if prefix is None else prefix
    if cell is None:
        raise ConfigError(f"{file}: a file of weights does not say which cell they are for: pass cell=, as in 'lstm'")
    if not file.is_file():
        raise ConfigError(f"{file}: no such file; expected weights in safetensors format")
    prefix = prefix or ""
    try:
        with safe_open(file, framework="numpy") as tensors:
            names = [name for name in tensors.keys() if name.startswith(prefix)]  # noqa: SIM118  it is no mapping
            kinds = {tensors.get_slice(name).get_dtype() for name in names}
            if other := sorted(kinds - _OF_NUMPY):  # whether or not a package has taught NumPy more
                raise ConfigError(f"{file}: expected weights in a type of NumPy's, such as float32, got {other[0]}")
            named = {name.removeprefix(prefix): tensors.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ConfigError(f"{file}: damaged or cut off, not a whole safetensors file ({error})") from None
    return Recurrent(cell, named, **options)


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def _some(names: Mapping[str, Any]) -> str:
    shown = ", ".join(sorted(names)[:4])
    return f"{shown}, ..." if len(names) > 4 else shown or "none"
