"""Resets of a layer: each document is what it is in a call of its own, in both directions and all layers."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import ostinato
from ostinato.core.errors import TensorError

T, N, D = 12, 4, 3


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


def drawn(steps=T, batch=N):
    return torch.rand(steps, batch) < 0.3


def starts(before, length):
    """Where documents begin, and where the last ends."""
    return [0, *(t for t in range(1, length) if before[t]), length]


def alone(layer, x, before, lengths=None, first=None):
    """Output and final state of each document read by itself, from zeros, put together; `first` is the state of those
    before any reset."""
    outputs = torch.zeros(T, N, layer.output_size, dtype=x.dtype)
    finals = []
    for n in range(N):
        edges = starts(before[:, n], T if lengths is None else int(lengths[n]))
        for begin, end in pairwise(edges):
            state = None
            if first is not None and begin == 0 and not before[0, n]:
                state = tuple(field[:, n : n + 1] for field in first)
            outputs[begin:end, n : n + 1], final = layer(x[begin:end, n : n + 1], state)
        finals.append(final)
    return outputs, [torch.cat(fields, 1) for fields in zip(*finals, strict=True)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lengths", [None, [12, 5, 1, 9]])
def test_two_layers_of_two_directions_keep_documents_apart(dtype, lengths):
    layer = ostinato.LSTM(D, 5, 2, bidirectional=True, dtype=dtype)
    x = torch.randn(T, N, D, dtype=dtype, requires_grad=True)
    before = drawn()
    lengths = None if lengths is None else torch.tensor(lengths)
    leaves = [x, *layer.parameters()]
    output, _ = layer(x, lengths=lengths, resets=before)
    expected, _ = alone(layer, x, before, lengths)
    torch.testing.assert_close(output, expected)
    upstream = torch.randn_like(output)
    for one, other in zip(
        torch.autograd.grad(output, leaves, upstream), torch.autograd.grad(expected, leaves, upstream), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_the_state_goes_on_from_hx_to_the_first_reset_and_is_the_last_document_s_after():
    layer = ostinato.LSTM(D, 5, 2)
    x, before = torch.randn(T, N, D), drawn()
    hx = torch.randn(2, N, 5), torch.randn(2, N, 5)
    output, state = layer(x, hx, resets=before)
    expected, final = alone(layer, x, before, first=hx)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(list(state), final)


def test_a_learned_start_is_learned_by_every_reset():
    layer = ostinato.Recurrent("gru", D, 5)
    learned = torch.randn(1, 1, 5, requires_grad=True)
    x, before, hx = torch.randn(T, N, D), drawn(), torch.randn(1, N, 5)
    before[3] = True
    output, _ = layer(x, hx, resets=before, reset_to=learned.expand(1, N, 5))
    upstream = torch.randn_like(output)
    (found,) = torch.autograd.grad(output, learned, upstream)
    expected = torch.zeros_like(learned)
    for n in range(N):
        edges = starts(before[:, n], T)
        for begin, end in pairwise(edges):
            anew = begin or before[0, n]
            start = learned if anew else hx[:, n : n + 1]
            one, _ = layer(x[begin:end, n : n + 1], start)
            torch.testing.assert_close(output[begin:end, n : n + 1], one)
            if anew:
                expected += torch.autograd.grad(one, learned, upstream[begin:end, n : n + 1])[0]
    torch.testing.assert_close(found, expected)


def test_initial_is_the_state_of_the_call():
    layer = ostinato.Recurrent("gru", D, 5)
    x, before, hx = torch.randn(T, N, D), drawn(), torch.randn(1, N, 5, requires_grad=True)
    one = layer(x, hx, resets=before, reset_to="initial")[0]
    other = layer(x, hx, resets=before, reset_to=hx)[0]
    assert torch.equal(one, other)
    (found,) = torch.autograd.grad(one.sum(), hx)
    (expected,) = torch.autograd.grad(other.sum(), hx)
    torch.testing.assert_close(found, expected)
    assert torch.equal(layer(x, resets=before, reset_to="initial")[0], layer(x, resets=before)[0])


def test_a_cell_whose_start_is_not_zero_goes_back_to_it():
    layer = ostinato.Recurrent("slstm", D, 4)
    x, before = torch.randn(T, N, D), drawn()
    output, _ = layer(x, resets=before, reset_to="zeros")
    torch.testing.assert_close(output, alone(layer, x, before)[0])


@pytest.mark.parametrize("reverse", [False, True])
def test_masked_steps_pass_borders_on(reverse):
    layer = ostinato.Recurrent("lstm", D, 5, reverse=reverse)
    x, before, mask = torch.randn(T, N, D), drawn(), torch.rand(T, N) < 0.6
    output, _ = layer(x, mask=mask, resets=before)
    for n in range(N):
        steps = torch.nonzero(mask[:, n]).flatten().tolist()
        if not steps:
            continue
        since = [0, *(t + 1 for t in steps)]
        borders = [bool(before[begin : t + 1, n].any()) for begin, t in zip(since, steps, strict=False)]
        short, _ = layer(x[steps, n : n + 1], resets=torch.tensor(borders).unsqueeze(1))
        torch.testing.assert_close(output[steps, n], short[:, 0])


def test_layouts():
    layer = ostinato.LSTM(D, 5)
    swapped = ostinato.LSTM(D, 5, batch_first=True)
    swapped.load_state_dict(layer.state_dict())
    x, before = torch.randn(T, N, D), drawn()
    expected = layer(x, resets=before)[0]
    torch.testing.assert_close(swapped(x.transpose(0, 1), resets=before.T)[0], expected.transpose(0, 1))
    torch.testing.assert_close(layer(x[:, 0], resets=before[:, 0])[0], expected[:, 0])
    lengths = torch.tensor([12, 7, 7, 2])
    packed, _ = layer(pack_padded_sequence(x, lengths), resets=before)
    padded, _ = nn.utils.rnn.pad_packed_sequence(packed)
    torch.testing.assert_close(padded, layer(x, lengths=lengths, resets=before)[0])


def test_every_state_and_recompute():
    layer = ostinato.Recurrent("lstm", D, 5, 2, bidirectional=True)
    long = ostinato.Recurrent("lstm", D, 5, 2, bidirectional=True, recompute=5)
    long.load_state_dict(layer.state_dict())
    x, before = torch.randn(T, N, D), drawn()
    every = [made(x, resets=before, all_states=True)[2] for made in (layer, long)]
    for one, other in zip(*every, strict=True):
        torch.testing.assert_close(one, other)
    for made in (layer, long):
        made(x, resets=before)[0].square().sum().backward()
    for one, other in zip(layer.parameters(), long.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-4)


def test_a_stream_that_is_reset_gives_what_the_layer_gives():
    layer = ostinato.GRU(D, 5, 2)
    x, before = torch.randn(T, N, D), drawn()
    stream = layer.stream(N)
    with torch.no_grad():
        expected = layer(x, resets=before)[0]
    for t in range(T):
        stream.reset(before[t])
        torch.testing.assert_close(stream.step(x[t]), expected[t])


def test_a_stream_is_reset_to_a_state():
    layer = ostinato.LSTM(D, 5, 2)
    state = torch.randn(2, N, 5), torch.randn(2, N, 5)
    stream = layer.stream(N)
    stream.reset([1, 3], to=state)
    for field, own in zip(state, stream.state, strict=True):
        assert torch.equal(own[:, [1, 3]], field[:, [1, 3]])
        assert not own[:, [0, 2]].any()


@pytest.mark.slow
def test_a_graph_of_torch_compile_has_them():
    layer = ostinato.LSTM(D, 5)
    x, before = torch.randn(T, N, D, requires_grad=True), drawn()
    compiled = torch.compile(lambda x, before: layer(x, resets=before)[0], fullgraph=True, backend="aot_eager")
    expected = layer(x, resets=before)[0]
    found = compiled(x, before)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(one.sum(), x)[0] for one in (found, expected)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"resets": torch.zeros(T, N)}, "resets of torch.bool"),
        ({"resets": torch.zeros(N, T, dtype=torch.bool)}, r"\[T, N\] = \(12, 4\)"),
        ({"reset_to": "zeros"}, "expected resets beside it"),
        ({"resets": torch.zeros(T, N, dtype=torch.bool), "reset_to": "zeroes"}, "did you mean 'zeros'"),
        ({"resets": torch.zeros(T, N, dtype=torch.bool), "reset_to": torch.zeros(1, 2, 5)}, "Expected hidden size"),
    ],
)
def test_what_does_not_fit_is_said(wrong, message):
    with pytest.raises(TensorError, match=message):
        ostinato.GRU(D, 5)(torch.randn(T, N, D), **wrong)
