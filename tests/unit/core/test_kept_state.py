"""State carried from piece to piece: truncated backpropagation through time."""

import pytest
import torch
from torch import nn

import ostinato
from ostinato.core.kept_state import KeptState

X = torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_pieces_give_what_one_long_run_of_torchs_gives(kind):
    layer, theirs = (getattr(home, kind)(3, 5, 2).double() for home in (ostinato, nn))
    theirs.load_state_dict(layer.state_dict())
    kept, outputs = KeptState(), []
    for piece in X.split(4):
        output, state = layer(piece, kept.state)
        kept.keep(state)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs), theirs(X)[0])


def test_gradients_stop_at_the_border_of_a_piece():
    layer, theirs = ostinato.LSTM(3, 5).double(), nn.LSTM(3, 5).double()
    theirs.load_state_dict(layer.state_dict())
    kept = KeptState()
    kept.keep(layer(X[:4])[1])
    layer(X[4:], kept.state)[0].sum().backward()
    h, c = theirs(X[:4])[1]
    theirs(X[4:], (h.detach(), c.detach()))[0].sum().backward()
    for one, other in zip(layer.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_reset_forgets_all_or_some_sequences_and_leaves_what_was_kept_alone():
    state = (torch.ones(2, 3, 5), torch.ones(2, 3, 4))
    kept = KeptState(state)
    for rows in (torch.tensor([True, False, True]), torch.tensor([0, 2])):
        kept.keep(state)
        kept.reset(rows)
        for field in kept.state:
            assert not field[:, [0, 2]].any()
            assert (field[:, 1] == 1).all()
    assert all((field == 1).all() for field in state)
    kept.reset()
    assert kept.state is None
    kept.reset(torch.tensor([True, False, True]))


def test_saved_and_loaded_it_goes_on_where_it_was():
    layer = ostinato.LSTM(3, 5).double()
    kept, again = KeptState(layer(X[:4])[1]), KeptState()
    again.load_state_dict(dict(reversed(kept.state_dict().items())))
    torch.testing.assert_close(layer(X[4:], again.state)[0], layer(X)[0][4:], rtol=1e-12, atol=1e-12)
    assert KeptState().state_dict() == {}
    again.load_state_dict({})
    assert again.state is None


def test_a_bare_state_is_kept_too():
    layer = ostinato.GRU(3, 5).double()
    kept = KeptState(layer(X[:4])[1])
    torch.testing.assert_close(layer(X[4:], kept.state)[0], layer(X)[0][4:], rtol=1e-12, atol=1e-12)
