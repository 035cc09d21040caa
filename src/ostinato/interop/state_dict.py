"""Arrays by name, as state dicts and .npz files have them: recurrent layers by torch.nn's names, the rest by shape."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ostinato.core.errors import DataError
from ostinato.interop.layouts import LAYOUTS, Array, Layout
from ostinato.interop.parts import Dense, Found, Left, Stack, numbers

#: `encoder.weight_ih_l0_reverse`; also `enc_w_ih`, as programs without torch shorten it.
_RECURRENT = re.compile(
    r"(?:(?P<prefix>.*?)[./_])?(?P<kind>weight|w|bias|b)_(?P<of>ih|hh|hr)(?P<layer>_l\d+)?(?P<reverse>_reverse)?(?:_raw)?"
)
_LAYER = re.compile(r"_l(\d+)")
_OF_TORCH = {len(one.gates): one for one in LAYOUTS if one.program == "PyTorch"}


def renamed(source: str, arrays: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Arrays by our names, where a mapping has theirs or the beginning of theirs; without those it does not name.

    Raises:
        DataError: the mapping names what is not there.
    """
    if not names:
        return dict(arrays)
    found: dict[str, Any] = {}
    for theirs, ours in names.items():
        begins = [
            name for name in arrays if name == theirs or name.startswith((f"{theirs}.", f"{theirs}_", f"{theirs}/"))
        ]
        if not begins:
            raise DataError(f"{source}: --map names {theirs!r}, which is not there; there are {_some(arrays)}")
        found |= {ours + name[len(theirs) :]: arrays[name] for name in begins}
    return found


def read_state_dict(source: str, format: str, arrays: Mapping[str, Any]) -> Found:
    """Recurrent layers and matrices with their biases, in the order of the file.

    Raises:
        DataError: a layer that lacks something, shapes that do not fit, numbers that are not finite.
    """
    found = Found(source, format)
    groups: dict[str, dict[str, Any]] = {}
    others: dict[str, Any] = {}
    order: list[tuple[str, str]] = []
    for name, value in arrays.items():
        match = _RECURRENT.fullmatch(name)
        if match is None:
            others[name] = value
            order.append(("other", name))
            continue
        prefix = match["prefix"] or ""
        kind = "weight" if match["kind"].startswith("w") else "bias"
        own = f"{kind}_{match['of']}{match['layer'] or '_l0'}{match['reverse'] or ''}"
        if prefix not in groups:
            order.append(("stack", prefix))
        groups.setdefault(prefix, {})[own] = value
    for what, name in order:
        if what == "stack":
            found.parts.append(_stack(source, name or "(top)", groups[name]))
        else:
            _matrix(found, name, others)
    return found


def _stack(source: str, name: str, arrays: Mapping[str, Any]) -> Stack:
    where = f"{source}: {name}"
    given = {key: numbers(f"{where}.{key}", value) for key, value in arrays.items()}
    layers = sorted({int(found[1]) for key in given if (found := _LAYER.search(key))})
    directions = 2 if any(key.endswith("_reverse") for key in given) else 1
    if layers != list(range(len(layers))):
        raise DataError(f"{where}: expected layers from 0 on without a gap, got {', '.join(map(str, layers))}")
    kind = _kind(where, given)
    suffixes = [f"_l{index}{way}" for index in layers for way in ("", "_reverse")[:directions]]
    for suffix in suffixes:
        own = {key: given.get(f"{key}{suffix}") for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        w, r, ih, hh = own.values()
        if w is None or r is None or (ih is None) != (hh is None):
            missing = next(key for key, value in own.items() if value is None)
            raise DataError(f"{where}: lacks {missing}{suffix}; expected weight_ih, weight_hh, and both biases or none")
        _check(f"{where}.", suffix, own, len(kind.gates), given.get(f"weight_hr{suffix}"))
    return Stack(name, kind.layer, kind.cell, given, len(layers), directions)


def _kind(where: str, given: Mapping[str, Array]) -> Layout:
    """Which layer: by the ratio of rows to what is fed back."""
    w, r = given.get("weight_ih_l0"), given.get("weight_hh_l0")
    if w is None or r is None or w.ndim != 2 or r.ndim != 2:
        raise DataError(f"{where}: expected matrices weight_ih_l0 and weight_hh_l0")
    projection = given.get("weight_hr_l0")
    H = r.shape[1] if projection is None else projection.shape[-1]
    if not H or len(r) % H or len(r) // H not in _OF_TORCH:
        raise DataError(
            f"{where}: weight_hh_l0 of shape {r.shape} is of no RNN [H, H], GRU [3H, H] or LSTM [4H, H]: "
            "another architecture"
        )
    return _OF_TORCH[len(r) // H]


def _check(where: str, suffix: str, own: Mapping[str, Array | None], gates: int, projection: Array | None) -> None:
    recurrent = own["weight_hh"]
    assert recurrent is not None
    rows = len(recurrent)
    for key, array in own.items():
        if array is not None and (len(array) != rows or array.ndim != (1 if key.startswith("bias") else 2)):
            expected = f"({rows},)" if key.startswith("bias") else f"({rows}, ...)"
            raise DataError(f"{where}{key}{suffix}: expected shape {expected} beside weight_hh, got {array.shape}")
    projected = recurrent.shape[1], rows // gates
    if projection is not None and projection.shape != projected:
        raise DataError(f"{where}weight_hr{suffix}: expected shape {projected}, got {projection.shape}")


def _matrix(found: Found, name: str, others: Mapping[str, Any]) -> None:
    """A matrix with its bias, found when the matrix is; all else is left."""
    shape = tuple(int(size) for size in getattr(others[name], "shape", ()))
    stem, bias = _with_bias(name, others, shape)
    if len(shape) == 2:
        beside = None if bias is None else numbers(f"{found.source}: {bias}", others[bias])
        found.parts.append(Dense(stem, numbers(f"{found.source}: {name}", others[name]), beside, undecided=True))
    elif len(shape) != 1 or not any(_with_bias(other, others, np.shape(others[other]))[1] == name for other in others):
        found.left.append(Left(name, "neither a recurrent layer's nor a matrix with its bias", shape))


def _with_bias(name: str, others: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[str, str | None]:
    """A matrix's stem, and the name of the bias beside it: `fc.weight` and `fc.bias`, `fc_w` and `fc_b`."""
    if len(shape) != 2:
        return name, None
    for ending, beside in (
        (".weight", ".bias"),
        ("_w", "_b"),
        ("/kernel", "/bias"),
        ("/weight", "/bias"),
        ("_W", "_b"),
    ):
        if name.endswith(ending):
            bias = name.removesuffix(ending) + beside
            fits = bias in others and np.shape(others[bias]) == (shape[0],)
            return name.removesuffix(ending), bias if fits else None
    return name, None


def _some(names: Mapping[str, Any]) -> str:
    shown = list(names)[:8]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
