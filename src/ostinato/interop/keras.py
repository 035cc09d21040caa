"""Keras' files, versions 2 and 3, without Keras: which layers a model has, and with which options.

What a file says of its layers is their configuration, in JSON; files of weights alone have names and shapes. Layers are
read in the order of the model, which has to be one chain.
"""

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ostinato.core.errors import DataError
from ostinato.interop.hdf5 import child, opened, text
from ostinato.interop.keras_layers import Named, recurrent
from ostinato.interop.keras_weights import found_without_configuration, of_groups, of_names
from ostinato.interop.layouts import Array
from ostinato.interop.parts import Dense, Embedding, Found, Left, Pooling

_POOLING = {"GlobalMaxPooling1D": "max", "GlobalAveragePooling1D": "mean"}
#: Layers that do nothing in evaluation, or only say which steps there are, which lengths do here.
_NOTHING = {"InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "Masking",
            "ActivityRegularization"}  # fmt: skip
_RECURRENT = ("SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU")
#: Members of a .keras file are read as a whole: as many bytes as this, at most, of each that the file has itself.
_MOST_FROM_ONE = 1_100


class _Layer(NamedTuple):
    kind: str
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.config.get("name", self.kind))


def read_h5(path: Path, names: Mapping[str, str]) -> Found:
    """A whole model of Keras 2 (or of 3, in the old format), or weights alone of either."""
    with opened(path) as file:
        version = text(file.attrs.get("keras_version", ""))
        described = file.attrs.get("model_config")
        if described is not None:
            layers = _layers(path, text(described))
            weights = of_names(path, child(file, "model_weights") or file)
            return _found(path, version, layers, weights).renamed(names)
        if "layer_names" in file.attrs:
            return found_without_configuration(path, version, of_names(path, file)).renamed(names)
        if child(file, "layers") is not None or child(file, "_layer_checkpoint_dependencies") is not None:
            return found_without_configuration(path, "3", of_groups(path, file)).renamed(names)
        raise DataError(f"{path}: an HDF5 file, but none of Keras' models or weights")


def read_keras(path: Path, names: Mapping[str, str]) -> Found:
    """A .keras file: a zip of the configuration and the weights."""
    described = _member(path, "config.json").decode("utf-8", "replace")
    metadata = json.loads(_member(path, "metadata.json") or b"{}")
    version = text(metadata.get("keras_version", "3")) if isinstance(metadata, dict) else "3"
    layers = _layers(path, described)
    with opened(path, _member(path, "model.weights.h5")) as file:
        groups = of_groups(path, file)
    weights = {layer.name: groups[key] for layer, key in _keyed(layers) if key in groups}
    return _found(path, version, [*layers], weights).renamed(names)


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as file:
            info = file.getinfo(name)
            if info.file_size > _MOST_FROM_ONE * path.stat().st_size:
                raise DataError(f"{path}: {name} claims {info.file_size:,} bytes, more than the file can hold")
            return file.read(info)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, NotImplementedError) as error:
        raise DataError(f"{path}: damaged or cut off, {name} cannot be read: {error}") from None


def _layers(path: Path, described: str) -> list[_Layer]:
    """The layers of a model in their order, those of models within it in their place."""
    try:
        whole = json.loads(described)
        return _within(path, whole)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: damaged, its configuration describes no model: {error!r}") from None


def _within(path: Path, model: Any) -> list[_Layer]:
    config = model["config"]
    described = config if isinstance(config, list) else config["layers"]  # a list in early versions of Keras 2
    found: list[_Layer] = []
    for one in described:
        kind, own = one["class_name"], one["config"]
        if kind in ("Sequential", "Functional", "Model"):
            raise DataError(f"{path}: {own.get('name', kind)} is a model within the model; save its layers as one")
        if kind == "TimeDistributed":
            kind, own = own["layer"]["class_name"], {**own["layer"]["config"], "name": own["name"]}
        name = own.get("name", kind)
        before = _before(one.get("inbound_nodes") or ())
        if before and before != [found[-1].name if found else ""]:
            raise DataError(f"{path}: {name} reads {', '.join(before)}; expected a chain of layers, each used once")
        found.append(_Layer(str(kind), own))
    return found


def _before(inbound: Any) -> list[str]:
    """The layers that one reads, of a functional model: `[[["name", 0, 0, {}]]]`, of Keras 3 in dicts."""
    if isinstance(inbound, Mapping):
        history = inbound.get("keras_history")
        return [str(history[0])] if history else [name for each in inbound.values() for name in _before(each)]
    if isinstance(inbound, list | tuple):
        if len(inbound) >= 3 and isinstance(inbound[0], str) and isinstance(inbound[1], int):
            return [inbound[0]]
        return [name for each in inbound for name in _before(each)]
    return []


def _keyed(layers: Sequence[_Layer]) -> list[tuple[_Layer, str]]:
    """The groups of the layers in a file of Keras 3: by their classes, counted."""
    counts: dict[str, int] = {}
    found: list[tuple[_Layer, str]] = []
    for layer in layers:
        stem = _snake(layer.kind)
        number = counts.get(stem, 0)
        counts[stem] = number + 1
        found.append((layer, f"{stem}_{number}" if number else stem))
    return found


def _snake(name: str) -> str:
    """`SimpleRNN` is `simple_rnn`, `GRU` is `gru`, as Keras' `to_snake_case` has it."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _found(path: Path, version: str, layers: Sequence[_Layer], weights: Mapping[str, Named]) -> Found:
    found = Found(str(path), f"Keras {version}".rstrip(), ordered=True)
    for layer in layers:
        own = weights.get(layer.name, {})
        where = f"{path}: {layer.name}"
        if layer.kind in _NOTHING:
            continue
        if layer.kind in _POOLING:
            found.parts.append(Pooling(layer.name, _POOLING[layer.kind]))
        elif layer.kind == "Embedding":
            found.parts.append(Embedding(layer.name, _matrix(where, own, "embeddings")))
        elif layer.kind == "Dense":
            bias = own.get("bias")
            activation = _activation(layer.config.get("activation"))
            found.parts.append(Dense(layer.name, _matrix(where, own, "kernel").T.copy(), bias, activation))
        elif layer.kind == "Activation" and found.parts and isinstance(found.parts[-1], Dense):
            found.parts[-1].activation = _activation(layer.config.get("activation"))
        elif layer.kind in (*_RECURRENT, "Bidirectional"):
            found.parts.append(recurrent(where, version, layer.kind, layer.config, own))
        else:
            shape = next((array.shape for array in own.values()), ())
            found.left.append(Left(layer.name, f"{layer.kind}: not known here", shape, needed=True))
    return found


def _matrix(where: str, own: Named, name: str) -> Array:
    if name not in own or own[name].ndim != 2:
        there = ", ".join(f"{key} {array.shape}" for key, array in own.items()) or "nothing"
        raise DataError(f"{where}: expected a matrix {name!r}, got {there}")
    return own[name]


def _activation(value: Any) -> str:
    if isinstance(value, Mapping):  # one that is a layer of its own
        value = value.get("class_name", value)
    return "linear" if value is None else str(value).lower()
