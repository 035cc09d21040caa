"""tanh, sigmoid and e^x of every instruction set over a million numbers, against float64, by what uses them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ostinato import kernels
from ostinato.core.registry import lookup
from ostinato.kernels import native_cells as native
from ostinato.native import library as native_library

H = 64
LOADED = native_library.load()
SUPPORTED = [] if isinstance(LOADED, str) else LOADED.supported


@pytest.fixture(params=SUPPORTED, autouse=True)
def isa(request, monkeypatch):
    monkeypatch.setattr(LOADED, "isa", request.param)


@pytest.fixture(scope="module")
def values() -> Tensor:
    """Of both signs: the same number of each exponent, denormal ones among them, and of each size to 100."""
    random = np.random.default_rng(0)
    bits = random.integers(0, 0x7F80_0000, 500_000, dtype=np.uint32)
    found = np.concatenate([bits.view(np.float32), random.uniform(0, 100, 150_000), random.uniform(0, 10, 350_000)])
    found = found.astype(np.float32) * random.choice(np.float32([-1, 1]), len(found))
    return torch.from_numpy(found[: len(found) // H * H].reshape(1, -1, H))


def units_in_the_last_place(found: Tensor, exact: Tensor) -> float:
    """The largest error."""
    spacing = torch.from_numpy(np.spacing(np.abs(exact.float().numpy()))).double()
    return float(((found.double() - exact).abs() / spacing).max())


def rows(*parts: Tensor) -> Tensor:
    return torch.cat(parts)


def test_tanh(values):
    """Of an RNN that is fed what it squashes, and whose recurrent weights are zero."""
    p = {"weight_ih": torch.eye(H), "weight_hh": torch.zeros(H, H)}
    cell = lookup("rnn")(H, H, bias=False)
    output = native.run(cell, p, values, cell.initial_state(values.shape[1], values)).output
    assert units_in_the_last_place(output, values.double().tanh()) < 7
    assert output.abs().max() == 1
    small = values.abs() < 1e-4
    assert small.sum() > 1e5
    torch.testing.assert_close(output[small], values[small], rtol=3e-7, atol=0)


def test_the_derivative_of_tanh(values):
    """1 - y^2 of the y that was returned, with all its digits: torch's own has none left where y is near 1."""
    p = {"weight_ih": torch.eye(H), "weight_hh": torch.zeros(H, H)}
    cell = lookup("rnn")(H, H, bias=False)
    x = values[:, :2000].clone().requires_grad_()
    output = native.run(cell, p, x, cell.initial_state(x.shape[1], x)).output
    (found,) = torch.autograd.grad(output.sum(), x)
    exact = 1 - output.detach().double().square()
    torch.testing.assert_close(found.double(), exact, rtol=3e-7, atol=0)


def test_sigmoid(values):
    """Of a GRU that holds a state of one: what is left of it is the gate z."""
    p = {"weight_ih": rows(torch.zeros(H, H), torch.eye(H), torch.zeros(H, H)), "weight_hh": torch.zeros(3 * H, H)}
    cell = lookup("gru")(H, H, bias=False)
    output = native.run(cell, p, values, cell.State(torch.ones(values.shape[1], H))).output
    within = values > -86.9
    assert units_in_the_last_place(output[within], values[within].double().sigmoid()) < 4.5
    assert output[~within].max() < 2e-38, "below, it stays what it is at -87"


def test_exponential(values):
    """Of a softmax whose largest score is zero."""
    scores = -values.reshape(-1, H).abs()
    scores[:, 0] = 0
    exact = scores.double().exp()
    kernels.exponentials(scores)
    normal = exact > 2.0**-125
    assert units_in_the_last_place(scores[normal], exact[normal]) < 3
    assert scores[~normal].max() < 2.0**-124


def test_a_layer_that_normalises_sees_small_values():
    """H = o tanh(norm(c)): small sums are not small any more behind a normalisation."""
    torch.manual_seed(0)
    cell = lookup("lstm_layer_norm")(8, 16)
    p = {name: torch.randn(made.shape) * 0.3 for name, made in cell.parameters().items()}
    p |= {"bias_ih": torch.zeros(64), "bias_hh": torch.zeros(64), "shift_c": torch.zeros(16)}
    for name in ("norm_ih", "norm_hh"):
        p[name][32:48] *= 1e-3  # of the candidate: c is as small, and large again once it is normalised
    x = torch.randn(5, 3, 8)
    found = native.run(cell, p, x, cell.initial_state(3, x)).output
    double = {name: tensor.double() for name, tensor in p.items()}
    exact = kernels.reference(cell, double, x.double(), cell.initial_state(3, x.double())).output
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=3e-6)
