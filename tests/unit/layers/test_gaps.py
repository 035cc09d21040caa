"""Masks of any pattern, reading in reverse, and what becomes of two directions, against loops over torch's cells."""

import pytest
import torch
from torch import nn

import ostinato
from ostinato.kernels import dispatch

T, N = 6, 4
#: Right-padded, left-padded, with a hole, nothing at all.
MASK = torch.tensor(
    [[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1], [0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0]], dtype=torch.bool
).T


def by_hand(cell, x, mask, state, reverse=False, hold=False):
    """Keras' rule, a step at a time: where masked, the state stays, and the output is zero or the last one."""
    fields = list(state) if isinstance(state, tuple) else [state]
    output, outputs, every = torch.zeros_like(fields[0]), [None] * T, [None] * T
    for t in reversed(range(T)) if reverse else range(T):
        after = cell(x[t], tuple(fields) if len(fields) > 1 else fields[0])
        after = list(after) if len(fields) > 1 else [after]
        valid = mask[t].unsqueeze(-1)
        output = torch.where(valid, after[0], output if hold else torch.zeros_like(output))
        fields = [torch.where(valid, new, old) for new, old in zip(after, fields, strict=True)]
        outputs[t], every[t] = output, fields
    return torch.stack(outputs), fields, [torch.stack(each) for each in zip(*every, strict=True)]


def cell_of(layer, kind, suffix):
    cell = getattr(nn, f"{kind}Cell")(layer.input_size, layer.hidden_size)
    own = layer.state_dict()
    cell.load_state_dict({name: own[name + suffix] for name in cell.state_dict()})
    return cell


def tensors(state):
    return [state] if isinstance(state, torch.Tensor) else list(state)


@pytest.fixture
def x():
    return torch.randn(T, N, 3)


def start(kind):
    h = torch.randn(N, 5)
    return (h, torch.randn(N, 5)) if kind == "LSTM" else h


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_mask_is_keras(kind, reverse, hold, x):
    layer = getattr(ostinato, kind)(3, 5, reverse=reverse, hold_output=hold)
    state = start(kind)
    expected, final, every = by_hand(cell_of(layer, kind, "_l0"), x, MASK, state, reverse, hold)
    hx = tuple(f.unsqueeze(0) for f in tensors(state)) if kind == "LSTM" else state.unsqueeze(0)
    output, after, states = layer(x, hx, mask=MASK, all_states=True)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close([f[0] for f in tensors(after)], final)
    torch.testing.assert_close([f[0] for f in tensors(states)], every)
    found = torch.autograd.grad(output.square().sum() + sum(f.sum() for f in tensors(after)), list(layer.parameters()))
    layer.double()
    reference = layer(x.double(), tuple(f.double() for f in tensors(hx)), mask=MASK)
    loss = reference[0].square().sum() + sum(f.sum() for f in tensors(reference[1]))
    for one, other in zip(found, torch.autograd.grad(loss, list(layer.parameters())), strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "mean"])
def test_two_directions_and_two_layers(merge, hold, x):
    layer = ostinato.GRU(3, 5, 2, bidirectional=True, merge=merge, hold_output=hold)
    join = {
        "concat": lambda a, b: torch.cat((a, b), -1),
        "sum": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
        "mean": lambda a, b: 0.5 * a + 0.5 * b,
    }[merge]
    below, finals = x, []
    for index in range(2):
        ran = []
        for suffix in ("", "_reverse"):
            cell = nn.GRUCell(below.shape[-1], 5)
            own = layer.state_dict()
            cell.load_state_dict({name: own[f"{name}_l{index}{suffix}"] for name in cell.state_dict()})
            ran.append(by_hand(cell, below, MASK, torch.zeros(N, 5), bool(suffix), hold))
        finals += [one[1][0] for one in ran]
        below = join(ran[0][0], ran[1][0])
    output, h = layer(x, mask=MASK)
    torch.testing.assert_close(output, below)
    torch.testing.assert_close(h, torch.stack(finals))
    assert output.shape[-1] == layer.output_size == (10 if merge == "concat" else 5)


def test_without_a_mask_directions_merge_too(x):
    layers = {merge: ostinato.LSTM(3, 5, bidirectional=True, merge=merge) for merge in ("concat", "sum", "mul", "mean")}
    for layer in layers.values():
        layer.load_state_dict(layers["concat"].state_dict())
    forward, backward = layers["concat"](x)[0].chunk(2, -1)
    for merge, expected in {
        "sum": forward + backward,
        "mul": forward * backward,
        "mean": (forward + backward) / 2,
    }.items():
        torch.testing.assert_close(layers[merge](x)[0], expected)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_reverse_alone_is_torch_on_the_flipped_sequence(kind, x):
    theirs = getattr(nn, kind)(3, 5, 2)
    ours = getattr(ostinato, kind)(3, 5, 2, reverse=True)
    ours.load_state_dict(theirs.state_dict())
    output, state = theirs(x.flip(0))
    found, after = ours(x)
    torch.testing.assert_close(found, output.flip(0))
    torch.testing.assert_close(tensors(after), tensors(state))
    lengths = torch.tensor([6, 3, 0, 1])
    found, after = ours(x, lengths=lengths)
    for n, length in enumerate(lengths.tolist()):
        alone, last = ours(x[:length, n : n + 1])
        torch.testing.assert_close(found[:length, n : n + 1], alone)
        torch.testing.assert_close([f[:, n : n + 1] for f in tensors(after)], tensors(last))


def test_lengths_and_the_mask_that_says_the_same(x):
    lengths = torch.tensor([6, 3, 0, 1])
    mask = torch.arange(T)[:, None] < lengths
    for options in ({}, {"bidirectional": True}, {"hold_output": True, "num_layers": 2}):
        layer = ostinato.LSTM(3, 5, **options)
        torch.testing.assert_close(layer(x, mask=mask), layer(x, lengths=lengths), rtol=0, atol=0)
    held, _ = ostinato.GRU(3, 5, hold_output=True)(x, lengths=lengths)
    torch.testing.assert_close(held[3:, 1], held[2, 1].expand(3, 5))
    assert not held[:, 2].any()


def test_layouts_and_what_masked_steps_hold(x):
    layer = ostinato.LSTM(3, 5, bidirectional=True)
    expected, _ = layer(x, mask=MASK)
    first = ostinato.LSTM(3, 5, bidirectional=True, batch_first=True)
    first.load_state_dict(layer.state_dict())
    torch.testing.assert_close(first(x.transpose(0, 1), mask=MASK.T)[0].transpose(0, 1), expected)
    torch.testing.assert_close(layer(x[:, 2], mask=MASK[:, 2])[0], expected[:, 2])
    spoilt = x.masked_fill(~MASK.unsqueeze(-1), torch.nan).requires_grad_()
    output, _ = layer(spoilt, mask=MASK)
    torch.testing.assert_close(output, expected)
    output.sum().backward()
    assert not spoilt.grad[~MASK].any()
    assert layer(torch.zeros(0, N, 3), mask=torch.zeros(0, N, dtype=torch.bool))[0].shape == (0, N, 10)


def test_kernels_run_them_all(x, monkeypatch):
    """Masks, reverse and merged directions: never the reference, where a kernel has the cell."""
    names = []
    find = dispatch.find
    monkeypatch.setattr(dispatch, "find", lambda *given: (names.append((found := find(*given)).name), found)[1])
    ostinato.LSTM(3, 5, 2, bidirectional=True, merge="sum", hold_output=True)(x, mask=MASK)
    ostinato.GRU(3, 5, reverse=True)(x, mask=MASK)
    assert names == [
        dispatch.find(ostinato.LSTM(3, 5).cell, dispatch.Request(torch.float32, "cpu", T, True)).name
    ] * 5 or (set(names) == {"native"})


@pytest.mark.slow
def test_a_mask_passes_torch_compile(x):
    layer = ostinato.GRU(3, 5, bidirectional=True)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, mask=MASK)[0], layer(x, mask=MASK)[0])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"mask": MASK.int()}, r"expected a mask of torch.bool, .* got torch.int32: use mask.bool\(\)"),
        ({"mask": MASK.T}, r"\[T, N\] = \(6, 4\) .*, got \(4, 6\)"),
        ({"mask": MASK, "lengths": torch.tensor([6, 6, 6, 6])}, "a mask or lengths .* got both"),
    ],
)
def test_masks_that_do_not_fit(arguments, says, x):
    with pytest.raises(ValueError, match=says):
        ostinato.GRU(3, 5)(x, **arguments)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"merge": "ave", "bidirectional": True}, "merge 'ave': .*there are concat, sum, mul, mean"),
        ({"merge": "sum"}, "joins two directions: pass bidirectional=True"),
        ({"reverse": True, "bidirectional": True}, "reads in reverse already"),
    ],
)
def test_directions_that_cannot_be(options, says):
    with pytest.raises(ostinato.OstinatoError, match=says):
        ostinato.LSTM(3, 5, **options)
    with pytest.raises(ostinato.OstinatoError, match="it cannot stream"):
        ostinato.LSTM(3, 5, reverse=True).stream(1)
