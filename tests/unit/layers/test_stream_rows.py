"""Sequences side by side that come and go: each has the numbers that it has alone, to the last bit."""

import pytest
import torch

import ostinato
from ostinato.config.cells import CELL_NAMES
from ostinato.core.errors import ConfigError, TensorError

#: Cells of the package's own kernels, and some that are compiled.
INDEPENDENT = ("lstm", "gru", "rnn", "rnn_relu", "lstm_peephole", "lstm_layer_norm", "gru_reset_before")


def layer_of(cell, size=40, layers=2):
    torch.manual_seed(3)
    layer = ostinato.Recurrent(cell, 24, size, layers).eval()
    for parameter in layer.parameters():
        parameter.data *= 3
    return layer


def alone(layer, x, state=None):
    """Outputs and last state of one sequence, step by step."""
    stream = layer.stream(1)
    if state is not None:
        stream.put(0, state)
    outputs = [stream.step(step.unsqueeze(0)) for step in x]
    return torch.cat(outputs), stream.get(0)


def fields(state):
    return state if isinstance(state, tuple) else (state,)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("cell", INDEPENDENT)
def test_rows_have_the_bits_that_they_have_alone(cell):
    layer, steps = layer_of(cell), 6
    stream = layer.stream(33)
    assert stream.independent
    x = torch.randn(steps, 33, 24)
    expected = [alone(layer, x[:, row]) for row in range(33)]
    for rows in (33, 7, 2, 1):
        stream.reset()
        stream.rows = rows
        outputs = torch.stack([stream.step(step[:rows]) for step in x])
        for row in range(rows):
            assert torch.equal(outputs[:, row], expected[row][0])
            assert same(stream.get(row), expected[row][1])


@pytest.mark.parametrize("cell", INDEPENDENT)
def test_a_text_in_parts_has_the_bits_of_the_whole(cell):
    layer = layer_of(cell, 70)
    x = torch.randn(75, 1, 24)
    with torch.inference_mode():
        _, whole = layer(x)
        state = None
        for part in x.split(32):
            _, state = layer(part, state)
    assert same(fields(whole), fields(state))
    assert same(fields(whole), alone(layer, x[:, 0])[1])


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_what_says_that_it_is_independent_is(cell):
    layer = layer_of(cell)
    stream = layer.stream(19)
    if not stream.independent:
        return
    x = torch.randn(40, 19, 24)
    for step in x:
        stream.step(step)
    for row in (0, 7, 18):
        _, state = alone(layer, x[:, row])
        assert same(stream.get(row), state)
        with torch.inference_mode():
            _, whole = layer(x[:, row : row + 1])
        assert same(whole if isinstance(whole, tuple) else (whole,), state)


def test_rows_come_and_go():
    layer = layer_of("lstm")
    stream, x = layer.stream(3), torch.randn(3, 8, 24)
    stream.rows = 2
    for t in range(4):
        stream.step(x[:2, t])
    stream.put(0, stream.get(1))  # the first has left
    stream.rows = 1
    for t in range(4, 6):
        stream.step(x[1:2, t])
    stream.rows = 2  # another comes, from a state of its own
    _, state = alone(layer, x[2, :3])
    stream.put(1, state)
    stream.step(torch.stack([x[1, 6], x[2, 3]]))
    assert same(stream.get(0), alone(layer, x[1, :7])[1])
    assert same(stream.get(1), alone(layer, x[2, :4])[1])
    both = stream.get(0, 2)
    stream.put(1, both, 2)
    assert same(stream.get(1, 2), both)
    with pytest.raises(TensorError):
        stream.put(0, both)


def test_the_reference_takes_some_rows_too():
    layer = layer_of("lstm").double()
    stream = layer.stream(4)
    assert not stream.independent
    x = torch.randn(5, 4, 24, dtype=torch.float64)
    stream.rows = 3
    before = stream.get(3)
    outputs = torch.stack([stream.step(step[:3]) for step in x])
    torch.testing.assert_close(outputs, layer(x[:, :3])[0])
    assert same(stream.get(3), before)


def test_more_rows_than_there_are():
    stream = layer_of("gru").stream(2)
    with pytest.raises(ConfigError, match="0 to 2, got 3"):
        stream.rows = 3
