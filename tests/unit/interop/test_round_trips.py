"""From torch to us, to a file of Keras, to us, to a file of ONNX, to us and back to torch: the same bits."""

import numpy as np
import pytest
import torch

from ostinato import interop
from ostinato.interop.layouts import layout

h5py = pytest.importorskip("h5py")
onnx = pytest.importorskip("onnx")
from tests.end_to_end.keras_files import write_h5  # noqa: E402

D, H = 5, 7

#: Of each layer of torch: what Keras and ONNX call theirs.
THEIRS = {"RNN": ("SimpleRNN", "RNN", {}), "LSTM": ("LSTM", "LSTM", {}),
          "GRU": ("GRU", "GRU, linear_before_reset=1", {"linear_before_reset": 1})}  # fmt: skip


#: Our cell of each, from Keras on, where torch has none.
RESET_BEFORE = ("GRU, reset_after=False", "GRU", {})


def weights_of(path):
    """Of the one recurrent layer in a file, by our names."""
    (stack,) = interop.read(path).of(interop.Stack)
    return stack.cell, {name.removesuffix("_l0"): array for name, array in stack.weights.items()}


def write_keras(path, named, weights):
    """A file as Keras 2 writes it, of one layer."""
    kernel, recurrent, bias = layout("Keras", named).write(weights)
    kind, _, _ = named.partition(",")
    arrays = {"kernel": kernel, "recurrent_kernel": recurrent} | ({} if bias is None else {"bias": bias})
    options = {"reset_after": kind == named} if kind == "GRU" else {}
    config = {"name": "rnn", "return_sequences": True, "use_bias": bias is not None, **options}
    write_h5(str(path), [(kind, config, arrays)], "2.12.0")


def write_onnx(path, kind, named, attributes, weights):
    """A graph of one node."""
    kernel, recurrent, bias = layout("ONNX", named).write(weights)
    constants = {"W": kernel[None], "R": recurrent[None]} | ({} if bias is None else {"B": bias[None]})
    node = onnx.helper.make_node(kind, ["X", *constants], ["Y"], hidden_size=H, **attributes)
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, ["T", "N", D])],
        [onnx.helper.make_tensor_value_info("Y", onnx.TensorProto.FLOAT, ["T", 1, "N", H])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    onnx.checker.check_model(model)
    onnx.save(model, path)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("kind", THEIRS)
def test_the_bits_come_back(kind, biased, tmp_path):
    torch.manual_seed(3)
    layer = getattr(torch.nn, kind)(D, H, bias=biased)
    keras, onnx_layer, attributes = THEIRS[kind]
    if biased and layout("Keras", keras).bias == "one":  # what is folded into it comes back as the first of two
        with torch.no_grad():
            layer.bias_hh_l0.zero_()
    first = {name: tensor.detach().clone() for name, tensor in layer.state_dict().items()}
    torch.save(layer.state_dict(), tmp_path / "torch.pt")
    cell, ours = weights_of(tmp_path / "torch.pt")
    write_keras(tmp_path / "keras.h5", keras, ours)
    second_cell, second = weights_of(tmp_path / "keras.h5")
    write_onnx(tmp_path / "layer.onnx", kind, onnx_layer, attributes, second)
    third_cell, third = weights_of(tmp_path / "layer.onnx")
    assert cell == second_cell == third_cell
    back = getattr(torch.nn, kind)(D, H, bias=biased)
    back.load_state_dict({f"{name}_l0": torch.from_numpy(array.copy()) for name, array in third.items()})
    for name, tensor in first.items():
        np.testing.assert_array_equal(back.state_dict()[name].numpy(), tensor.numpy(), name)
    x = torch.randn(9, 2, D)
    torch.testing.assert_close(back(x)[0], layer(x)[0], rtol=0, atol=0)


@pytest.mark.parametrize("biased", [True, False])
def test_the_bits_of_a_reset_before_the_product_come_back(biased, tmp_path):
    """From us, as torch has no such layer, to Keras, to us, to ONNX, to us."""
    draw = np.random.default_rng(5)
    shapes = {"weight_ih": (3 * H, D), "weight_hh": (3 * H, H)} | ({"bias_ih": (3 * H,)} if biased else {})
    ours = {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    ours |= {"bias_hh": np.zeros(3 * H, np.float32)} if biased else {}
    keras, onnx_layer, attributes = RESET_BEFORE
    write_keras(tmp_path / "keras.h5", keras, ours)
    cell, second = weights_of(tmp_path / "keras.h5")
    write_onnx(tmp_path / "layer.onnx", "GRU", onnx_layer, attributes, second)
    third_cell, third = weights_of(tmp_path / "layer.onnx")
    assert cell == third_cell == "gru_reset_before"
    assert third.keys() == ours.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(third[name], array, name)


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_two_biases_become_one_of_the_same_effect(kind, tmp_path):
    torch.manual_seed(4)
    layer = getattr(torch.nn, kind)(D, H)
    torch.save(layer.state_dict(), tmp_path / "torch.pt")
    _, ours = weights_of(tmp_path / "torch.pt")
    write_keras(tmp_path / "keras.h5", THEIRS[kind][0], ours)
    _, once = weights_of(tmp_path / "keras.h5")
    np.testing.assert_array_equal(once["bias_ih"], ours["bias_ih"] + ours["bias_hh"])
    write_keras(tmp_path / "again.h5", THEIRS[kind][0], once)
    _, twice = weights_of(tmp_path / "again.h5")
    for name in once:
        np.testing.assert_array_equal(once[name], twice[name], name)
