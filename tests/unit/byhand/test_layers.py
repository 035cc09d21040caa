"""Forward and every gradient, against torch's own layers and its automatic derivatives, in float64."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ostinato import byhand
from ostinato.interop.layouts import layout

N, T, D, H, V = 3, 6, 4, 5, 7
CLOSE = {"atol": 1e-12, "rtol": 0}


def array(*shape, seed=0):
    """Numbers large enough for gates that are not all half open."""
    return np.random.default_rng(seed).normal(0, 1.2, shape)


def tensor(values):
    return torch.tensor(values, requires_grad=True)


def close(found, expected):
    np.testing.assert_allclose(found, expected.detach().numpy(), **CLOSE)
    assert np.abs(found).max() > 1e-4


def weights(gates):
    return array(D, gates * H, seed=1), array(H, gates * H, seed=2), array(gates * H, seed=3)


def elman(x, h, Wx, Wh, b):
    layer = nn.RNN(D, H, batch_first=True).double()
    return _theirs("TimeRNN", layer, x, h[None], Wx, Wh, b)


def lstm(x, h, Wx, Wh, b):
    layer = nn.LSTM(D, H, batch_first=True).double()
    return _theirs("TimeLSTM", layer, x, (h[None], torch.zeros(1, N, H).double()), Wx, Wh, b)


def _theirs(name, layer, x, state, Wx, Wh, b):
    """A layer of torch's as a function of weights as the book lays them out."""
    order = layout("Deep Learning from Scratch 2", name).gates
    ours = {"rnn": ("h",), "lstm": ("i", "f", "g", "o")}[layer.mode.removesuffix("_TANH").lower()]
    reorder = [order.index(gate) for gate in ours]

    def rows(matrix):
        return torch.cat([matrix.chunk(len(order), dim=-1)[at] for at in reorder], dim=-1).t()

    named = {"weight_ih_l0": rows(Wx), "weight_hh_l0": rows(Wh), "bias_ih_l0": rows(b)}
    named["bias_hh_l0"] = torch.zeros_like(b)
    return torch.func.functional_call(layer, named, (x, state))[0]


def gru(x, h, Wx, Wh, b):
    """Cho et al., equations 5 to 8: the reset gate stands before the product."""
    (Wz, Wr, Wg), (Uz, Ur, Ug), (bz, br, bg) = Wx.chunk(3, 1), Wh.chunk(3, 1), b.chunk(3)
    out = []
    for t in range(T):
        z, r = torch.sigmoid(x[:, t] @ Wz + h @ Uz + bz), torch.sigmoid(x[:, t] @ Wr + h @ Ur + br)
        h = (1 - z) * h + z * torch.tanh(x[:, t] @ Wg + (r * h) @ Ug + bg)
        out.append(h)
    return torch.stack(out, dim=1)


def jordan(x, y, Wx, Wh, b, Wo, bo):
    out = []
    for t in range(T):
        y = torch.tanh(torch.tanh(x[:, t] @ Wx + y @ Wh + b) @ Wo + bo)
        out.append(y)
    return torch.stack(out, dim=1)


O = 2  # noqa: E741
LAYERS = {
    "rnn": (byhand.TimeRNN, elman, lambda: weights(1), H),
    "lstm": (byhand.TimeLSTM, lstm, lambda: weights(4), H),
    "gru": (byhand.TimeGRU, gru, lambda: weights(3), H),
    "jordan": (
        byhand.TimeJordan,
        jordan,
        lambda: (array(D, H, seed=1), array(O, H, seed=2), array(H, seed=3), array(H, O, seed=4), array(O, seed=5)),
        O,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_recurrent_layers_are_torchs_from_a_state_with_every_gradient(name):
    kind, theirs, draw, width = LAYERS[name]
    params, x, h, dy = draw(), array(N, T, D), array(N, width, seed=8), array(N, T, width, seed=9)
    layer = kind(*params)
    layer.set_state(h)
    y = layer.forward(x)
    dx = layer.backward(dy)
    their_x, their_h, their_params = tensor(x), tensor(h), [tensor(p) for p in params]
    expected = theirs(their_x, their_h, *their_params)
    expected.backward(torch.tensor(dy))
    close(y, expected)
    close(dx, their_x.grad)
    close(layer.dh, their_h.grad)
    for param_name, grad, param in zip(layer.names, layer.grads, their_params, strict=True):
        np.testing.assert_allclose(grad, param.grad.numpy(), err_msg=param_name, **CLOSE)
        assert np.abs(grad).max() > 1e-3, param_name


@pytest.mark.parametrize("name", LAYERS)
def test_a_stateful_layer_goes_on_and_another_begins_anew(name):
    kind, _, draw, _ = LAYERS[name]
    x = array(N, T, D)
    whole = kind(*draw()).forward(x)
    going_on, other = kind(*draw(), stateful=True), kind(*draw())
    parts = [going_on.forward(x[:, :2]), going_on.forward(x[:, 2:])]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, **CLOSE)
    other.forward(x[:, :2])
    anew = other.forward(x)
    np.testing.assert_allclose(anew, whole, **CLOSE)
    going_on.reset_state()
    np.testing.assert_allclose(going_on.forward(x), whole, **CLOSE)
    with pytest.raises(ValueError, match=r"reset_state\(\) begins with zeros"):
        going_on.forward(x[:1])


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_added_up(name):
    kind, _, draw, width = LAYERS[name]
    layer, x, dy = kind(*draw()), array(N, T, D), array(N, T, width, seed=9)
    layer.forward(x)
    layer.backward(dy)
    once = [grad.copy() for grad in layer.grads]
    layer.backward(dy)
    for grad, before in zip(layer.grads, once, strict=True):
        np.testing.assert_allclose(grad, 2 * before, **CLOSE)


def test_who_looks_sees_the_gradient_by_each_state_of_the_lstm():
    params, x = weights(4), array(N, T, D)
    layer, cell = byhand.TimeLSTM(*params), nn.LSTMCell(D, H).double()
    layer.forward(x)
    dy = np.zeros((N, T, H))
    dy[:, -1] = array(N, H, seed=9)
    layer.backward(dy)
    own = layout("Deep Learning from Scratch 2", "TimeLSTM").read("lstm", *params)
    cell.load_state_dict({name: torch.from_numpy(value) for name, value in own.items()})
    h = c = torch.zeros(N, H, dtype=torch.float64)
    states = []
    for step in torch.from_numpy(x).unbind(1):
        h, c = cell(step, (h, c))
        h.retain_grad()
        c.retain_grad()
        states.append((h, c))
    (h * torch.from_numpy(dy[:, -1])).sum().backward()
    for t, (h, c) in enumerate(states):
        close(layer.dhs[:, t], h.grad)
        close(layer.dcs[:, t], c.grad)


def test_embedding_adds_up_a_word_that_occurs_twice():
    W, words, dy = array(V, D), np.array([[1, 2, 1], [1, 0, 6]]), array(2, 3, D, seed=1)
    layer = byhand.TimeEmbedding(W)
    theirs = tensor(W)
    expected = F.embedding(torch.from_numpy(words), theirs)
    expected.backward(torch.tensor(dy))
    close(layer.forward(words), expected)
    layer.backward(dy)
    close(layer.grads[0], theirs.grad)


def test_affine():
    W, b, x, dy = array(H, V), array(V, seed=1), array(N, T, H, seed=2), array(N, T, V, seed=3)
    layer = byhand.TimeAffine(W, b)
    theirs = [tensor(each) for each in (W, b, x)]
    expected = theirs[2] @ theirs[0] + theirs[1]
    expected.backward(torch.tensor(dy))
    close(layer.forward(x), expected)
    close(layer.backward(dy), theirs[2].grad)
    close(layer.grads[0], theirs[0].grad)
    close(layer.grads[1], theirs[1].grad)


@pytest.mark.parametrize("ignored", [False, True])
def test_softmax_with_loss(ignored):
    scores, targets = 30 * array(N, T, V), np.random.default_rng(1).integers(0, V, (N, T))
    if ignored:
        targets[0, 3:] = targets[2, 1] = -1
    layer, theirs = byhand.TimeSoftmaxWithLoss(), tensor(scores)
    expected = F.cross_entropy(theirs.flatten(0, 1), torch.from_numpy(targets).flatten(), ignore_index=-1)
    expected.backward()
    assert layer.forward(scores, targets) == pytest.approx(expected.item(), abs=1e-12)
    close(layer.backward(), theirs.grad)


def test_nothing_but_ignored_targets_costs_nothing():
    layer = byhand.TimeSoftmaxWithLoss()
    assert layer.forward(array(1, 2, V), np.full((1, 2), -1)) == 0
    assert not layer.backward().any()


def test_dropout_passes_back_what_it_let_through():
    layer, x = byhand.TimeDropout(0.4, np.random.default_rng(1)), array(20, 30, 5)
    y = layer.forward(x)
    kept = y != 0
    assert 0.35 < 1 - kept.mean() < 0.45
    np.testing.assert_allclose(y[kept], x[kept] / 0.6)
    np.testing.assert_allclose(layer.backward(np.ones_like(x)), kept / 0.6)
    assert layer.forward(x, train=False) is x
    assert layer.backward(x) is x


def test_attention():
    hs, h, dc = array(N, 4, H), array(N, T, H, seed=1), array(N, T, H, seed=2)
    layer = byhand.TimeAttention()
    theirs = tensor(hs), tensor(h)
    expected = F.scaled_dot_product_attention(theirs[1], theirs[0], theirs[0], scale=1.0)
    expected.backward(torch.tensor(dc))
    close(layer.forward(hs, h), expected)
    np.testing.assert_allclose(layer.attention_weight.sum(axis=2), 1)
    for found, expected in zip(layer.backward(dc), theirs, strict=True):
        close(found, expected.grad)


def test_sgd_and_adam_are_torchs():
    start = [array(3, 2), array(4, seed=1)]
    for ours, theirs in ((byhand.SGD(0.1), torch.optim.SGD), (byhand.Adam(0.1), torch.optim.Adam)):
        params, their_params = [p.copy() for p in start], [tensor(p) for p in start]
        optimizer = theirs(their_params, lr=0.1)
        for step in range(4):
            grads = [array(*p.shape, seed=10 + step) for p in params]
            ours.update(params, grads)
            for param, grad in zip(their_params, grads, strict=True):
                param.grad = torch.tensor(grad)
            optimizer.step()
        for param, expected in zip(params, their_params, strict=True):
            close(param, expected)


def test_a_long_gradient_is_cut_to_its_length():
    grads = [np.array([3.0, 0.0]), np.array([4.0])]
    assert byhand.clip_grads(grads, 0) == byhand.clip_grads(grads, 6.0) == 5.0
    assert grads[1] == 4
    assert byhand.clip_grads(grads, 1.0) == 5.0
    np.testing.assert_allclose(np.concatenate(grads), [0.6, 0.0, 0.8])


def test_it_is_numpy_alone():
    code = "import sys, ostinato.byhand; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
