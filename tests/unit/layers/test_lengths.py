"""Sequences of unequal length: `lengths` and PackedSequence against PackedSequence through torch.nn."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import ostinato
from tests.unit.layers.test_drop_in import close, initial, pair, tensors

LENGTHS = {"sorted": [5, 3, 3, 1], "unsorted": [3, 1, 5, 3], "none full": [2, 1, 2, 1], "all full": [5, 5, 5, 5]}
CASES = [
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"proj_size": 2, "bidirectional": True, "batch_first": True}),
    ("GRU", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
]


def gradients(results, leaves):
    torch.manual_seed(1)
    weights = [torch.randn(result.shape, dtype=result.dtype) for result in results]
    return torch.autograd.grad(sum((r * w).sum() for r, w in zip(results, weights, strict=True)), leaves)


@pytest.mark.parametrize("with_state", [False, True], ids=["zeros", "state"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(("kind", "arguments"), CASES)
def test_packed_and_lengths_are_torchs_packed(kind, arguments, lengths, with_state):
    ours, theirs = pair(kind, arguments, torch.float64)
    first = ours.batch_first
    x = torch.randn(4, 5, 3, dtype=torch.float64) if first else torch.randn(5, 4, 3, dtype=torch.float64)
    hx = initial(theirs, 4, dtype=torch.float64) if with_state else None
    lengths_tensor, ordered = torch.tensor(lengths), lengths == sorted(lengths, reverse=True)

    def run(layer, packed):
        leaf = x.clone().requires_grad_()
        fields = [] if hx is None else [hx] if isinstance(hx, torch.Tensor) else list(hx)
        states = [field.clone().requires_grad_() for field in fields]
        state = None if hx is None else states[0] if isinstance(hx, torch.Tensor) else tuple(states)
        sequence = None
        if packed:
            given = pack_padded_sequence(leaf, lengths_tensor, batch_first=first, enforce_sorted=ordered)
            sequence, final = layer(given, state)
            output, _ = pad_packed_sequence(sequence, batch_first=first, total_length=5)
        else:
            output, final = layer(leaf, state, lengths=lengths_tensor)
        results = tensors((output, final))
        return sequence, results, gradients(results, [leaf, *states, *layer.parameters()])

    expected, results, grads = run(theirs, packed=True)
    for packed in (True, False):
        sequence, found, found_grads = run(ours, packed)
        close(found, results, 1e-12)
        close(found_grads, grads, 1e-11)
        if packed:
            assert isinstance(sequence, PackedSequence)
            for field in ("batch_sizes", "sorted_indices", "unsorted_indices"):
                one, other = getattr(sequence, field), getattr(expected, field)
                assert one is other is None or torch.equal(one, other), field
            close([sequence.data], [expected.data], 1e-12)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_an_empty_sequence_keeps_its_state_and_leaves_the_others_alone(kind):
    ours, theirs = pair(kind, {"num_layers": 2, "bidirectional": True})
    x, hx = torch.randn(5, 4, 3), initial(theirs, 4, dtype=torch.float32)
    state = (hx,) if isinstance(hx, torch.Tensor) else hx
    output, *final = tensors(ours(x, hx, lengths=torch.tensor([0, 5, 0, 2])))
    assert not output[:, [0, 2]].any()
    close([field[:, [0, 2]] for field in final], [field[:, [0, 2]] for field in state], 0)
    rest = tuple(field[:, [1, 3]].contiguous() for field in state)
    packed, last = theirs(pack_padded_sequence(x[:, [1, 3]], [5, 2]), rest if kind == "LSTM" else rest[0])
    last = [last] if kind != "LSTM" else list(last)
    close([output[:, [1, 3]], *(f[:, [1, 3]] for f in final)], [pad_packed_sequence(packed)[0], *last], 1e-6)


def test_only_empty_sequences_and_padding_that_is_not_a_number():
    layer = ostinato.LSTM(3, 5, 2)
    x = torch.full((4, 2, 3), torch.nan, requires_grad=True)
    output, (h, c) = layer(x, lengths=torch.tensor([0, 0]))
    assert not any(tensor.any() for tensor in (output, h, c))
    grads = torch.autograd.grad(output.sum() + h.sum() + c.sum(), [x, *layer.parameters()])
    assert not any(grad.any() for grad in grads)


def test_one_sequence_takes_its_length_as_a_number():
    ours, theirs = pair("GRU", {})
    x = torch.randn(5, 3)
    for length in (3, [3], torch.tensor(3), torch.tensor([3], dtype=torch.int32)):
        output, h = ours(x, lengths=length)
        expected, last = theirs(x[:3])
        close([output[:3], h], [expected, last], 1e-6)
        assert not output[3:].any()


def test_a_packed_sequence_of_a_stack_that_torch_lacks():
    """A cell of the package's own: packed equals lengths."""
    layer = ostinato.Recurrent("lstm_peephole", 3, 5, 2, bidirectional=True)
    x, lengths = torch.randn(5, 3, 3), torch.tensor([2, 5, 4])
    packed, final = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
    output, expected = layer(x, lengths=lengths)
    close([pad_packed_sequence(packed)[0], *final], [output, *expected], 0)


def test_torchs_utilities_accept_the_packed_result():
    ours, _ = pair("LSTM", {})
    packed = nn.utils.rnn.pack_sequence([torch.randn(2, 3), torch.randn(4, 3)], enforce_sorted=False)
    again, _ = ostinato.LSTM(5, 5)(ours(packed)[0])
    assert [len(sequence) for sequence in nn.utils.rnn.unpack_sequence(again)] == [2, 4]
