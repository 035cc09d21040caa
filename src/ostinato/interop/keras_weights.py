"""Arrays of Keras' layers, by Keras' own names, wherever a version puts them in its HDF5 file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ostinato.core.errors import DataError
from ostinato.interop.hdf5 import array, child, text
from ostinato.interop.keras_layers import Named, recurrent
from ostinato.interop.layouts import Array
from ostinato.interop.parts import Dense, Embedding, Found, Left, numbers

_RECURRENT = ("kernel", "recurrent_kernel", "bias")


def of_names(path: Path, group: Any) -> dict[str, Named]:
    """Of each layer, by the lists of names that Keras 2 writes, in the order of the model."""
    found: dict[str, Named] = {}
    for layer in map(text, group.attrs.get("layer_names", ())):
        own = child(group, layer)
        if own is None:
            raise DataError(f"{path}: damaged, it names a layer {layer!r} that is not there")
        arrays: dict[str, Array] = {}
        for name in map(text, own.attrs.get("weight_names", ())):
            dataset = child(own, name)
            if dataset is None:
                raise DataError(f"{path}: damaged, {layer} has no {name!r}")
            arrays[_own_name(name, arrays)] = numbers(f"{path}: {name}", array(f"{path}: {name}", dataset))
        found[layer] = arrays
    return found


def _own_name(name: str, before: Mapping[str, Array]) -> str:
    """`lstm/lstm_cell/kernel:0` is kernel, that of a Bidirectional's first layer forward/kernel."""
    own = name.rpartition("/")[2].partition(":")[0]
    for way in ("forward", "backward"):
        if f"{way}_" in name:
            return f"{way}/{own}"
    return own


def of_groups(path: Path, file: Any) -> dict[str, Named]:
    """Of each layer, by the groups of Keras 3 (and of `.keras` files before it): arrays by number in `vars`."""
    groups = child(file, "layers")
    if groups is None:
        groups = child(file, "_layer_checkpoint_dependencies")
    if groups is None:
        raise DataError(f"{path}: damaged, no group of layers in its weights")
    found: dict[str, Named] = {}
    for layer in groups:
        arrays: dict[str, Array] = {}
        for prefix, inner in (("", ""), ("", "cell/"), ("forward/", "forward_layer/cell/"),
                              ("backward/", "backward_layer/cell/")):  # fmt: skip
            numbered = _numbered(path, layer, child(groups, f"{layer}/{inner}vars"))
            arrays |= _called(numbered, prefix, bool(inner))
        found[layer] = arrays
    return found


def _numbered(path: Path, layer: str, group: Any) -> list[Array]:
    if group is None:
        return []
    keys = sorted((key for key in group if key.isdecimal()), key=int)
    return [numbers(f"{path}: {layer}", array(f"{path}: {layer}", child(group, key))) for key in keys]


def _called(arrays: Sequence[Array], prefix: str, recurrent: bool) -> dict[str, Array]:
    """Their names: a layer's are numbered in the order in which it makes them."""
    if recurrent:
        return {f"{prefix}{name}": one for name, one in zip(_RECURRENT, arrays, strict=False)}
    if len(arrays) == 1:
        return {"embeddings": arrays[0], "kernel": arrays[0]}  # of an Embedding, or of a Dense without a bias
    names = ("kernel", "bias") if len(arrays) == 2 else map(str, range(len(arrays)))
    return dict(zip(names, arrays, strict=True))


def found_without_configuration(path: Path, version: str, layers: Mapping[str, Named]) -> Found:
    """What files of weights alone tell: which layers by their arrays, all options their version's defaults."""
    found = Found(str(path), f"Keras {version}, weights alone".replace(" ,", ","))
    for name, own in layers.items():
        where = f"{path}: {name}"
        if any(key.startswith("forward/") for key in own):
            inner = {"class_name": _class(where, own, "forward/"), "config": {}}
            found.parts.append(recurrent(where, version, "Bidirectional", {"name": name, "layer": inner}, own))
        elif "recurrent_kernel" in own:
            found.parts.append(recurrent(where, version, _class(where, own, ""), {"name": name}, own))
        elif set(own) == {"kernel", "bias"} and own["kernel"].ndim == 2:
            found.parts.append(Dense(name, own["kernel"].T.copy(), own["bias"]))
        elif "embeddings" in own and own["embeddings"].ndim == 2:
            found.parts.append(Embedding(name, own["embeddings"]))
        elif own:
            key, one = next(iter(own.items()))
            found.left.append(Left(name, f"{key}: of no layer that is known", one.shape, needed=True))
    return found


def _class(where: str, own: Named, prefix: str) -> str:
    recurrent_kernel = own[f"{prefix}recurrent_kernel"]
    H = len(recurrent_kernel)
    found = {1: "SimpleRNN", 3: "GRU", 4: "LSTM"}.get(recurrent_kernel.shape[-1] // H if H else 0)
    if found is None:
        raise DataError(f"{where}: recurrent_kernel of shape {recurrent_kernel.shape} is of no SimpleRNN, GRU or LSTM")
    return found
