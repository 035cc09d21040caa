"""dL/dh_t against products of Jacobians derived by hand, and against finite differences, in double precision."""

import numpy as np
import pytest
import torch
from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.inspection import (
    clipped,
    gradient_flow,
    gradient_norms,
    record,
    repeated_product,
    scaled_to,
    spectral_radius,
)
from tests.unit.inspection.conftest import H, N, T, layer


def each(outputs):
    """Loss of each sequence, `[N]`: a weighted sum of its last output."""
    return (outputs[-1] * torch.arange(1, outputs.shape[-1] + 1)).sum(-1)


def last(output):
    """Their sum, as a layer's loss."""
    return each(output[0]).sum()


def squares(outputs):
    """Another loss of each sequence, `[N]`, which looks at all steps."""
    return (outputs**2).sum((0, 2))


def test_the_simple_networks_product_of_jacobians(x):
    """dh_T / dh_t = product of diag(1 - h^2) W_hh."""
    made = layer("rnn")
    (found,) = gradient_flow(made, last, x)
    h = made(x)[0].detach().numpy()
    W = made.weight_hh_l0.detach().numpy()
    expected = np.empty((T + 1, N))
    for n in range(N):
        gradient = np.arange(1.0, H + 1)
        for t in reversed(range(T)):
            expected[t + 1, n] = np.linalg.norm(gradient)
            gradient = (gradient * (1 - h[t, n] ** 2)) @ W
        expected[0, n] = np.linalg.norm(gradient)
    np.testing.assert_allclose(found.norms["h"], expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("cell", "options"),
    [("lstm", {}), ("gru", {}), ("lstm_peephole", {}), ("lstm", {"zoneout": 0.3}), ("lstm", {"proj_size": 2})],
)
@pytest.mark.parametrize("t", [0, 2, T - 1])
def test_finite_differences(cell, options, t, x):
    """Run to step t, shift one unit of the state, run on: for a loss over all outputs, later ones included."""
    made = layer(cell, **options)
    (found,) = gradient_flow(made, lambda output: squares(output[0]).sum(), x)
    with torch.no_grad():
        state = made(x[:t])[1] if t else made.initial_state(N)
        gradients = {name: differences(squares, made, x[t:], state, index) for index, name in enumerate(state._fields)}
        if t:  # h_t is also step t's output
            gradients["h"] += 2 * made(x[:t])[0][-1].numpy()
    if t and "c" in gradients and not options.get("zoneout"):  # and h_t = o tanh(c_t): c_t works through it as well
        (at,) = record(made, x)
        o, tanh = at.gates["o"][t - 1], np.tanh(at.states["c"][t - 1])
        slope = o * (1 - tanh**2)
        if cell == "lstm_peephole":  # o looks at c_t too
            slope += tanh * o * (1 - o) * made.weight_co_l0.detach().numpy()
        W_hr = made.weight_hr_l0.detach().numpy() if options.get("proj_size") else np.eye(H)
        gradients["c"] += (gradients["h"] @ W_hr) * slope
    for name, gradient in gradients.items():
        np.testing.assert_allclose(found.norms[name][t], np.linalg.norm(gradient, axis=-1), rtol=1e-6, err_msg=name)


def differences(loss, made, x, state, index, place=..., step=1e-6):
    """Gradient of each sequence's loss by one field of the initial state, of the layer at `place`: `[N, size]`."""
    gradient = np.zeros((N, state[index].shape[-1]))
    for unit in range(gradient.shape[1]):
        ends = []
        for sign in (1, -1):
            shifted = [field.clone() for field in state]
            shifted[index][place][..., unit] += sign * step
            ends.append(loss(made(x, tuple(shifted))[0]).numpy())
        gradient[:, unit] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def test_layers_below_are_reached_through_those_above(x):
    """By finite differences: each layer's and direction's own initial state."""
    made = layer("gru", num_layers=2, bidirectional=True)
    flows = gradient_flow(made, last, x)
    assert [(f.place.layer, f.place.reverse) for f in flows] == [(0, False), (0, True), (1, False), (1, True)]
    # The reverse direction of the top layer gives the last output after its first step: no gradient goes further.
    assert (flows[3].norms["h"][2:] == 0).all()
    with torch.no_grad():
        state = made.initial_state(N)
        for place, flow in enumerate(flows):
            expected = np.linalg.norm(differences(each, made, x, state, 0, place), axis=-1)
            assert (expected > 1e-4).all(), flow.place
            np.testing.assert_allclose(flow.norms["h"][0], expected, rtol=1e-5, err_msg=flow.place.label)


def test_in_bfloat16(x):
    made = layer("gru")
    (expected,) = gradient_flow(made, last, x)
    (found,) = gradient_flow(made.bfloat16(), last, x.bfloat16())
    np.testing.assert_allclose(found.norms["h"], expected.norms["h"], rtol=0.1)
    assert found.radii == pytest.approx(expected.radii, rel=0.02)


def test_the_models_own_gradients_stay(x):
    made = layer("lstm")
    made(x)[0].sum().backward()
    before = [p.grad.clone() for p in made.parameters()]
    gradient_flow(made, last, x)
    gradient_norms(made, lambda index: made(x)[0].sum(), 1)
    for p, gradient in zip(made.parameters(), before, strict=True):
        assert torch.equal(p.grad, gradient)


def test_unequal_lengths_are_refused(x):
    with pytest.raises(ConfigError, match=r"expected sequences of 7 steps each, got lengths \[7, 3, 1\]"):
        gradient_flow(layer("gru"), last, x, lengths=torch.tensor([7, 3, 1]))
    full = gradient_flow(layer("gru"), last, x, lengths=torch.tensor([7, 7, 7]))
    np.testing.assert_array_equal(full[0].norms["h"], gradient_flow(layer("gru"), last, x)[0].norms["h"])


def test_spectral_radius_by_power_iteration(x):
    rng = np.random.default_rng(0)
    W = np.abs(rng.normal(size=(6, 6)))  # positive: its largest eigenvalue is real and single
    v = np.ones(6)
    for _ in range(200):
        v = W @ v / np.linalg.norm(v)
    assert spectral_radius(W) == pytest.approx(np.linalg.norm(W @ v) / np.linalg.norm(v))
    assert spectral_radius(scaled_to(W, 0.5)) == pytest.approx(0.5)
    (found,) = gradient_flow(layer("lstm"), last, x)
    assert list(found.radii) == ["i", "f", "g", "o"]
    block = layer("lstm").weight_hh_l0[H : 2 * H].detach().numpy()
    assert found.radii["f"] == pytest.approx(np.abs(np.linalg.eigvals(block)).max())


def test_the_repeated_product():
    W = np.array([[0.0, 2.0], [0.5, 0.0]])
    norms = repeated_product(W, np.array([[1.0, 0.0]]), 4)
    assert norms.tolist() == [2.0, 1.0, 2.0, 1.0]
    grown = repeated_product(scaled_to(W, 1.5), np.ones((2, 2)), 20)
    assert grown[-1] / grown[-3] == pytest.approx(1.5**2)


def test_clipping():
    assert clipped(np.array([0.5, 2.0, 8.0]), 1.0).tolist() == [0.5, 1.0, 1.0]
    assert clipped(np.array([0.5, 2.0]), 0).tolist() == [0.5, 2.0]


def test_norms_over_all_parameters():
    model = nn.Linear(1, 1)
    x = torch.tensor([[3.0]])
    norms = gradient_norms(model, lambda index: (index + 1) * model(x).sum(), 2)
    assert norms == pytest.approx([10**0.5, 2 * 10**0.5])
