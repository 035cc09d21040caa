"""Dropped recurrent weights and held masks against torch.nn with the same numbers put in by hand."""

import pytest
import torch
from torch import nn

import ostinato
from ostinato.core.errors import ConfigError
from ostinato.layers.dropout import mask

D, H, T, N = 5, 7, 6, 3


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


def masks(*likes, rate=0.5):
    """What the next calls of dropout on tensors of these shapes will draw; the random numbers are as before."""
    before = torch.get_rng_state()
    drawn = [mask(like, rate) for like in likes]
    torch.set_rng_state(before)
    return drawn


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["native", "reference"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_output_and_gradients_are_those_of_the_masked_weights(kind, dtype):
    ours = getattr(ostinato, kind)(D, H, 2, weight_drop=0.5).to(dtype)
    theirs = getattr(nn, kind)(D, H, 2).to(dtype)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x = torch.randn(T, N, D, dtype=dtype)
    weights = torch.randn(T, N, H, dtype=dtype)
    drawn = dict(zip(("weight_hh_l0", "weight_hh_l1"), masks(ours.weight_hh_l0, ours.weight_hh_l1), strict=True))
    assert all(0.3 < (drop == 0).float().mean() < 0.7 for drop in drawn.values())
    with torch.no_grad():
        for name, drop in drawn.items():
            theirs.get_parameter(name).mul_(drop)
    found, expected = ours(x)[0], theirs(x)[0]
    torch.testing.assert_close(found, expected)
    for output in (found, expected):
        (output * weights).sum().backward()
    for name, parameter in ours.named_parameters():
        passed = theirs.get_parameter(name).grad * drawn.get(name, 1)
        torch.testing.assert_close(parameter.grad, passed, msg=name)


def test_every_call_drops_others_and_evaluation_none():
    layer, x = ostinato.LSTM(D, H, weight_drop=0.5, bidirectional=True), torch.randn(T, N, D)
    layer(x)[0].sum().backward()
    forward, backward = (layer.get_parameter(f"weight_hh_l0{s}").grad == 0 for s in ("", "_reverse"))
    assert 0.3 < forward.float().mean() < 0.7
    assert (forward != backward).any()
    layer.zero_grad()
    layer(x)[0].sum().backward()
    assert (forward != (layer.weight_hh_l0.grad == 0)).any()
    plain = nn.LSTM(D, H, bidirectional=True)
    plain.load_state_dict(layer.eval().state_dict())
    torch.testing.assert_close(layer(x)[0], plain(x)[0])


def test_recomputed_in_backward_with_the_same_mask():
    x, grads = torch.randn(T, N, D), []
    whole, pieces = (ostinato.LSTM(D, H, weight_drop=0.5, recompute=every) for every in (None, 2))
    pieces.load_state_dict(whole.state_dict())
    for layer in (whole, pieces):
        torch.manual_seed(3)
        layer(x)[0].square().sum().backward()
        grads.append(layer.weight_hh_l0.grad)
    torch.testing.assert_close(*grads)


def test_the_mask_between_layers_is_held_over_time():
    layer = ostinato.LSTM(D, H, 2, dropout=0.5, locked_dropout=True)
    below, above = nn.LSTM(D, H), nn.LSTM(H, H)
    own = layer.state_dict()
    below.load_state_dict({name: own[name] for name in below.state_dict()})
    above.load_state_dict({name: own[name.replace("l0", "l1")] for name in above.state_dict()})
    x = torch.randn(T, N, D)
    (held,) = masks(x.new_ones(N, H))
    assert len(held.unique(dim=0)) == N, "each sequence has a mask of its own"
    torch.testing.assert_close(layer(x)[0], above(below(x)[0] * held)[0])
    torch.testing.assert_close(layer.eval()(x)[0], above(below(x)[0])[0])


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.1])
def test_impossible_rates(rate):
    with pytest.raises(ConfigError, match="weight_drop"):
        ostinato.LSTM(D, H, weight_drop=rate)
