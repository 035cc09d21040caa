"""Each format with each mistake: one message, exit status 2, nothing written; which layer and which shape, where there
is one."""

import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.end_to_end.test_import import own_folder, refusal  # noqa: F401

V, D, H = 31, 6, 8
#: Rows and columns of an array of four gigabytes.
CLAIMED = (1 << 15, 1 << 15)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def model(mistake: str) -> dict[str, np.ndarray]:
    """A language model's arrays by torch.nn's names, with one that is wrong; of another architecture, a convolution's
    alone."""
    if mistake == "architecture":
        return {"conv.weight": drawn(4, 3, 5), "conv.bias": drawn(4)}
    found = {
        "encoder.weight": drawn(V, D),
        "rnn.weight_ih_l0": drawn(4 * H, D),
        "rnn.weight_hh_l0": drawn(4 * H, H),
        "rnn.bias_ih_l0": drawn(4 * H),
        "rnn.bias_hh_l0": drawn(4 * H),
        "decoder.weight": drawn(V, H),
        "decoder.bias": drawn(V),
    }
    if mistake == "nan":
        found["rnn.weight_hh_l0"][3, 2] = np.nan
    if mistake == "shape":
        found["rnn.weight_hh_l0"] = drawn(4 * H - 2, H)
    return found


def torch_file(path: str, mistake: str) -> None:
    tensors = {name: torch.from_numpy(array) for name, array in model(mistake).items()}
    if mistake == "claims":
        tensors["rnn.weight_hh_l0"] = torch.ones(1).expand(CLAIMED)
    torch.save(tensors, path)


def safetensors(path: str, mistake: str) -> None:
    from safetensors.numpy import save

    content = save(model(mistake))
    if mistake == "claims":
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        header["rnn.weight_hh_l0"] = {"dtype": "F32", "shape": CLAIMED, "data_offsets": [0, 4 << 30]}
        said = json.dumps(header).encode()
        content = len(said).to_bytes(8, "little") + said + content[8 + size :]
    Path(path).write_bytes(content)


def npz(path: str, mistake: str) -> None:
    np.savez(path, **model(mistake))
    if mistake == "claims":
        with zipfile.ZipFile(path) as whole:
            members = {name: whole.read(name) for name in whole.namelist()}
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"shape": CLAIMED, "fortran_order": False, "descr": "<f4"})
        members["rnn.weight_hh_l0.npy"] = header.getvalue() + b"\0" * 64
        with zipfile.ZipFile(path, "w") as whole:
            for name, content in members.items():
                whole.writestr(name, content)


def book(path: str, mistake: str) -> None:
    """Embedding, Wx, Wh, b of an LSTM, W and b."""
    arrays = [drawn(V, D), drawn(D, 4 * H), drawn(H, 4 * H), drawn(4 * H), drawn(H, V), drawn(V)]
    if mistake == "architecture":
        arrays = [drawn(4, 3, 5), drawn(4)]
    if mistake == "nan":
        arrays[2][3, 2] = np.nan
    if mistake == "shape":
        arrays[2] = drawn(H, 4 * H - 2)
    content = pickle.dumps(arrays)
    if mistake == "claims":
        content = content.replace(b"K\x1fK\x06\x86", b"J\xff\xff\xff\x7fK\x06\x86", 1)
    Path(path).write_bytes(content)


def keras(path: str, mistake: str) -> None:
    h5py = pytest.importorskip("h5py")
    from tests.end_to_end import keras_files

    own = {"kernel": drawn(D, 4 * H), "recurrent_kernel": drawn(H, 4 * H), "bias": drawn(4 * H)}
    if mistake == "nan":
        own["recurrent_kernel"][3, 2] = np.nan
    if mistake == "shape":
        own["recurrent_kernel"] = drawn(H, 4 * H - 2)
    lstm = ("LSTM", {"name": "lstm", "return_sequences": True}, own)
    layers: list[keras_files.Layer] = [
        ("Embedding", {"name": "embedding"}, {"embeddings": drawn(V, D)}),
        lstm,
        ("Dense", {"name": "dense", "activation": "softmax"}, {"kernel": drawn(H, V), "bias": drawn(V)}),
    ]
    if mistake == "architecture":
        layers = [("Conv1D", {"name": "conv"}, {"kernel": drawn(5, 3, 4), "bias": drawn(4)})]
    write = {".keras": keras_files.write_keras, ".weights.h5": keras_files.write_weights}
    ending = path[path.index(".") :]
    write.get(ending, keras_files.write_h5)(path, layers)
    if mistake != "claims":
        return
    if ending == ".keras":
        with zipfile.ZipFile(path) as whole:
            members = {name: whole.read(name) for name in whole.namelist()}
        Path("within.h5").write_bytes(members["model.weights.h5"])
    inner, place = ("within.h5" if ending == ".keras" else path), "layers/lstm/cell/vars/1"
    with h5py.File(inner, "a") as file:
        place = place if place in file else "model_weights/lstm/lstm/recurrent_kernel:0"
        del file[place]
        file.create_dataset(place, CLAIMED, np.float32)  # of which nothing is in the file
    if ending == ".keras":
        members["model.weights.h5"] = Path(inner).read_bytes()
        Path(inner).unlink()
        with zipfile.ZipFile(path, "w") as whole:
            for name, content in members.items():
                whole.writestr(name, content)


def onnx(path: str, mistake: str) -> None:
    pytest.importorskip("onnx")
    from onnx import helper, load_model_from_string

    from tests.end_to_end.test_import_onnx import graph

    arrays = {"W": drawn(1, 4 * H, D), "R": drawn(1, 4 * H, H), "B": drawn(1, 8 * H)}
    if mistake == "nan":
        arrays["R"][0, 3, 2] = np.nan
    if mistake == "shape":
        arrays["R"] = drawn(1, 4 * H - 2, H)
    nodes = [helper.make_node("LSTM", ["x", "W", "R", "B"], ["y"], name="lstm", hidden_size=H)]
    if mistake == "architecture":
        arrays = {"K": drawn(4, 3, 5)}
        nodes = [helper.make_node("Conv", ["x", "K"], ["y"], name="conv")]
    content = graph(nodes, arrays, ["T", "N", D])
    if mistake == "claims":
        made = load_model_from_string(content)
        made.graph.initializer[1].dims[1:] = CLAIMED
        content = made.SerializeToString()
    Path(path).write_bytes(content)


FORMATS: dict[str, Callable[[str, str], Any]] = {
    "pt": torch_file, "pth": torch_file, "bin": torch_file, "safetensors": safetensors, "npz": npz, "pkl": book,
    "h5": keras, "keras": keras, "weights.h5": keras, "onnx": onnx,
}  # fmt: skip
#: What a message has to say, whatever the format; of the layer's name, and of a shape.
MISTAKES = {
    "none of these": "of no format that is known|damaged|no ONNX model",
    "cut off": "cut off|damaged",
    "architecture": "no recurrent layer|conv of shape|conv.*no run is the same|expected an embedding|of no layer|"
    "holds no recurrent layers",
    "nan": r"(rnn|lstm|array 2).*not finite, in shape \(",
    "shape": r"(rnn|lstm|arrays? 1).*(shape|expected).*\(",
    "claims": r"(rnn\.weight_hh_l0|lstm|R|array).*(shape|takes|of shape)?.*\(?(32768|2147483647)",
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize(
    "ending", [one if one not in ("h5", "keras", "weights.h5") else pytest.param(one, marks=pytest.mark.slow)
               for one in FORMATS]
)  # fmt: skip
def test_one_message_and_nothing_written(ending: str, mistake: str, capsys: pytest.CaptureFixture[str]):
    path = f"model.{ending}"
    FORMATS[ending](path, mistake)
    if mistake == "none of these":
        Path(path).write_bytes(b"a text, and nothing else\n" * 9)
    if mistake == "cut off":
        whole = Path(path).read_bytes()
        Path(path).write_bytes(whole[: len(whole) * 2 // 3])
    said = refusal(capsys, path, "--text", "text.txt")
    assert path in said
    assert re.search(MISTAKES[mistake], said), said
