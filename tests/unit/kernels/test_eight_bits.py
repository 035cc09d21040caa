"""Weights of 8 bits: beside the same whole numbers in NumPy, whose sums are exact, in float64."""

import numpy as np
import pytest
import torch

import ostinato
from ostinato import kernels
from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets
from ostinato.core.errors import ConfigError, TensorError
from ostinato.core.registry import lookup
from ostinato.kernels import native_cells as native
from ostinato.kernels.eight_bits import EightBits
from ostinato.native.library import INT8, Run
from tests.unit.kernels.test_native import ISAS as ALL

# Every other set multiplies bytes as one of these does.
ISAS = [name for name in ALL if name in (ALL[0], "avx2", "baseline")]
CELLS = ["gru", "lstm", "lstm_peephole", "rnn", "rnn_relu"]
F = np.float32


@pytest.fixture(params=ISAS)
def isa(request, library, monkeypatch):
    monkeypatch.setattr(library, "isa", request.param)
    return request.param


def whole(rows: np.ndarray) -> np.ndarray:
    """Each row as the float32 steps that the kernels take, and its scale; what they stand for, in float64."""
    largest = np.abs(rows).max(-1, keepdims=True, initial=0).astype(F)
    with np.errstate(divide="ignore"):
        steps = np.where(largest > 1e-30, F(127) / largest, F(0)).astype(F)
    return np.rint(rows.astype(F) * steps).astype(np.float64) * (largest / F(127)).astype(np.float64)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def after(name, in_, rec, before, c, extra):
    """A step's h and c from both sums, as the papers have them."""
    if name.startswith("rnn"):
        return (np.maximum(in_ + rec, 0) if name == "rnn_relu" else np.tanh(in_ + rec)), c
    gates = np.split(in_, 3 if name == "gru" else 4, -1)
    fed = np.split(rec, len(gates), -1)
    if name == "gru":
        r, z = sigmoid(gates[0] + fed[0]), sigmoid(gates[1] + fed[1])
        return (1 - z) * np.tanh(gates[2] + r * fed[2]) + z * before, c
    peep = np.zeros((3, 1)) if extra is None else extra
    i, f = sigmoid(gates[0] + fed[0] + peep[0] * c), sigmoid(gates[1] + fed[1] + peep[1] * c)
    c = f * c + i * np.tanh(gates[2] + fed[2])
    return sigmoid(gates[3] + fed[3] + peep[2] * c) * np.tanh(c), c


class Emulated:
    """A cell over sequences from the h that the kernels found, so that one rounding the other way stays one."""

    def __init__(self, cell, p, x, state, found, *, lengths=None, reverse=False, zoneout=0.0, resets=None, anew=None):
        p = {name: tensor.detach().numpy() for name, tensor in p.items()}
        x, found, (h0, *c0) = x.numpy(), found.numpy(), (field.numpy() for field in state)
        T, N, _ = x.shape
        lengths = np.full(N, T) if lengths is None else lengths.numpy()
        w_ih, w_hh = whole(p["weight_ih"]), whole(p["weight_hh"])
        peep = [p[name].astype(np.float64) for name in p if name not in native.SHARED]
        self.output, self.c = np.zeros((T, N, len(h0[0]))), [field.astype(np.float64) for field in c0]
        for n in range(N):
            order = range(lengths[n])
            h, c = h0[n], c0[0][n].astype(np.float64) if c0 else None
            for t in reversed(order) if reverse else order:
                if resets is not None and resets[t, n]:
                    h, c = anew[0][n].numpy(), anew[1][n].double().numpy() if c0 else None
                in_ = w_ih @ whole(x[t, n]) + p["bias_ih"]
                rec = w_hh @ whole(h) + p["bias_hh"]
                new, kept = after(cell.name, in_, rec, h, c, peep or None)
                self.output[t, n] = zoneout * h + (1 - zoneout) * new
                c = kept if c is None else zoneout * c + (1 - zoneout) * kept
                h = found[t, n]
            if c0:
                self.c[0][n] = c


def problem(name, T, N, D, H, seed=0):
    torch.manual_seed(seed)
    cell = lookup(name)(D, H)
    p = {key: torch.randn(one.shape) * (1.5 / H**0.5) for key, one in cell.parameters().items()}
    p["weight_hh"][0] = 0  # a row without a scale
    state = cell.State(*(torch.randn(N, H) for _ in cell.State._fields))
    return cell, p, torch.randn(T, N, D), state


def close(found, expected):
    assert np.abs(found.numpy() - expected).max(initial=0) <= 1e-6 * max(1, np.abs(expected).max(initial=0))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("reverse", [False, True])
def test_sums_are_exact(name, reverse, isa):
    # sizes that fill no vector and no word, more rows than a tile, more steps than a chunk, more than one thread
    for case, (T, N, D, H) in enumerate([(1, 1, 1, 1), (5, 3, 4, 5), (4, 7, 33, 16), (25, 11, 9, 70), (3, 2, 130, 65)]):
        torch.set_num_threads(1 + case % 2)
        cell, p, x, state = problem(name, T, N, D, H)
        lengths = torch.randint(0, T + 1, (N,)) if T > 4 else None
        found = kernels.eight_bits.run(cell, p, x, state, lengths=lengths, reverse=reverse)
        expected = Emulated(cell, p, x, state, found.output, lengths=lengths, reverse=reverse)
        close(found.output, expected.output)
        if len(state) > 1:
            close(found.final[1], expected.c[0])
        last = 0 if reverse else (torch.full((N,), T) if lengths is None else lengths) - 1
        ran = torch.ones(N, dtype=torch.bool) if lengths is None else lengths > 0
        assert torch.equal(found.final[0][ran], found.output[last, torch.arange(N)][ran])
        assert torch.equal(found.final[0][~ran], state[0][~ran])


def test_zoneout_resets_and_every_state(isa):
    T, N, D, H = 9, 5, 12, 21
    for name in ("lstm", "gru"):
        cell, p, x, state = problem(name, T, N, D, H)
        before, anew = torch.rand(T, N) < 0.3, cell.State(*(torch.randn(N, H) for _ in state))
        noise = StateNoise.draw(state, T, training=False, recurrent_dropout=0.0, zoneout=0.25)
        found = kernels.eight_bits.run(cell, p, x, state, noise=noise, resets=Resets(before, anew), keep_states=True)
        expected = Emulated(cell, p, x, state, found.output, zoneout=0.25, resets=before, anew=anew)
        close(found.output, expected.output)
        assert torch.equal(found.states[0], found.output)
        if name == "lstm":
            close(found.states[1][-1], expected.c[0])


def test_bits_are_the_same_in_any_company_and_on_every_instruction_set(library, monkeypatch):
    cell, p, x, state = problem("rnn", 1, 9, 50, 40)
    first = None
    for name in ISAS:
        monkeypatch.setattr(library, "isa", name)
        whole_batch = kernels.eight_bits.run(cell, p, x, state).output
        for n in range(9):
            alone = kernels.eight_bits.run(cell, p, x[:, n : n + 1], cell.State(state[0][n : n + 1])).output
            assert torch.equal(alone, whole_batch[:, n : n + 1])
        first = whole_batch if first is None else first
        assert (whole_batch - first).abs().max() < 1e-6


def test_the_largest_sums_stay_whole(isa):
    """All numbers of the largest magnitude, of both signs: 16 bits would not hold four of their products."""
    D = 1000
    x = torch.where(torch.rand(6, D) < 0.5, 1.0, -1.0)
    x[0] = 1
    weight = torch.where(torch.rand(40, D) < 0.5, 2.0, -2.0)
    weight[0], weight[1] = 2, -2
    found = EightBits(weight, None)(x).double()
    assert torch.allclose(found, x.double() @ weight.double().T, rtol=1e-6, atol=1e-6)


def test_a_linear_layer_is_exact(isa):
    for case, (M, D, V) in enumerate([(0, 3, 4), (1, 1, 1), (3, 50, 17), (7, 128, 200), (70, 33, 1001)]):
        torch.set_num_threads(1 + case % 2)
        x, weight, bias = torch.randn(M, D), torch.randn(V, D), torch.randn(V) if case % 2 else None
        expected = whole(x.numpy()) @ whole(weight.numpy()).T + (0 if bias is None else bias.numpy())
        close(EightBits(weight, bias)(x), expected)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_seen_where_it_matters(number, isa):
    cell, p, x, state = problem("lstm", 4, 3, 10, 20)
    x[1, 2, 3] = number
    output = kernels.eight_bits.run(cell, p, x, state).output
    assert output[:, :2].isfinite().all()
    assert output[0].isfinite().all()
    assert output[1:, 2].isnan().all()


def test_nothing_but_inference(library, isa):
    cell, p, x, state = problem("lstm", 4, 3, 10, 20)
    with pytest.raises(TensorError, match="no gradients"):
        kernels.eight_bits.run(cell, p, x.requires_grad_(), state)
    with pytest.raises(ConfigError, match="8 bits"):
        kernels.eight_bits.run(lookup("lstm_layer_norm")(10, 20), p, x, state)
    with pytest.raises(ConfigError, match="float64"):
        EightBits(torch.zeros(3, 4, dtype=torch.float64), None)
    with pytest.raises(TensorError, match=r"\(\.\.\., 4\)"):
        EightBits(torch.zeros(3, 4), None)(torch.zeros(2, 5))
    sizes = dict.fromkeys(("threads", "N", "T", "D", "H", "R"), 1)
    run = Run(cell=library.cells["lstm"], isa=library.isas[library.isa], precision=3, **sizes)
    for wrong in (library.backward, library.forward):
        broken = Run.from_buffer_copy(run)
        if wrong == library.forward:
            broken.D = (1 << 17) + 1
        with pytest.raises(ValueError, match=r"refuses the (precision|size)"):
            wrong(broken)


def test_layers_and_streams(isa):
    torch.manual_seed(0)
    layer = ostinato.LSTM(24, 40, num_layers=2).eval()
    x = torch.randn(6, 3, 24)
    with torch.no_grad():
        exact, _ = layer(x)
        layer.weights = INT8
        output, (_, c) = layer(x)
    assert 0 < (output - exact).abs().max() < 0.02
    for weights in (None, INT8):
        stream = layer.stream(3, weights=weights)
        assert torch.equal(torch.stack([stream.step(one) for one in x]), output)
        assert torch.equal(stream.state[1], c)
    full = layer.stream(3, weights="float32")
    assert torch.allclose(torch.stack([full.step(one) for one in x]), exact, atol=1e-6)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(2)
        doubled, _ = layer(x)
        stream.reset()
        assert torch.equal(torch.stack([stream.step(one) for one in x]), doubled)
    trained, _ = layer.train()(x)
    trained.sum().backward()
    assert layer.weight_hh_l0.grad is not None


def test_weights_that_there_are_not():
    layer = ostinato.Recurrent("lstm_layer_norm", 3, 4)
    for wrong in (lambda: setattr(layer, "weights", INT8), lambda: layer.stream(1, weights=INT8)):
        with pytest.raises(ConfigError, match=r"lstm_layer_norm: weights of 8 bits only for .*gru, lstm"):
            wrong()
    with pytest.raises(ConfigError, match="int8"):
        layer.weights = "int4"
    assert layer.weights == "float32"
    with pytest.raises(ConfigError, match="float32"):
        ostinato.GRU(3, 4, dtype=torch.float64).stream(1, weights=INT8)
