"""Other activations and clipped sums: the functions, and what is said where no kernel has them."""

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import ostinato
from ostinato.cells.activations import ACTIVATIONS
from ostinato.kernels import Request, find

#: From their definitions.
BY_HAND = {
    "linear": lambda x: x,
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: min(max(x, 0), 6),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (math.exp(x) - 1)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + math.exp(-x)),
    "mish": lambda x: x * math.tanh(math.log(1 + math.exp(x))),
    "softplus": lambda x: math.log(1 + math.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "hard_tanh": lambda x: min(max(x, -1), 1),
    "hard_sigmoid": lambda x: min(max(x / 6 + 0.5, 0), 1),
    "hard_sigmoid_0.2": lambda x: min(max(0.2 * x + 0.5, 0), 1),
    "exponential": math.exp,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_functions_are_their_definitions_and_have_two_derivatives(name):
    x = torch.tensor([-7.3, -2.1, -0.4, 0.3, 1.7, 6.2], dtype=torch.float64, requires_grad=True)
    expected = torch.tensor([BY_HAND[name](value) for value in x.tolist()], dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS[name](x).detach(), expected)
    assert gradcheck(ACTIVATIONS[name], (x,))
    assert gradgradcheck(ACTIVATIONS[name], (x,))


@pytest.mark.slow
def test_a_function_of_ones_own_and_the_cell_that_has_it_already():
    x = torch.randn(5, 2, 3)
    named, own, there = (
        ostinato.GRU(3, 4, activation="softsign"),
        ostinato.GRU(3, 4, activation=torch.nn.Softsign()),
        ostinato.RNN(3, 4, nonlinearity="relu"),
    )
    own.load_state_dict(named.state_dict())
    torch.testing.assert_close(own(x), named(x))
    other = ostinato.Recurrent("rnn", 3, 4, activation="relu")
    other.load_state_dict(there.state_dict())
    torch.testing.assert_close(other(x)[0], there(x)[0])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"activation": "relu"}, "native: no other activation; torch: no other activation"),
        ({"recurrent_activation": "hard_sigmoid"}, "native: no other recurrent_activation; torch: no other rec"),
        ({"clip": 3.0}, "native: no clipped sums; torch: no clipped sums"),
    ],
)
@pytest.mark.slow
def test_no_kernel_of_the_packages_own_runs_them_and_that_is_said(options, reason):
    choice = find(ostinato.LSTM(3, 4, **options).cell, Request(torch.float32, "cpu", 5))
    assert choice.name in ("compiled", "reference")
    assert choice.refused.startswith(reason)
    assert ostinato.LSTM(3, 4, **options).stream(2).reason in reason


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"activation": "tahn"}, "lstm: activation 'tahn': did you mean 'tanh'"),
        ({"recurrent_activation": "hard-sigmoid"}, "recurrent_activation 'hard-sigmoid': did you mean 'hard_sigmoid'"),
        ({"clip": 0.0}, "clip must be above 0, or None for no bound, got 0.0"),
        ({"clip": float("nan")}, "clip must be above 0"),
    ],
)
def test_options_that_cannot_be(options, says):
    with pytest.raises(ostinato.OstinatoError, match=says):
        ostinato.LSTM(3, 4, **options)
    with pytest.raises(ostinato.OstinatoError, match=says):
        ostinato.LSTMCell(3, 4, **options)
