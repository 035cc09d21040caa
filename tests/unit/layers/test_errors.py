"""What a mistake is told: what was expected, and what came."""

from contextlib import contextmanager

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import ostinato

X = torch.zeros(4, 2, 3)


@contextmanager
def mismatch(says):
    """A ValueError and a RuntimeError in one: torch.nn raises now the one, now the other."""
    with pytest.raises(ValueError, match=says) as caught:
        yield
    assert isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"cell": "lstn"}, "unknown cell 'lstn': did you mean 'lstm'"),
        (
            {"peepholes": True},
            "cell 'lstm' has no option 'peepholes'; it has activation, clip, forget_bias, proj_size, recur",
        ),
        ({"cell": "rnn_relu", "forget_bias": 1.0}, "cell 'rnn_relu' has no option 'forget_bias'; it has none"),
        ({"input_size": 0}, "input_size must be greater than zero, a whole number of at least 1, got 0"),
        (
            {"hidden_size": 2.5},
            r"hidden_size should be of type int, got: float; expected a whole number of at least 1, got 2\.5",
        ),
        ({"num_layers": 0}, "num_layers must be greater than zero, a whole number of at least 1, got 0"),
        ({"bias": 1}, "bias should be of type bool, got: int, 1"),
        ({"batch_first": "yes"}, "batch_first should be of type bool, got: str, 'yes'"),
        ({"hidden_size": True}, "hidden_size should be of type int, got: bool"),
        (
            {"proj_size": 5},
            "proj_size has to be smaller than hidden_size: it must be at least 0 and below hidden_size 5, got 5",
        ),
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
        (
            torch.zeros(4, 2, 4),
            r"input\.size\(-1\) must be equal to input_size\. Expected 3 features in the last dimension, got 4",
        ),
        (torch.zeros(3), r"Expected input to be 2D or 3D, got 1D instead, \(3,\)"),
        (X.double(), r"RNN input dtype \(torch.float64\) does not match weight dtype \(torch.float32\)"),
        (X.long(), r"RNN input dtype \(torch.int64\) .* Convert input: input\.to\(torch.float32\)"),
        (X.to("meta"), "not at the same device: found the input at meta, the layer's parameters at cpu"),
    ],
)
def test_an_input_that_does_not_fit(x, says):
    with mismatch(says):
        ostinato.LSTM(3, 5)(x)


@pytest.mark.parametrize(
    ("hx", "says"),
    [
        (torch.zeros(1, 2, 5), r"expected a state of 2 tensors \(h, c\), got 1"),
        (
            (torch.zeros(2, 5), torch.zeros(2, 5)),
            r"hx should also be 3-D, .* but got 2-D: the initial state's h has the shape \(2, 5\)",
        ),
        (
            (torch.zeros(1, 2, 5), torch.zeros(1, 3, 5)),
            r"Expected hidden size \(1, 2, 5\) \(layers, N, size\) of the initial state's c, got \(1, 3, 5\)",
        ),
        (
            (torch.zeros(2, 2, 5), torch.zeros(1, 2, 5)),
            r"Expected hidden size \(1, 2, 5\) .* state's h, got \(2, 2, 5\)",
        ),
        ((torch.zeros(1, 2, 5).double(), torch.zeros(1, 2, 5)), "state's h of dtype torch.float32, got torch.float64"),
    ],
)
def test_a_state_that_does_not_fit(hx, says):
    with mismatch(says):
        ostinato.LSTM(3, 5)(X, hx)


def test_a_state_of_one_sequence_has_no_batch_dimension():
    with mismatch(r"hx should also be 2-D, .* but got 3-D: .* state's h has the shape \(1, 1, 5\)"):
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
    with mismatch(says):
        ostinato.GRU(3, 5)(X, lengths=lengths)


def test_lengths_of_one_sequence_and_beside_a_packed_one():
    with mismatch("one length for each of the 1 sequences"):
        ostinato.GRU(3, 5)(X[:, 0], lengths=torch.tensor([4, 1]))
    with mismatch("holds its lengths: expected lengths=None"):
        ostinato.GRU(3, 5)(pack_sequence([X[:, 0]]), lengths=torch.tensor([4]))


@pytest.mark.parametrize(
    ("x", "hx", "says"),
    [
        (torch.zeros(2, 4), None, r"input has inconsistent input_size: got 4 expected 3, in \[N, 3\] or \[3\]"),
        (X, None, r"Expected input to be 1D or 2D, got 3D instead, of \(4, 2, 3\)"),
        (X[0].double(), None, r"RNN input dtype \(torch.float64\) does not match weight dtype \(torch.float32\)"),
        (X[0], torch.zeros(2, 5), r"expected a state of 2 tensors \(h, c\), got 1"),
        (X[0], (torch.zeros(1, 5), torch.zeros(1, 5)), r"Input batch size 2 doesn't match hidden0 batch size 1"),
        (
            X[0],
            (torch.zeros(2, 5), torch.zeros(2, 6)),
            r"hidden1 has inconsistent hidden_size: got 6, expected 5 \(the initial state's c\)",
        ),
        (X[0], (torch.zeros(2, 5), X), r"Expected hx\[1\] to be 1D or 2D, got 3D instead, of \(4, 2, 3\)"),
        (X[0, 0], (torch.zeros(1, 5), torch.zeros(1, 5)), r"hx should also be 1-D, .* got 2-D: .* shape \(1, 5\)"),
    ],
)
def test_a_single_step_that_does_not_fit(x, hx, says):
    with mismatch(says):
        ostinato.LSTMCell(3, 5)(x, hx)


def test_options_of_another_type_are_type_errors_as_torchs_are():
    for arguments in ({"bias": 1}, {"batch_first": 0}, {"hidden_size": 5.0}, {"input_size": "3"}):
        for home in (ostinato, torch.nn):
            with pytest.raises(TypeError):
                home.GRU(**{"input_size": 3, "hidden_size": 5, **arguments})


@pytest.mark.parametrize("home", [ostinato, torch.nn])
def test_what_the_drop_ins_say_as_torch_does(home):
    with pytest.raises(ValueError, match="Unknown nonlinearity"):
        home.RNN(3, 5, nonlinearity="gelu")
    for kind in ("RNN", "GRU"):
        with pytest.raises(ValueError, match="proj_size argument is only supported for LSTM, not RNN or GRU"):
            getattr(home, kind)(3, 5, proj_size=2)
    with pytest.warns(UserWarning, match="num_layers=1"):
        home.LSTM(3, 5, dropout=0.5)
