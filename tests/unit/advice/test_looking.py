"""A look at a model: what it finds in layers that were made to show it, and that it leaves all as it was."""

import math

import pytest
import torch
from torch import nn

import ostinato
from ostinato.advice.looking import dead, look, saturated, vanishing
from ostinato.config.cells import CELL_NAMES
from ostinato.core.batch import Batch

T, N, D, H = 30, 5, 3, 8


class Answering(nn.Module):
    """A layer, and an answer to its last step, or to all."""

    def __init__(self, layer, *, last=True):
        super().__init__()
        self.recurrent, self.last, self.output = layer, last, nn.Linear(layer.output_size, 2)

    def forward(self, inputs, lengths=None):
        hidden, _ = self.recurrent(inputs, lengths=lengths)
        if not self.last:
            return self.output(hidden.mean(0))
        at = torch.full((inputs.shape[1],), len(inputs)) if lengths is None else lengths
        return self.output(hidden[at - 1, torch.arange(inputs.shape[1])])


def loss(output, batch):
    return nn.functional.cross_entropy(output, batch.targets)


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return Batch(torch.randn(T, N, D), torch.arange(N) % 2, torch.tensor([T, T, 20, 15, 12]), counted=N)


def seen(cell, batch, *, change=None, last=True, **options):
    """A look at a layer of such cells, whose weights `change` has changed."""
    torch.manual_seed(1)
    model = Answering(ostinato.Recurrent(cell, D, H, **options), last=last)
    if change is not None:
        with torch.no_grad():
            change(model.recurrent)
    return look(model, batch, loss, step=7)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_every_cell_is_looked_at_and_left_as_it_was(cell, batch, monkeypatch):
    monkeypatch.setenv("OSTINATO_COMPILE", "0")
    torch.manual_seed(1)
    model = Answering(ostinato.Recurrent(cell, D, H, num_layers=2, dropout=0.5))
    model.output.eval()
    before = {name: field.clone() for name, field in model.state_dict().items()}
    state = torch.get_rng_state()
    found = look(model, batch, loss)
    assert [layer.place.layer for layer in found.layers] == [0, 1]
    assert all(0 <= (layer.saturated or 0) < 0.9 and layer.still < layer.units / 2 for layer in found.layers)
    assert found.steps == T
    assert found.reach is not None
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(field, before[name]) for name, field in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert (model.training, model.recurrent.training, model.output.training) == (True, True, False)
    assert model.recurrent.runner is None


def test_units_that_never_move(batch):
    silent = seen("rnn_relu", batch, change=lambda layer: layer.bias_ih_l0[:6].fill_(-100))
    assert dead(silent).said == "at step 7, 6 of 8 units of layer 1 (rnn_relu) are always 0"
    stuck = seen("rnn", batch, change=lambda layer: layer.bias_ih_l0[:4].fill_(100))
    assert "4 of 8 units of layer 1 (rnn) are never moving" in dead(stuck).said
    assert dead(seen("rnn_relu", batch, change=lambda layer: layer.bias_ih_l0[:3].fill_(-100))) is None


def test_gates_at_an_end(batch):
    found = seen("lstm", batch, change=lambda layer: layer.weight_ih_l0.mul_(1000), bidirectional=True)
    assert "gates of layer 1 (lstm) are open or shut" in saturated(found).said
    open_wide = seen("lstm", batch, change=lambda layer: layer.bias_ih_l0[H : 2 * H].fill_(100))
    assert saturated(open_wide) is None  # how it remembers
    assert seen("rnn_relu", batch).layers[0].saturated is None


def test_how_far_gradients_reach(batch):
    def weak(layer):
        layer.weight_hh_l0.mul_(0.3)

    gone = seen("rnn", batch, change=weak)
    assert gone.reach < 1e-6
    assert f"by the last of {T} states" in vanishing(gone).said
    assert vanishing(seen("rnn", batch, change=weak, last=False)) is None  # every step is part of the answer
    kept = seen("rnn_relu", batch, change=lambda layer: layer.weight_hh_l0.copy_(torch.eye(H)))
    assert kept.reach > 0.05
    assert vanishing(kept) is None


def test_the_share_that_arrives_is_the_product_of_the_steps(batch):
    def halves(layer):
        layer.weight_hh_l0.copy_(0.5 * torch.eye(H))
        layer.bias_ih_l0.fill_(50)  # all units of a rectifier are open

    whole = Batch(batch.inputs, batch.targets, torch.full((N,), T), counted=N)
    assert seen("rnn_relu", whole, change=halves).reach == pytest.approx(0.5**T, rel=1e-3)
    both = seen("rnn_relu", whole, change=halves, bidirectional=True)
    assert math.isfinite(both.reach)


def test_without_recurrent_layers_nothing_is_found(batch):
    model = nn.Linear(D, 2)
    found = look(model, Batch(torch.randn(4, D), torch.zeros(4, dtype=torch.long)), loss)
    assert (found.layers, dead(found), saturated(found), vanishing(found)) == ([], None, None, None)
