"""What a mistake is told: what was expected, and what came."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import ostinato

X = torch.zeros(4, 2, 3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"cell": "lstn"}, "unknown cell 'lstn': did you mean 'lstm'"),
        ({"peepholes": True}, "cell 'lstm' has no option 'peepholes'; it has forget_bias, proj_size"),
        ({"cell": "gru", "forget_bias": 1.0}, "cell 'gru' has no option 'forget_bias'; it has none"),
        ({"input_size": 0}, "input_size must be a whole number of at least 1, got 0"),
        ({"hidden_size": 2.5}, r"hidden_size must be a whole number of at least 1, got 2\.5"),
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"proj_size": 5}, "proj_size must be at least 0 and below hidden_size 5, got 5"),
        ({"forget_bias": 1.0, "bias": False}, "forget_bias 1.0 needs bias=True"),
        ({"dropout": 1.5}, "dropout is a probability: expected 0 to 1, got 1.5"),
        ({"dropout": float("nan")}, "dropout is a probability"),
        ({"zoneout": -0.1}, "zoneout is a probability: expected 0 to 1, got -0.1"),
        ({"recurrent_dropout": 2}, "recurrent_dropout is a probability"),
        ({"recurrent_dropout": 1.0}, "would feed nothing back"),
    ],
)
def test_a_layer_that_cannot_be_made(arguments, says):
    arguments = {"cell": "lstm", "input_size": 3, "hidden_size": 5, **arguments}
    with pytest.raises(ostinato.OstinatoError, match=says):
        ostinato.Recurrent(**arguments)


def test_a_nonlinearity_that_is_not_there():
    for kind in (ostinato.RNN, ostinato.RNNCell):
        with pytest.raises(ostinato.OstinatoError, match="expected 'tanh' or 'relu', got 'gelu'"):
            kind(3, 5, nonlinearity="gelu")


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (torch.zeros(4, 2, 4), "expected 3 features in the input's last dimension, got 4"),
        (torch.zeros(3), r"expected input of 3 dimensions \(2 for one sequence\), got \(3,\)"),
        (X.double(), "expected input of the layer's dtype torch.float32, got torch.float64"),
        (X.long(), "expected input of the layer's dtype torch.float32, got torch.int64"),
        (X.to("meta"), "expected input on the layer's device cpu, got meta"),
    ],
)
def test_an_input_that_does_not_fit(x, says):
    with pytest.raises(ValueError, match=says):
        ostinato.LSTM(3, 5)(x)


@pytest.mark.parametrize(
    ("hx", "says"),
    [
        (torch.zeros(1, 2, 5), r"expected a state of 2 tensors \(h, c\), got 1"),
        ((torch.zeros(2, 5), torch.zeros(2, 5)), r"state's h of 3 dimensions, got \(2, 5\)"),
        (
            (torch.zeros(1, 2, 5), torch.zeros(1, 3, 5)),
            r"state's c as \(layers, N, size\) \(1, 2, 5\), got \(1, 3, 5\)",
        ),
        ((torch.zeros(2, 2, 5), torch.zeros(1, 2, 5)), r"state's h as .* \(1, 2, 5\), got \(2, 2, 5\)"),
        ((torch.zeros(1, 2, 5).double(), torch.zeros(1, 2, 5)), "state's h of dtype torch.float32, got torch.float64"),
    ],
)
def test_a_state_that_does_not_fit(hx, says):
    with pytest.raises(ValueError, match=says):
        ostinato.LSTM(3, 5)(X, hx)


def test_a_state_of_one_sequence_has_no_batch_dimension():
    with pytest.raises(ValueError, match=r"state's h of 2 dimensions, got \(1, 1, 5\)"):
        ostinato.LSTM(3, 5)(X[:, 0], (torch.zeros(1, 1, 5), torch.zeros(1, 1, 5)))


@pytest.mark.parametrize(
    ("lengths", "says"),
    [
        (torch.tensor([4, -1]), r"expected lengths from 0 to 4 \(the padded steps\), got \[4, -1\]"),
        (torch.tensor([5, 1]), r"expected lengths from 0 to 4 \(the padded steps\), got \[5, 1\]"),
        (torch.tensor([4.0, 1.0]), "expected lengths of an integer dtype, got torch.float32"),
        (torch.tensor([True, False]), "expected lengths of an integer dtype, got torch.bool"),
        (torch.tensor([4]), r"expected one length for each of the 2 sequences, got shape \(1,\)"),
        (torch.tensor([[4, 1]]), r"expected one length for each of the 2 sequences, got shape \(1, 2\)"),
    ],
)
def test_lengths_that_do_not_fit(lengths, says):
    with pytest.raises(ValueError, match=says):
        ostinato.GRU(3, 5)(X, lengths=lengths)


def test_lengths_of_one_sequence_and_beside_a_packed_one():
    with pytest.raises(ValueError, match="one length for each of the 1 sequences"):
        ostinato.GRU(3, 5)(X[:, 0], lengths=torch.tensor([4, 1]))
    with pytest.raises(ValueError, match="holds its lengths: expected lengths=None"):
        ostinato.GRU(3, 5)(pack_sequence([X[:, 0]]), lengths=torch.tensor([4]))


@pytest.mark.parametrize(
    ("x", "hx", "says"),
    [
        (torch.zeros(2, 4), None, r"expected input \[N, 3\] or \[3\], got \(2, 4\)"),
        (X[0].double(), None, "expected input of the layer's dtype torch.float32, got torch.float64"),
        (X[0], torch.zeros(2, 5), r"expected a state of 2 tensors \(h, c\), got 1"),
        (X[0], (torch.zeros(1, 5), torch.zeros(1, 5)), r"state's h as \(N, size\) \(2, 5\), got \(1, 5\)"),
        (X[0, 0], (torch.zeros(1, 5), torch.zeros(1, 5)), r"state's h of 1 dimensions, got \(1, 5\)"),
    ],
)
def test_a_single_step_that_does_not_fit(x, hx, says):
    with pytest.raises(ValueError, match=says):
        ostinato.LSTMCell(3, 5)(x, hx)
