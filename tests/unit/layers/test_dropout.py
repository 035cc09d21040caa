"""Dropout between layers, and the two kinds of noise on the state as the layer draws them."""

import pytest
import torch

import ostinato
from ostinato.cells.noise import StateNoise


def identity_on_top(dropout: float) -> ostinato.Recurrent:
    """Two rectified layers; the second passes on what it gets."""
    layer = ostinato.Recurrent("rnn_relu", 4, 4, 2, dropout=dropout)
    with torch.no_grad():
        for name in ("weight_hh", "bias_ih", "bias_hh"):
            layer.get_parameter(f"{name}_l1").zero_()
        layer.weight_ih_l1.copy_(torch.eye(4))
        layer.weight_hh_l0.zero_()
        layer.bias_ih_l0.fill_(3.0)  # nothing is rectified away
    return layer


def test_dropout_between_layers_keeps_the_mean_and_is_off_at_evaluation():
    layer, x = identity_on_top(0.4), torch.rand(50, 100, 4)
    dropped = layer(x)[0]
    kept = layer.eval()(x)[0]
    layer.dropout = 0.0
    torch.testing.assert_close(kept, layer.train()(x)[0], rtol=0, atol=0)
    assert kept.min() > 0
    zero = dropped == 0
    torch.testing.assert_close(dropped[~zero], kept[~zero] / 0.6, rtol=1e-6, atol=0)
    assert abs(zero.float().mean() - 0.4) < 0.01
    assert abs(dropped.mean() / kept.mean() - 1) < 0.02
    assert (zero[0] != zero[1]).any(), "ordinary dropout draws anew at each step"


def test_the_last_layer_is_not_dropped():
    layer = ostinato.LSTM(3, 5, dropout=0.9)
    x = torch.randn(4, 2, 3)
    torch.testing.assert_close(layer(x)[0], layer.eval()(x)[0], rtol=0, atol=0)


def test_a_mask_is_drawn_for_each_sequence_and_keeps_the_mean():
    state = (torch.zeros(400, 50), torch.zeros(400, 60))
    noise = StateNoise.draw(state, 3, recurrent_dropout=0.3, zoneout=0.0, training=True)
    assert noise.zoneout is None
    mask = noise.recurrent_mask
    assert mask.shape == (400, 50)
    torch.testing.assert_close(mask.unique(), torch.tensor([0, 1 / 0.7]))
    assert abs(mask.mean() - 1) < 0.02
    assert len(mask.unique(dim=0)) == 400


def test_zoneout_is_drawn_anew_at_each_step_and_is_its_rate_at_evaluation():
    state = (torch.zeros(40, 50), torch.zeros(40, 60))
    draw = {"recurrent_dropout": 0.3, "zoneout": 0.2}
    training = StateNoise.draw(state, 7, **draw, training=True)
    for share, size in zip(training.zoneout, (50, 60), strict=True):
        assert share.shape == (7, 40, size)
        assert set(share.unique().tolist()) == {0.0, 1.0}
        assert abs(share.mean() - 0.2) < 0.01
        assert (share[0] != share[1]).any()
    before = torch.get_rng_state()
    evaluation = StateNoise.draw(state, 7, **draw, training=False)
    assert evaluation.recurrent_mask is None
    assert all((share == torch.tensor(0.2)).all() for share in evaluation.zoneout)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("cell", ["lstm", "gru", "jordan"])
def test_each_layer_and_direction_draws_its_own(cell):
    layer = ostinato.Recurrent(cell, 3, 8, 2, bidirectional=True, recurrent_dropout=0.5, zoneout=0.1)
    x = torch.randn(6, 2, 3)
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(layer(x)[0])
    assert torch.equal(outputs[0], outputs[1]), "a seed repeats the draw"
    assert not torch.equal(outputs[0], outputs[2])
    with torch.no_grad():  # the way back gets the weights of the way there: without noise, equal on a palindrome
        for name in layer.cell.parameters():
            layer.get_parameter(f"{name}_l0_reverse").copy_(layer.get_parameter(f"{name}_l0"))
    palindrome = torch.cat([x, x.flip(0)])
    there, back = layer(palindrome, all_states=True)[2][0][:2]
    assert not torch.allclose(there, back.flip(0))
    there, back = layer.eval()(palindrome, all_states=True)[2][0][:2]
    torch.testing.assert_close(there, back.flip(0))
