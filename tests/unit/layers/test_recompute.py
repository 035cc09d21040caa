"""Keeping few states changes the memory that training takes, and nothing else."""

import pytest
import torch

import ostinato
from ostinato.cells.noise import StateNoise
from ostinato.kernels import recompute


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def results(layer, x, state, **kwargs):
    """Outputs and all gradients, from random upstream gradients."""
    torch.manual_seed(1)  # dropout's draws, and the upstream gradients
    leaves = [x.detach().requires_grad_(), *(field.detach().requires_grad_() for field in state)]
    output, final, *states = layer(leaves[0], layer.cell.State(*leaves[1:]), **kwargs)
    final = (final,) if isinstance(final, torch.Tensor) else final
    outputs = [output, *final, *(states[0] if states else ())]
    torch.manual_seed(2)
    upstream = [torch.randn_like(out) for out in outputs]
    return outputs, torch.autograd.grad(outputs, leaves + list(layer.parameters()), upstream)


CASES = {
    "plain": ({}, {}),
    "stacked with dropout": ({"num_layers": 3, "dropout": 0.4}, {}),
    "bidirectional": ({"bidirectional": True, "num_layers": 2}, {}),
    "lengths": ({"bidirectional": True}, {"lengths": torch.tensor([13, 0, 4, 7])}),
    "noise": ({"recurrent_dropout": 0.5, "zoneout": 0.3, "bidirectional": True}, {}),
    "noise and lengths": ({"recurrent_dropout": 0.5, "zoneout": 0.3}, {"lengths": torch.tensor([1, 13, 5, 12])}),
    "small lengths": ({}, {"lengths": torch.tensor([1, 13, 5, 12], dtype=torch.uint8)}),
    "every state": ({"num_layers": 2}, {"all_states": True, "lengths": torch.tensor([13, 9, 4, 7])}),
    "batch first": ({"batch_first": True}, {}),
    "float64": ({"dtype": torch.float64}, {}),
}


@pytest.mark.parametrize("every", [1, 4, 5, 13, 100])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["lstm", "gru", "jordan"])
def test_outputs_and_gradients_are_the_same(name, case, every):
    options, kwargs = CASES[case]
    layer = ostinato.Recurrent(name, 5, 6, **options)
    x = torch.randn(4, 13, 5) if layer.batch_first else torch.randn(13, 4, 5)
    x = x.to(layer.weight_hh_l0.dtype)
    state = [torch.randn_like(field) for field in layer.initial_state(4)]
    outputs, grads = results(layer, x, state, **kwargs)
    layer.recompute = every
    found, again = results(layer, x, state, **kwargs)
    torch.testing.assert_close(found, outputs)
    torch.testing.assert_close(again, grads, rtol=1e-4, atol=1e-5)


def test_only_every_kth_state_is_kept():
    layer, x = ostinato.LSTM(5, 6, recompute=10), torch.randn(100, 4, 5)
    kept = 0

    def pack(tensor):
        nonlocal kept
        kept += tensor.numel() if tensor.untyped_storage().data_ptr() != x.untyped_storage().data_ptr() else 0
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output, _ = layer(x)
    node = output.grad_fn
    states = sum(field.numel() for piece in node.kept for field in piece)
    assert states == 9 * 2 * 4 * 6
    assert kept <= 2 * 4 * 6 + sum(p.numel() for p in layer.parameters())


def test_part_of_the_gradients():
    layer, x = ostinato.GRU(5, 6, recompute=3), torch.randn(10, 2, 5)
    plain = ostinato.GRU(5, 6)
    plain.load_state_dict(layer.state_dict())
    for one in (layer, plain):
        one.weight_ih_l0.requires_grad_(False)
        one(x)[1].sum().backward()  # the final state alone
        assert one.weight_ih_l0.grad is None
    torch.testing.assert_close(layer.weight_hh_l0.grad, plain.weight_hh_l0.grad)
    for one in (layer, plain):
        one.requires_grad_(False)
    leaf = x.clone().requires_grad_()
    found = torch.autograd.grad(layer(leaf)[0][4].sum(), leaf)[0]
    torch.testing.assert_close(found, torch.autograd.grad(plain(leaf)[0][4].sum(), leaf)[0])


def test_double_backward():
    def second(**options):
        torch.manual_seed(0)
        layer = ostinato.LSTM(3, 4, dtype=torch.float64, **options)
        x = torch.randn(7, 2, 3, dtype=torch.float64).requires_grad_()
        (first,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), [x, *layer.parameters()])

    torch.testing.assert_close(second(recompute=2), second())


def test_autocast_holds_in_backward():
    layer, x = ostinato.LSTM(5, 6), torch.randn(13, 4, 5)
    state = [torch.randn_like(field) for field in layer.initial_state(4)]
    with torch.autocast("cpu", torch.bfloat16):
        outputs, grads = results(layer, x, state)
    layer.recompute = 4
    with torch.autocast("cpu", torch.bfloat16):
        found, again = results(layer, x, state)
    torch.testing.assert_close(found, outputs, rtol=2e-2, atol=2e-2)
    torch.testing.assert_close(again, grads, rtol=5e-2, atol=5e-2)


def test_without_gradients_nothing_is_cut(monkeypatch):
    monkeypatch.setattr(recompute._Recomputing, "apply", None)
    layer, x = ostinato.LSTM(5, 6, recompute=2), torch.randn(9, 4, 5)
    with torch.no_grad():
        layer(x)
    torch.func.functional_call(layer.requires_grad_(False), {}, (x,))


@pytest.mark.parametrize("every", [0, -3, 2.5])
def test_a_number_that_cannot_be(every):
    with pytest.raises(ostinato.OstinatoError, match="recompute: expected a whole number of at least 1"):
        ostinato.LSTM(3, 5, recompute=every)


def test_in_bfloat16_many_pieces_add_up():
    """A sum of 600 parts, each of which is too small beside it to change it in bfloat16."""
    layer, x = ostinato.GRU(5, 6).bfloat16(), torch.randn(600, 2, 5).bfloat16()
    layer(x)[0].sum().backward()
    expected = [p.grad.float() for p in layer.parameters()]
    layer.zero_grad()
    layer.recompute = 1
    layer(x)[0].sum().backward()
    for p, gradient in zip(layer.parameters(), expected, strict=True):
        assert (p.grad.float() - gradient).norm() < 0.02 * gradient.norm()


@pytest.mark.parametrize("every", [None, 4])
@pytest.mark.parametrize("what", ["lengths", "mask"])
def test_what_is_changed_before_backward_is_noticed(every, what, library):
    layer, lengths = ostinato.GRU(5, 6, recompute=every, recurrent_dropout=0.5), torch.tensor([13, 4])
    (noise,) = layer.draw_noise(2, 13)
    output, _ = layer(torch.randn(13, 2, 5), lengths=lengths, noise=[noise])
    (lengths if what == "lengths" else noise.recurrent_mask).zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@pytest.mark.parametrize("every", [None, 4])
def test_a_learned_mask_has_its_gradient(every):
    layer, x = ostinato.GRU(5, 6, recompute=every), torch.randn(13, 2, 5)
    found = []
    for dtype in (torch.float32, torch.float64):
        mask = torch.full((2, 6), 0.7, dtype=dtype, requires_grad=True)
        output, _ = layer.to(dtype)(x.to(dtype), noise=[StateNoise(mask)])
        found.append(torch.autograd.grad(output.sum(), mask)[0].double())
    assert found[1].abs().max() > 0.01
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)
