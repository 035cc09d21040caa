"""Layers of one model in another: what they compute there, against the model that they come from."""

import pytest
import torch

from ostinato.core.errors import ConfigError
from ostinato.layers.recurrent import Recurrent
from ostinato.models.many_to_one import ManyToOne
from ostinato.models.transfer import give_layers, give_rows, levels_of


def stack(cell="lstm", width=3, layers=2, hidden=4, **options):
    torch.manual_seed(width + layers)
    return Recurrent(cell, width, hidden, layers, **options)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "gru_reset_before"])
def test_the_forward_direction_computes_what_the_lent_stack_does(cell):
    lent, own = stack(cell), stack(cell, width=5, bidirectional=True)
    give_layers(own, lent)
    x = torch.randn(6, 2, 5)
    torch.testing.assert_close(own(x)[0][..., :4], lent(x[..., :3])[0], rtol=1e-6, atol=1e-6)
    alone = stack(cell)
    with torch.no_grad():
        alone.weight_hh_l1.zero_()
    give_layers(alone, lent)
    torch.testing.assert_close(alone(x[..., :3])[0], lent(x[..., :3])[0], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"layers": 1}, "its weight_ih_l1 is not among this model's weights"),
        ({"layers": 3}, "this model's weight_ih_l2 is not among its weights"),
        ({"cell": "gru"}, r"2 x 4 units of lstm\) do not fit into 2 x 4 units of gru: weight_ih_l0 is of \(16, 3\)"),
        ({"hidden": 5}, r"weight_ih_l0 is of \(16, 3\), expected \(20, 3\)"),
        ({"width": 2}, r"weight_ih_l0 is of \(16, 3\), expected \(16, 2\)"),
        ({"bias": False}, "its bias_ih_l0 is not among"),
    ],
)
def test_layers_that_do_not_fit(options, why):
    with pytest.raises(ConfigError, match=why):
        give_layers(stack(**options), stack())


def test_rows_of_an_embedding():
    own, lent = torch.zeros(4, 2), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    give_rows(own, lent, [3, 1])
    assert own.tolist() == [[0, 0], [3, 4], [0, 0], [1, 2]]
    with pytest.raises(ConfigError, match=r"its embedding is of \(2, 2\), expected \(4, 2\)"):
        give_rows(own, lent)


def test_levels_from_the_output_down():
    model = ManyToOne(3, vocab_size=7, embed_size=2, hidden_size=4, num_layers=2, pooling="attention")
    named = {id(p): name for name, p in model.named_parameters()}
    levels = [{named[id(p)] for p in level} for level in levels_of(model)]
    assert levels[0] == {"attention.0.weight", "attention.0.bias", "attention.2.weight", "output.weight", "output.bias"}
    assert {name.split("_l")[1][0] for name in levels[1]} == {"1"}
    assert {name.split("_l")[1][0] for name in levels[2]} == {"0"}
    assert levels[3:] == [{"input.weight"}]
    assert sum(map(len, levels)) == len(named)
