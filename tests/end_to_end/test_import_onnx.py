"""ONNX' nodes with their attributes, against ONNX Runtime and its definitions in NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ostinato
from ostinato import interop
from tests.end_to_end.test_import import LanguageModel, ids, imported, loss_by, own_folder, refusal  # noqa: F401
from tests.oracles import foreign

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

RNG = np.random.default_rng(3)
D, H = 3, 5


def drawn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def graph(nodes: list[Any], arrays: dict[str, np.ndarray], shape: list[Any], kind: int = TensorProto.FLOAT) -> bytes:
    """A model from x to y."""
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def layer(kind: str, peepholes: bool = False, **attributes: Any) -> tuple[bytes, dict[str, np.ndarray]]:
    G, S = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind], 2 if attributes.get("direction") == "bidirectional" else 1
    arrays = {"W": drawn(S, G * H, D), "R": drawn(S, G * H, H), "B": drawn(S, 2 * G * H)}
    inputs = ["x", "W", "R", "B"]
    if peepholes:
        arrays["P"] = drawn(S, 3 * H)
        inputs += ["", "", "", "P"]
    node = helper.make_node(kind, inputs, ["y"], name="the_layer", hidden_size=H, **attributes)
    return graph([node], arrays, ["T", "N", D]), arrays


LAYERS: dict[str, dict[str, Any]] = {
    "rnn": {"kind": "RNN"},
    "relu": {"kind": "RNN", "activations": ["Relu"]},
    "lstm": {"kind": "LSTM"},
    "peepholes": {"kind": "LSTM", "peepholes": True},
    "clipped": {"kind": "LSTM", "clip": 0.5},
    "softsign": {"kind": "LSTM", "activations": ["Sigmoid", "Softsign", "Softsign"]},
    "hard": {
        "kind": "GRU",
        "activations": ["HardSigmoid", "Tanh"],
        "activation_alpha": [0.2],
        "activation_beta": [0.5],
    },
    "gru": {"kind": "GRU"},
    "after": {"kind": "GRU", "linear_before_reset": 1},
    "backwards": {"kind": "GRU", "direction": "reverse"},
    "both": {"kind": "LSTM", "direction": "bidirectional"},
    "both gru": {"kind": "GRU", "direction": "bidirectional", "linear_before_reset": 1},
}


#: Each makes a cell of its own, which is compiled.
COMPILED = {"clipped", "softsign"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in COMPILED else ()) for name in LAYERS]
)
def test_a_node_computes_what_onnx_runtime_does(name: str):
    content, _ = layer(**LAYERS[name])
    Path("model.onnx").write_bytes(content)
    (stack,) = interop.read("model.onnx").of(interop.Stack)
    x = drawn(6, 2, D)
    (expected,) = runtime.InferenceSession(content).run(None, {"x": x})  # [T, S, N, H]
    output = interop.layer(stack)(torch.from_numpy(x))[0].detach().numpy()
    np.testing.assert_allclose(output, np.concatenate([*expected.transpose(1, 0, 2, 3)], -1), atol=1e-5)


def test_peepholes_are_those_of_the_definition():
    content, arrays = layer("LSTM", peepholes=True)
    Path("model.onnx").write_bytes(content)
    (stack,) = interop.read("model.onnx").of(interop.Stack)
    x = drawn(6, 2, D)
    expected = foreign.onnx_lstm(x, *(arrays[name][0] for name in "WRBP"))
    np.testing.assert_allclose(interop.layer(stack)(torch.from_numpy(x))[0].detach().numpy(), expected, atol=1e-5)


UNLIKE = {
    "input_forget": {"kind": "LSTM", "input_forget": 1},
    "mixed activations": {"kind": "LSTM", "activations": ["Sigmoid", "Tanh", "Relu"]},
    "both directions": {"kind": "RNN", "direction": "bidirectional", "activations": ["Relu", "Tanh"]},
    "ScaledTanh": {"kind": "RNN", "activations": ["ScaledTanh"], "activation_alpha": [2.0]},
}


@pytest.mark.parametrize("named", UNLIKE)
def test_what_no_cell_has_is_named(named: str, capsys: pytest.CaptureFixture[str]):
    content, _ = layer(**UNLIKE[named])
    Path("model.onnx").write_bytes(content)
    if named == "input_forget":
        assert "holds no" in refusal(capsys, "model.onnx", "--text", "text.txt")
    head = helper.make_node("MatMul", ["y", "M"], ["z"])
    model = onnx.load_model_from_string(content)
    model.graph.node.append(head)
    model.graph.initializer.append(numpy_helper.from_array(drawn(H, 4), "M"))
    onnx.save(model, "model.onnx")
    (left,) = interop.read("model.onnx").left
    assert named in left.why
    assert "the_layer" in refusal(capsys, "model.onnx", "--text", "text.txt")


@pytest.mark.parametrize("folded", [True, False])
def test_a_language_model_as_torch_exports_it(folded: bool, capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    model = LanguageModel(nn.LSTM(6, 8, 2))
    torch.onnx.export(model, (torch.zeros(5, 1, dtype=torch.long),), "model.onnx", dynamo=False,
                      do_constant_folding=folded)  # fmt: skip
    said = imported(capsys, "model.onnx", "--text", "text.txt", "--out", "run")
    assert said["task"] == "lm"
    assert not said["left"]
    expected = loss_by(lambda tokens: model(tokens[:, None])[:, 0], ids())
    assert ostinato.load("run").evaluate("text.txt")["loss"] == pytest.approx(expected, abs=1e-5)


def test_damaged_files_and_weights_elsewhere_are_refused(capsys: pytest.CaptureFixture[str]):
    content, arrays = layer("LSTM")
    claims, outside, nan = (onnx.load_model_from_string(content) for _ in range(3))
    claims.graph.initializer[0].dims[1] = 1 << 30
    outside.graph.initializer[0].data_location = TensorProto.EXTERNAL
    broken = arrays["R"].copy()
    broken[0, 2, 2] = np.inf
    nan.graph.initializer[1].CopyFrom(numpy_helper.from_array(broken, "R"))
    short = graph([helper.make_node("LSTM", ["x", "W", "R"], ["y"], name="the_layer", hidden_size=H)],
                  {"W": drawn(1, 4 * H, D), "R": drawn(1, 3 * H, H)}, ["T", "N", D])  # fmt: skip
    cases = {
        content[: len(content) // 2]: "cut off",
        b"\x08\x07" + bytes(range(64)): "cut off",
        claims.SerializeToString(): "W of shape (1, 1073741824, 3): damaged",
        outside.SerializeToString(): "kept outside of the file",
        nan.SerializeToString(): "the_layer R: holds numbers that are not finite, in shape (1, 20, 5)",
        short: "the_layer: expected the matrices of LSTM",
    }
    for each, message in cases.items():
        Path("model.onnx").write_bytes(each)
        said = refusal(capsys, "model.onnx", "--text", "text.txt")
        assert message in said, said
