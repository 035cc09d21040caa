"""Files as Keras writes them, made by h5py alone: of version 2 with names, of version 3 with numbered arrays."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

#: A layer: its class, its configuration, its arrays by Keras' names ("forward/kernel" of a Bidirectional).
Layer = tuple[str, dict[str, Any], dict[str, np.ndarray]]


def configuration(layers: list[Layer]) -> str:
    described = [{"class_name": kind, "config": config} for kind, config, _ in layers]
    return json.dumps({"class_name": "Sequential", "config": {"name": "sequential", "layers": described}})


def write_h5(path: str, layers: list[Layer], version: str = "2.15.0", *, alone: bool = False) -> None:
    """`model.save("x.h5")`, or `model.save_weights`."""
    with h5py.File(path, "w") as file:
        group = file if alone else file.create_group("model_weights")
        if not alone:
            file.attrs["model_config"] = configuration(layers)
        for one in {file, group}:
            one.attrs["keras_version"] = version
        group.attrs["layer_names"] = [config["name"].encode() for _, config, _ in layers]
        for _, config, arrays in layers:
            name = config["name"]
            own, names = group.create_group(name), []
            for key, array in arrays.items():
                way, _, last = key.rpartition("/")
                names.append(f"{name}/{way}_lstm/{last}:0" if way else f"{name}/{last}:0")
                own.create_dataset(names[-1], data=array)
            own.attrs["weight_names"] = [each.encode() for each in names]


def write_keras(path: str, layers: list[Layer], version: str = "3.5.0") -> None:
    """`model.save("x.keras")`."""
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        numbered(file, layers)
    with zipfile.ZipFile(path, "w") as whole:
        whole.writestr("metadata.json", json.dumps({"keras_version": version}))
        whole.writestr("config.json", configuration(layers))
        whole.writestr("model.weights.h5", held.getvalue())


def write_weights(path: str, layers: list[Layer]) -> None:
    """`model.save_weights("x.weights.h5")` of version 3."""
    with h5py.File(path, "w") as file:
        numbered(file, layers)


def numbered(file: h5py.File, layers: list[Layer]) -> None:
    counts: dict[str, int] = {}
    stems = {"SimpleRNN": "simple_rnn"}
    for kind, _, arrays in layers:
        stem = stems.get(kind, kind.lower())
        number = counts.get(stem, 0)
        counts[stem] = number + 1
        places: dict[str, list[np.ndarray]] = {}
        for key, array in arrays.items():
            way = key.rpartition("/")[0]
            inner = f"{way}_layer/cell/" if way else "cell/" if "recurrent_kernel" in arrays else ""
            places.setdefault(f"{inner}vars", []).append(array)
        own = file.create_group(f"layers/{stem}_{number}" if number else f"layers/{stem}")
        for place, held in places.items():
            for index, array in enumerate(held):
                own.create_dataset(f"{place}/{index}", data=array)


def cut(path: str) -> None:
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: len(whole) // 2])
