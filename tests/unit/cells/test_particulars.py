"""What single cells have beside the contract; their equations are compared in tests/conformance."""

import pytest
import torch

import ostinato
from ostinato.cells.unroll import unroll
from ostinato.core.registry import lookup
from ostinato.testing.samples import Sample


def test_forget_bias_raises_the_forget_gate_by_itself():
    layers = []
    for forget_bias in (0.0, 1.5):
        torch.manual_seed(3)
        layers.append(ostinato.LSTM(3, 5, 2, bidirectional=True, forget_bias=forget_bias))
    difference = {n: b - a for (n, a), b in zip(layers[0].named_parameters(), layers[1].parameters(), strict=True)}
    for name, found in difference.items():
        expected = torch.zeros_like(found)
        if name.startswith("bias_ih"):
            expected[5:10] = 1.5  # i, f, g, o
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_a_forget_gate_that_is_open_keeps_the_memory():
    """With i shut, c stays what it was for any input, which tells the order of the gates."""
    layer = ostinato.LSTM(3, 5)
    with torch.no_grad():
        layer.bias_ih_l0[:5], layer.bias_ih_l0[5:10] = -100.0, 100.0
    c = torch.randn(1, 2, 5)
    _, (_, after) = layer(torch.randn(20, 2, 3), (torch.zeros(1, 2, 5), c))
    torch.testing.assert_close(after, c)


def test_layer_norm_sums_are_normal_whatever_the_size_of_the_weights():
    cell = lookup("lstm_layer_norm")(3, 16)
    sample = Sample.draw(cell)
    sample.p.update(norm_ih=torch.ones(64).double(), bias_ih=torch.zeros(64).double())
    projected = cell.project(sample.p, sample.x)
    torch.testing.assert_close(projected.mean(-1), torch.zeros(5, 3).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(projected.var(-1, correction=0), torch.ones(5, 3).double(), rtol=0, atol=1e-2)
    for name in ("weight_ih", "weight_hh"):  # scaling a product changes nothing, up to eps
        larger = sample._replace(p=sample.p | {name: sample.p[name] * 1000})
        eps = {"rtol": 0, "atol": 1e-3}
        torch.testing.assert_close(larger.run().output, sample.run().output, **eps)


def test_layer_norm_starts_as_if_it_were_not_learned():
    layer = ostinato.Recurrent("lstm_layer_norm", 3, 5)
    for gain in (layer.norm_ih_l0, layer.norm_hh_l0, layer.norm_c_l0):
        assert (gain == 1).all()
    assert not layer.shift_c_l0.any()


def test_peepholes_of_zero_make_it_an_lstm():
    peephole, lstm = ostinato.Recurrent("lstm_peephole", 3, 5), ostinato.LSTM(3, 5)
    peephole.load_state_dict({**peephole.state_dict(), **lstm.state_dict()})
    x = torch.randn(6, 2, 3)
    assert not torch.allclose(peephole(x)[0], lstm(x)[0])
    with torch.no_grad():
        for name in ("weight_ci_l0", "weight_cf_l0", "weight_co_l0"):
            peephole.get_parameter(name).zero_()
    torch.testing.assert_close(peephole(x)[0], lstm(x)[0])


def test_the_two_grus_are_two():
    """Equal where the reset gate is open, different where not."""
    after, before = ostinato.Recurrent("gru", 3, 5), ostinato.Recurrent("gru_reset_before", 3, 5)
    before.load_state_dict(after.state_dict())
    x, hx = torch.randn(6, 2, 3), (torch.randn(1, 2, 5),)
    assert not torch.allclose(after(x, hx)[0], before(x, hx)[0], atol=1e-3)
    with torch.no_grad():
        for layer in (after, before):
            layer.bias_ih_l0[:5] = 100.0
    torch.testing.assert_close(after(x, hx)[0], before(x, hx)[0])


@pytest.mark.parametrize("reverse", [False, True])
def test_no_steps(reverse):
    sample = Sample.draw(lookup("lstm")(3, 5), steps=0)
    ran = unroll(sample.cell, sample.p, sample.x, sample.state, reverse=reverse, keep_states=True)
    assert ran.output.shape == (0, 3, 5)
    assert [field.shape for field in ran.states] == [(0, 3, 5)] * 2
    assert all(torch.equal(one, other) for one, other in zip(ran.final, sample.state, strict=True))


def test_new_layers_of_linear_cells_start_as_their_papers_say():
    """By the variances and ranges that papers and their authors' code give."""
    D, H = 200, 300
    torch.manual_seed(5)
    lru, rg_lru = (dict(ostinato.Recurrent(name, D, H).named_parameters()) for name in ("lru", "rg_lru"))
    wide, square = (dict(ostinato.Recurrent("sru", features, H).named_parameters()) for features in (D, H))
    variances = [
        (lru["weight_ih_l0"][:H], 1 / (2 * D)),  # Re B
        (lru["weight_ih_l0"][H : 2 * H], 1 / (2 * D)),
        (lru["weight_ho_l0"][:H], 1 / H),  # Re C
        (lru["weight_ho_l0"][H:], 1 / H),
        (rg_lru["weight_ih_l0"], 1 / D),
        (wide["weight_ih_l0"][:H], 1 / D),
        (wide["weight_ih_l0"][H : 3 * H], 0.5 / D),
        (wide["weight_ih_l0"][3 * H :], 3 / D),
        (square["weight_ih_l0"][H:], 0.5 / H),
    ]
    for weights, expected in variances:
        assert weights.var().item() == pytest.approx(expected, rel=0.05)
    nu, _theta, log_gamma = lru["weight_ring_l0"].double()
    torch.testing.assert_close(log_gamma.exp() ** 2 + (-2 * nu.exp()).exp(), torch.ones(H).double(), rtol=0, atol=1e-5)
    kept = rg_lru["rate_l0"].double().sigmoid() ** 8
    assert 0.9 - 1e-6 < kept.min() < 0.91 < 0.99 < kept.max() < 0.999 + 1e-6
    for name in ("weight_f_l0", "weight_r_l0"):
        assert 1.4 < wide[name].abs().max() ** 2 < 1.5 + 1e-6
    assert not rg_lru["bias_ih_l0"].any()
    assert not wide["bias_ih_l0"].any()
