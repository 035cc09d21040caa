"""RNN, LSTM, GRU and their cells against torch.nn: weights, outputs, final states and gradients."""

import copy
import pickle

import pytest
import torch
from torch import nn

import ostinato

ARGUMENTS = [
    {},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"num_layers": 2, "bias": False},
    {"batch_first": True},
]
CASES = [
    *[(kind, arguments) for kind in ("RNN", "LSTM", "GRU") for arguments in ARGUMENTS],
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
    ("LSTM", {"proj_size": 2}),
    ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
]
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}


def pair(kind, arguments, dtype=torch.float32):
    """Ours and torch's, with the same weights."""
    ours, theirs = (getattr(home, kind)(3, 5, **arguments).to(dtype) for home in (ostinato, nn))
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def tensors(result):
    """Output and final state as a flat list."""
    output, state = result
    return [output, *([state] if isinstance(state, torch.Tensor) else state)]


def close(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        scale = max(1.0, float(other.detach().abs().max())) if other.numel() else 1.0
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * scale)


def compare(ours, theirs, x, hx, tolerance):
    """Run both, compare all numbers, then all gradients by input, initial state and weights."""
    given = [] if hx is None else [hx] if isinstance(hx, torch.Tensor) else list(hx)
    found = []
    for layer in (ours, theirs):
        leaves = [tensor.detach().clone().requires_grad_() for tensor in (x, *given)]
        state = None if hx is None else leaves[1] if isinstance(hx, torch.Tensor) else tuple(leaves[1:])
        results = tensors(layer(leaves[0], state))
        torch.manual_seed(1)
        loss = sum((result * torch.randn(result.shape, dtype=x.dtype)).sum() for result in results)
        found.append((results, torch.autograd.grad(loss, [*leaves, *layer.parameters()])))
    close(found[0][0], found[1][0], tolerance)
    close(found[0][1], found[1][1], tolerance * 10)


def initial(layer, *batch, dtype):
    """A random state for torch's layer."""
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    h = torch.randn(rows, *batch, getattr(layer, "proj_size", 0) or 5, dtype=dtype)
    return (h, torch.randn(rows, *batch, 5, dtype=dtype)) if isinstance(layer, nn.LSTM) else h


@pytest.mark.parametrize(("kind", "arguments"), CASES)
def test_initial_weights_are_torchs(kind, arguments):
    states = []
    for home in (ostinato, nn):
        torch.manual_seed(7)
        states.append(getattr(home, kind)(3, 5, **arguments).state_dict())
    assert list(states[0]) == list(states[1])
    for name, tensor in states[1].items():
        assert torch.equal(states[0][name], tensor), name


@pytest.mark.parametrize(("kind", "arguments"), CASES)
def test_weights_go_to_torch_and_back(kind, arguments):
    ours, theirs = (getattr(home, kind)(3, 5, **arguments) for home in (ostinato, nn))
    theirs.load_state_dict(ours.state_dict(), strict=True)
    close(theirs.parameters(), ours.parameters(), 0)
    again = getattr(ostinato, kind)(3, 5, **arguments)
    again.load_state_dict(theirs.state_dict(), strict=True)
    close(again.parameters(), ours.parameters(), 0)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float32", "float64"])
@pytest.mark.parametrize(("kind", "arguments"), CASES)
def test_results_and_gradients_are_torchs(kind, arguments, dtype):
    ours, theirs = pair(kind, arguments, dtype)
    x = torch.randn(4, 4, 3, dtype=dtype)
    compare(ours, theirs, x, None, TOLERANCE[dtype])
    compare(ours, theirs, x, initial(theirs, 4, dtype=dtype), TOLERANCE[dtype])
    compare(ours, theirs, x[:, 0], None, TOLERANCE[dtype])
    compare(ours, theirs, x[:, 0], initial(theirs, dtype=dtype), TOLERANCE[dtype])


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_positional_arguments_are_torchs(kind):
    arguments = [3, 5, 2, *(["relu"] if kind == "RNN" else []), False, True, 0.25, True]
    arguments += [*([0] if kind == "LSTM" else []), "cpu", torch.float64]
    # torch's RNN and GRU count proj_size among the positions, against what they document
    theirs = getattr(nn, kind)(*arguments[:-2], device="cpu", dtype=torch.float64)
    ours = getattr(ostinato, kind)(*arguments)
    assert ours.weight_ih_l0.dtype == torch.float64
    for name in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float32", "float64"])
@pytest.mark.parametrize("arguments", [{}, {"bias": False}], ids=str)
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell", "relu"])
def test_single_steps_are_torchs(kind, arguments, dtype):
    if kind == "relu":
        kind, arguments = "RNNCell", {**arguments, "nonlinearity": "relu"}
    torch.manual_seed(7)
    theirs = getattr(nn, kind)(3, 5, **arguments)
    torch.manual_seed(7)
    ours = getattr(ostinato, kind)(3, 5, **arguments)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    close(ours.parameters(), theirs.parameters(), 0)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    ours, theirs = ours.to(dtype), theirs.to(dtype)
    for batch in ((2,), ()):
        x, h, c = (torch.randn(*batch, size, dtype=dtype) for size in (3, 5, 5))
        for hx in (None, (h, c) if kind == "LSTMCell" else h):
            found = []
            for cell in (ours, theirs):
                leaf = x.clone().requires_grad_()
                after = cell(leaf, hx)
                fields = [after] if isinstance(after, torch.Tensor) else list(after)
                loss = sum((field * torch.arange(5)).sum() for field in fields)
                found.append((fields, torch.autograd.grad(loss, [leaf, *cell.parameters()], allow_unused=True)))
            close(found[0][0], found[1][0], TOLERANCE[dtype])
            # torch's cell leaves no gradient where nothing was fed back; a zero is as good
            theirs_grads = [
                torch.zeros_like(a) if b is None else b for a, b in zip(*(f[1] for f in found), strict=True)
            ]
            close(found[0][1], theirs_grads, TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_an_empty_batch_gives_what_torch_gives(kind):
    ours, theirs = pair(kind, {"num_layers": 2, "bidirectional": True})
    close(tensors(ours(torch.randn(4, 0, 3))), tensors(theirs(torch.randn(4, 0, 3))), 0)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_no_steps_leave_the_state_as_it_was(kind):
    ours, theirs = pair(kind, {"num_layers": 2})  # torch refuses T = 0
    hx = initial(theirs, 4, dtype=torch.float32)
    output, *final = tensors(ours(torch.randn(0, 4, 3), hx))
    assert output.shape == (0, 4, 5)
    close(final, [hx] if isinstance(hx, torch.Tensor) else hx, 0)


def test_copies_pickles_and_moves_to_another_dtype():
    layer = ostinato.LSTM(3, 5, 2, forget_bias=1.0, bidirectional=True)
    x = torch.randn(4, 2, 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        close(tensors(other(x)), tensors(layer(x)), 0)
        other.reset_parameters()
        assert not torch.equal(other.weight_ih_l0, layer.weight_ih_l0)
    output, state = layer.double()(x.double())
    assert {tensor.dtype for tensor in (output, *state)} == {torch.float64}


def test_a_pickle_of_before_is_read():
    layer, x = ostinato.LSTM(3, 5, bidirectional=True), torch.randn(4, 2, 3)
    before = copy.deepcopy(layer)
    for option in ("reverse", "merge", "hold_output"):
        del before.__dict__[option]
    for option in ("activation", "recurrent_activation", "clip"):
        del before.cell.__dict__[option]
    close(tensors(pickle.loads(pickle.dumps(before))(x)), tensors(layer(x)), 0)


def test_is_usable_with_weights_computed_from_others():
    """As torch.func, weight normalisation and the like do: parameters are looked up at each call."""
    layer, x = ostinato.GRU(3, 5), torch.randn(4, 2, 3)
    zeros = {name: torch.zeros_like(tensor) for name, tensor in layer.named_parameters()}
    output, _ = torch.func.functional_call(layer, zeros, (x,))
    assert not output.any()
    plain = layer(x)[0]
    nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    close([layer(x)[0]], [plain], 1e-6)
    assert "weight_hh_l0" not in dict(layer.named_parameters())
    layer.reset_parameters()
    assert not torch.equal(layer(x)[0], plain)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_what_programs_call_of_torchs_layers(kind, batch_first):
    arguments = {"num_layers": 2, "bidirectional": True, "batch_first": batch_first}
    mine, torchs = getattr(ostinato, kind)(3, 5, **arguments), getattr(nn, kind)(3, 5, **arguments)
    assert mine.__constants__ == torchs.__constants__
    assert mine._flat_weights_names == torchs._flat_weights_names
    assert all(a is b for a, b in zip(mine._flat_weights, mine.parameters(), strict=True))
    x, sizes = torch.randn(6, 4, 3), torch.tensor([4, 2, 2])
    for given in ((x, None), (torch.randn(8, 3), sizes)):
        assert mine.get_expected_hidden_size(*given) == torchs.get_expected_hidden_size(*given)
    hx = torch.randn(4, 6 if batch_first else 4, 5)
    hx = (hx, hx * 2) if kind == "LSTM" else hx
    order = torch.tensor([2, 0, 1, 3])
    for layer in (mine, torchs):
        layer.check_forward_args(x, hx, None)
        assert layer.permute_hidden(hx, None) is hx
        wrong = (hx[0], hx[1][:1]) if kind == "LSTM" else hx[:1]
        with pytest.raises(RuntimeError, match=r"Expected hidden.* size \(4, "):
            layer.check_forward_args(x, wrong, None)
        with pytest.raises(RuntimeError, match="input must have 2 dimensions, got 3"):
            layer.check_forward_args(x, hx, sizes)
        with pytest.raises(RuntimeError, match=r"input.size\(-1\) must be equal to input_size"):
            layer.check_forward_args(x[..., :2], hx, None)
    close(tensors((0, mine.permute_hidden(hx, order)))[1:], tensors((0, torchs.permute_hidden(hx, order)))[1:], 0)


def test_sizes_of_zero_in_single_steps():
    """torch.nn's cells take them, its layers do not."""
    x = torch.randn(2, 3)
    for kind in ("RNNCell", "LSTMCell", "GRUCell"):
        for sizes in ((3, 0), (0, 4)):
            ours, theirs = (
                (getattr(home, kind)(*sizes, True, "cpu") for home in (ostinato, nn))
                if kind != "RNNCell"
                else (home.RNNCell(*sizes, True, "relu", "cpu") for home in (ostinato, nn))
            )
            theirs.load_state_dict(ours.state_dict())
            given = x[:, : sizes[0]]
            found, expected = ours(given), theirs(given)
            close(*(tensors((0, one))[1:] for one in (found, expected)), 1e-6)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_what_programs_read_of_torchs_layers(kind):
    arguments = {"num_layers": 2, "bidirectional": True}
    mine, torchs = getattr(ostinato, kind)(3, 5, **arguments), getattr(nn, kind)(3, 5, **arguments)
    assert (mine.mode, mine.proj_size, mine._all_weights) == (torchs.mode, torchs.proj_size, torchs._all_weights)
    assert [[w.shape for w in each] for each in mine.all_weights] == [
        [w.shape for w in each] for each in torchs.all_weights
    ]
    empty = nn.utils.skip_init(getattr(ostinato, kind), 3, 5)
    assert empty.weight_hh_l0.shape == torchs.weight_hh_l0.shape
    with pytest.raises(ostinato.OstinatoError, match="dropout is a probability: expected 0 to 1, got True"):
        getattr(ostinato, kind)(3, 5, dropout=True)
