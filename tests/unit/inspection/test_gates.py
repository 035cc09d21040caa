"""Gates come from a cell's own step: every registered cell's, compared with the papers' equations in NumPy."""

from dataclasses import dataclass
from itertools import cycle

import numpy as np
import pytest
import torch
from torch import nn

import ostinato
from ostinato.config.cells import CELL_NAMES
from ostinato.core.errors import ConfigError
from ostinato.core.registry import lookup, unregister
from ostinato.inspection import record, saturation
from tests.unit.inspection.conftest import H, N, T, layer


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def normal(v, gain):
    mean, deviation = v.mean(-1, keepdims=True), v.var(-1, keepdims=True)
    return (v - mean) / np.sqrt(deviation + 1e-5) * gain


def lstm(p, x, h, c):
    i, f, g, o = np.split(x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"], 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * c + i * g
    return {"i": i, "f": f, "g": g, "o": o}, (o * np.tanh(c), c)


def peephole(p, x, h, c):
    i, f, g, o = np.split(x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"], 4, axis=-1)
    i, f, g = sigmoid(i + p["weight_ci"] * c), sigmoid(f + p["weight_cf"] * c), np.tanh(g)
    c = f * c + i * g
    o = sigmoid(o + p["weight_co"] * c)
    return {"i": i, "f": f, "g": g, "o": o}, (o * np.tanh(c), c)


def gru(p, x, h):
    xr, xz, xn = np.split(x @ p["weight_ih"].T + p["bias_ih"], 3, axis=-1)
    hr, hz, hn = np.split(h @ p["weight_hh"].T + p["bias_hh"], 3, axis=-1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = np.tanh(xn + r * hn)
    return {"r": r, "z": z, "n": n}, ((1 - z) * n + z * h,)


def gru_reset_before(p, x, h):
    xr, xz, xn = np.split(x @ p["weight_ih"].T + p["bias_ih"], 3, axis=-1)
    W, b = np.split(p["weight_hh"], 3), np.split(p["bias_hh"], 3)
    r, z = sigmoid(xr + h @ W[0].T + b[0]), sigmoid(xz + h @ W[1].T + b[1])
    n = np.tanh(xn + (r * h) @ W[2].T + b[2])
    return {"r": r, "z": z, "n": n}, ((1 - z) * n + z * h,)


PAPERS = {"lstm": (lstm, 2), "lstm_peephole": (peephole, 2), "gru": (gru, 1), "gru_reset_before": (gru_reset_before, 1)}


def by_paper(made, x, suffix="_l0"):
    step, fields = PAPERS[made.cell.name]
    p = {name.removesuffix(suffix): q.detach().numpy() for name, q in made.named_parameters() if name.endswith(suffix)}
    state, gates, states = [np.zeros((N, H))] * fields, [], []
    for x_t in x:
        found, state = step(p, x_t, *state)
        gates.append(found)
        states.append(state)
    return {name: np.stack([g[name] for g in gates]) for name in gates[0]}, [
        np.stack(f) for f in zip(*states, strict=True)
    ]


@pytest.mark.parametrize("cell", PAPERS)
def test_gates_and_states_are_the_papers(cell, x):
    made = layer(cell)
    (found,) = record(made, x)
    gates, states = by_paper(made, x.numpy())
    assert list(found.gates) == list(made.cell.gates) == list(gates)
    for name, values in gates.items():
        np.testing.assert_allclose(found.gates[name], values, rtol=1e-12, atol=1e-12, err_msg=name)
    for values, expected in zip(found.states.values(), states, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


def test_the_layer_normalised_lstm(x):
    """Its forget gate alone, from the first step, whose recurrent product is zero."""
    made = layer("lstm_layer_norm", bias=False)
    (found,) = record(made, x)
    p = {name.removesuffix("_l0"): q.detach().numpy() for name, q in made.named_parameters()}
    product = normal(x[0].numpy() @ p["weight_ih"].T, p["norm_ih"])
    np.testing.assert_allclose(found.gates["f"][0], sigmoid(product[:, H : 2 * H]), rtol=1e-10)


#: Rows of W_ih that no squashing function sees, or not by themselves.
UNSQUASHED = {
    "lru": ("re", "im", "skip"),
    "min_gru": ("n",),
    "min_lstm": ("f", "i", "n"),
    "mogrifier_lstm": ("i", "f", "g", "o"),
    "multiplicative_lstm": ("m",),
    "qrnn": ("z_next", "f_next", "o_next"),
    "rg_lru": ("n",),
    "slstm": ("i", "f"),
    "sru": ("z", "x"),
}


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_every_gate_of_every_cell_is_seen(cell, x):
    for example in lookup(cell).examples():
        given = {k: v for k, v in vars(example).items() if k not in ("input_size", "hidden_size")}
        made = ostinato.Recurrent(cell, example.input_size, example.hidden_size, **given)
        (found,) = record(made, torch.randn(T, N, example.input_size))
        assert found.unseen == tuple(gate for gate in UNSQUASHED.get(cell, ()) if gate in example.gates)
        assert {values.shape for values in found.gates.values()} <= {(T, N, example.hidden_size)}


def test_a_stack_in_both_directions_runs_as_without_a_watcher(x):
    made = layer("gru", num_layers=2, bidirectional=True, zoneout=0.2)
    lengths = torch.tensor([7, 2, 4])
    with torch.no_grad():
        output, _, states = made(x, lengths=lengths, all_states=True)
    records = record(made, x, lengths=lengths)
    assert [(r.place.layer, r.place.reverse) for r in records] == [(0, False), (0, True), (1, False), (1, True)]
    for found, expected in zip(records, states.h, strict=True):
        np.testing.assert_allclose(found.states["h"], expected.numpy(), rtol=1e-12)
    for found, same in zip(record(made, x, lengths=lengths, gates=False), records, strict=True):
        np.testing.assert_allclose(found.states["h"], same.states["h"], rtol=1e-12)
        assert found.gates == {}
    again, _ = made(x, lengths=lengths)
    torch.testing.assert_close(again, output)
    assert made.runner is None


def test_in_reverse_a_gate_stands_at_its_own_step(x):
    made = layer("lstm", bidirectional=True)
    gates, _ = by_paper(made, x.numpy()[::-1], "_l0_reverse")
    np.testing.assert_allclose(record(made, x)[1].gates["f"], gates["f"][::-1], rtol=1e-12)


@pytest.fixture
def own():
    """Registers a class for the time of a test."""
    names = []

    def add(cell):
        names.append(ostinato.register(cell).name)
        return cell

    yield add
    for name in names:
        unregister(name)


@pytest.mark.parametrize("squash", [torch.Tensor.sigmoid_, torch.special.expit, torch.sigmoid])
def test_gates_squashed_together_and_in_place(own, x, squash):
    """A user's GRU that squashes r and z at once, in place or by another of the sigmoid's names."""
    base = type(layer("gru").cell)

    @own
    @dataclass(frozen=True)
    class Joint(base):
        name = "joint_gru"

        def step(self, p, projected, state):
            (h,) = state
            xs, hs = projected, h @ p["weight_hh"].T + p["bias_hh"]
            rz = xs[:, : 2 * H] + hs[:, : 2 * H]
            r, z = squash(rz).chunk(2, dim=-1)
            n = nn.functional.tanh(xs[:, 2 * H :] + r * hs[:, 2 * H :])
            h = (1 - z) * n + z * h
            return h, self.State(h)

    (found,) = record(layer("joint_gru"), x)
    (plain,) = record(layer("gru"), x)
    for gate, values in plain.gates.items():
        np.testing.assert_allclose(found.gates[gate], values, rtol=1e-12)


def test_a_gate_that_cannot_be_told_is_left_out_not_guessed(own, x):
    """With a forget gate written out by hand, tanh(c) is the first squashing that depends on it, and is not it."""
    base = type(layer("lstm").cell)

    @own
    @dataclass(frozen=True)
    class ByHand(base):
        name = "lstm_by_hand"

        def step(self, p, projected, state):
            h, c = state
            i, f, g, o = (projected + h @ p["weight_hh"].T + p["bias_hh"]).chunk(4, dim=-1)
            c = c / (1 + torch.exp(-f)) + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            return h, self.State(h, c)

    (found,) = record(layer("lstm_by_hand"), x)
    assert found.unseen == ("f",)
    assert list(found.gates) == ["i", "g", "o"]
    np.testing.assert_allclose(found.states["c"], record(layer("lstm"), x)[0].states["c"], rtol=1e-12)


def test_a_cell_whose_steps_differ_is_refused(own, x):
    """What stands for a gate in one step would be something else in the next."""
    base, functions = type(layer("gru").cell), cycle([(torch.sigmoid, torch.tanh), (torch.tanh, torch.sigmoid)])

    @own
    @dataclass(frozen=True)
    class Moody(base):
        name = "moody_gru"

        def step(self, p, projected, state):
            for function in next(functions):
                function(projected)
            return super().step(p, projected, state)

    with pytest.raises(ConfigError, match="cell moody_gru: its steps differ in what they compute"):
        record(layer("moody_gru"), x)
    states = record(layer("moody_gru"), x, gates=False)[0].states["h"]
    np.testing.assert_allclose(states, record(layer("gru"), x)[0].states["h"], rtol=1e-12)


def test_in_bfloat16(x):
    made = layer("lstm")
    (expected,) = record(made, x)
    (found,) = record(made.bfloat16(), x.bfloat16())
    for name, values in (expected.gates | expected.states).items():
        np.testing.assert_allclose((found.gates | found.states)[name], values, atol=0.05)


def test_saturation_counts_the_steps_beyond_the_limits():
    values = np.array([[0.05, 0.95], [0.5, 0.95], [0.05, 0.5], [0.1, 0.9]])
    left, right = saturation(values[:, None], (0.1, 0.9))
    assert left.tolist() == [0.5, 0.0]
    assert right.tolist() == [0.0, 0.5]


def test_limits_follow_the_function(x):
    (found,) = record(layer("gru"), x)
    assert (found.limits("z"), found.limits("n")) == ((0.1, 0.9), (-0.9, 0.9))
    assert record(layer("rnn_relu"), x)[0].limits("h") is None


def test_a_model_without_layers_of_ours_is_refused():
    with pytest.raises(ConfigError, match="got Linear"):
        record(nn.Linear(2, 2), torch.zeros(1, 2))
