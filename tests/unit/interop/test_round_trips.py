"""From torch to us, to a file of Keras, to us, to a file of ONNX, to us and back to torch: the same bits."""

import numpy as np
import pytest
import torch

from ostinato import interop
from ostinato.interop.layouts import layout

h5py = pytest.importorskip("h5py")
onnx = pytest.importorskip("onnx")

D, H = 5, 7

#: Of each layer of torch: what Keras and ONNX call theirs.
THEIRS = {"RNN": ("SimpleRNN", "RNN", {}), "LSTM": ("LSTM", "LSTM", {}),
          "GRU": ("GRU", "GRU, linear_before_reset=1", {"linear_before_reset": 1})}  # fmt: skip


def weights_of(path):
    """Of the one recurrent layer in a file, by our names."""
    (stack,) = interop.read(path).of(interop.Stack)
    return stack.cell, {name.removesuffix("_l0"): array for name, array in stack.weights.items()}


def write_keras(path, kind, weights):
    """A file of weights as Keras 2 writes it, of one layer."""
    kernel, recurrent, bias = layout("Keras", kind).write(weights)
    stem = kind.lower()
    arrays = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [stem]
        file.attrs["keras_version"] = "2.12.0"
        own = file.create_group(stem)
        own.attrs["weight_names"] = [f"{stem}/{stem}_cell/{name}:0" for name in arrays]
        for name, array in arrays.items():
            own.create_dataset(f"{stem}/{stem}_cell/{name}:0", data=array)


def write_onnx(path, kind, named, attributes, weights):
    """A graph of one node."""
    kernel, recurrent, bias = layout("ONNX", named).write(weights)
    constants = {"W": kernel[None], "R": recurrent[None], "B": bias[None]}
    node = onnx.helper.make_node(kind, ["X", "W", "R", "B"], ["Y"], hidden_size=H, **attributes)
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


@pytest.mark.parametrize("kind", THEIRS)
def test_the_bits_come_back(kind, tmp_path):
    torch.manual_seed(3)
    layer = getattr(torch.nn, kind)(D, H)
    keras, onnx_layer, attributes = THEIRS[kind]
    one_bias = layout("Keras", keras).bias == "one"
    if one_bias:  # which Keras has: what is folded into it comes back as the first of two
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
    back = getattr(torch.nn, kind)(D, H)
    back.load_state_dict({f"{name}_l0": torch.from_numpy(array.copy()) for name, array in third.items()})
    for name, tensor in first.items():
        np.testing.assert_array_equal(back.state_dict()[name].numpy(), tensor.numpy(), name)
    x = torch.randn(9, 2, D)
    torch.testing.assert_close(back(x)[0], layer(x)[0], rtol=0, atol=0)


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
