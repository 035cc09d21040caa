"""States: of every step, in and out with gradients, batch first, of one field or two."""

import pytest
import torch
from torch import nn

import ostinato
from tests.unit.layers.test_drop_in import close

X = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(3))


def test_states_of_every_step_are_those_of_torchs_cell():
    layer = ostinato.LSTM(3, 5, 2, bidirectional=True)
    output, final, states = layer(X, all_states=True)
    below = X
    for i in range(2):
        outputs = []
        for s, suffix in enumerate(("", "_reverse")):
            cell, state = nn.LSTMCell(below.shape[-1], 5), None
            cell.load_state_dict({name: getattr(layer, f"{name}_l{i}{suffix}") for name in cell.state_dict()})
            order = reversed(range(5)) if s else range(5)
            stepped = {}
            for t in order:
                state = stepped[t] = cell(below[t], state)
            for field, of_all, last in zip(range(2), states, final, strict=True):
                expected = torch.stack([stepped[t][field] for t in range(5)])
                close([of_all[2 * i + s], last[2 * i + s]], [expected, state[field]], 1e-6)
            outputs.append(torch.stack([stepped[t][0] for t in range(5)]))
        below = torch.cat(outputs, dim=-1)
    close([output], [below], 1e-6)


def test_states_of_every_step_lie_by_layer_time_and_batch_whatever_the_layout():
    layer = ostinato.LSTM(3, 5, 2)
    expected = layer(X, all_states=True)[2]
    turned = ostinato.LSTM(3, 5, 2, batch_first=True, batch_first_state=True)
    turned.load_state_dict(layer.state_dict())
    close(turned(X.transpose(0, 1), all_states=True)[2], expected, 1e-6)
    close(turned(X[:, 1], all_states=True)[2], [field[:, :, 1:2] for field in expected], 1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_asking_for_states_changes_nothing_else(cell):
    layer = ostinato.Recurrent(cell, 3, 5, 2, bidirectional=True)
    for lengths in (None, torch.tensor([5, 0, 2])):
        output, final = layer(X, lengths=lengths)
        again, final_again, states = layer(X, lengths=lengths, all_states=True)
        close([again, *final_again], [output, *final], 1e-6)
        # a state is held past the end, and on the way back the first step is the last one taken
        close([field[0::2, -1] for field in states], [field[0::2] for field in final], 1e-6)
        close([field[1::2, 0] for field in states], [field[1::2] for field in final], 1e-6)


def test_gradients_pass_through_states_of_every_step():
    layer = ostinato.LSTM(3, 5)
    by_states = torch.autograd.grad(layer(X, all_states=True)[2].c[0, 2].sum(), layer.weight_hh_l0)
    by_prefix = torch.autograd.grad(layer(X[:3])[1][1].sum(), layer.weight_hh_l0)
    close(by_states, by_prefix, 1e-6)


@pytest.mark.parametrize("batch_first", [False, True])
def test_batch_first_state_is_a_transpose(batch_first):
    plain = ostinato.LSTM(3, 5, 2, bidirectional=True, batch_first=batch_first)
    moved = ostinato.LSTM(3, 5, 2, bidirectional=True, batch_first=batch_first, batch_first_state=True)
    moved.load_state_dict(plain.state_dict())
    x = X.transpose(0, 1) if batch_first else X
    hx = (torch.randn(4, 3, 5), torch.randn(4, 3, 5))
    output, final = plain(x, hx)
    again, moved_final = moved(x, tuple(field.transpose(0, 1) for field in hx))
    close([again, *moved_final], [output, *(field.transpose(0, 1) for field in final)], 0)
    close([moved(x, moved(x)[1])[0]], [plain(x, plain(x)[1])[0]], 0)


def test_one_field_is_bare_in_the_drop_in_and_a_tuple_elsewhere():
    gru, layer = ostinato.GRU(3, 5), ostinato.Recurrent("gru", 3, 5)
    layer.load_state_dict(gru.state_dict())
    (output, h), (again, state) = gru(X), layer(X)
    close([again, state.h], [output, h], 0)
    for hx in (h, (h,), state):
        close([gru(X, hx)[0], layer(X, hx)[0]], [gru(X, h)[0]] * 2, 0)


def test_initial_state_is_what_a_call_without_one_starts_from():
    layer = ostinato.Recurrent("jordan", 3, 5, 2, bidirectional=True, output_units=2)
    close([layer(X, layer.initial_state(3))[0]], [layer(X)[0]], 0)


def test_layers_are_told_apart_when_printed():
    shown = repr(ostinato.Recurrent("gru", 3, 5, 2, zoneout=0.1))
    assert shown == "Recurrent(gru, 3, 5, num_layers=2, zoneout=0.1)"
