"""Every program's layout, against its own equations in NumPy, and there and back."""

import numpy as np
import pytest
import torch

from ostinato.core.errors import ConfigError, DataError
from ostinato.interop import Stack, layer
from ostinato.interop.layouts import LAYOUTS, Layout, layout
from tests.oracles.foreign import LAYERS

D, H = 3, 5
RNG = np.random.default_rng(0)


def arrays(one: Layout) -> list:
    """Random ones of its layout."""
    G = len(one.gates)
    kernel = RNG.standard_normal((D + H, G * H) if one.joined else (D, G * H) if one.columns else (G * H, D))
    recurrent = None if one.joined else RNG.standard_normal((H, G * H) if one.columns else (G * H, H))
    bias = RNG.standard_normal({"one": (G * H,), "joined": (2 * G * H,)}.get(one.bias, (2, G * H)))
    return [None if each is None else each.astype(np.float32) for each in (kernel, recurrent, bias)]


def as_stack(one: Layout, given: list) -> Stack:
    weights = {f"{name}_l0": array for name, array in one.read("layer", *given).items()}
    return Stack("layer", one.layer, one.cell, weights)


@pytest.mark.parametrize("one", [one for one in LAYOUTS if (one.program, one.layer) in LAYERS], ids=str)
def test_a_layer_computes_what_its_program_defines(one: Layout):
    given = arrays(one)
    x = RNG.standard_normal((7, 4, D)).astype(np.float32)
    output, _ = layer(as_stack(one, given))(torch.from_numpy(x))
    expected = LAYERS[one.program, one.layer](x, *given)
    np.testing.assert_allclose(output.detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("one", LAYOUTS, ids=str)
def test_there_and_back_again_gives_the_same_bits(one: Layout):
    ours = one.read("layer", *arrays(one))
    if one.forget_bias:  # what was rounded once is not rounded again
        ours = one.read("layer", *one.write(ours))
    again = one.read("layer", *one.write(ours))
    for name, array in ours.items():
        np.testing.assert_array_equal(again[name], array, err_msg=name)


def test_through_all_layouts_of_a_cell_the_bits_stay():
    weights = layout("Keras", "LSTM").read("layer", *arrays(layout("Keras", "LSTM")))
    for one in (layout("PyTorch", "LSTM"), layout("ONNX", "LSTM"), layout("Deep Learning from Scratch 2", "TimeLSTM")):
        again = one.read("layer", *one.write(weights))
        assert all(np.array_equal(again[name], array) for name, array in weights.items()), one


def test_two_biases_that_one_cannot_stand_for_are_refused():
    two = layout("PyTorch", "GRU")
    weights = two.read("layer", *arrays(two))
    with pytest.raises(ConfigError, match="one bias"):
        Layout("x", "GRU", "gru", ("z", "r", "n"), "one").write(weights)


@pytest.mark.parametrize("one", LAYOUTS, ids=str)
def test_shapes_that_do_not_fit_name_layer_and_shape(one: Layout):
    kernel, recurrent, bias = arrays(one)
    for given in ([kernel[:, :-1] if one.columns else kernel[:-1], recurrent, bias], [kernel, recurrent, bias[:-1]]):
        if one.layer.endswith("RNN") and given[0] is not kernel and one.joined:
            continue  # any [D+H, H] is one
        with pytest.raises(DataError, match=r"rnn_3: expected .*\(\d"):
            one.read("rnn_3", *given)
