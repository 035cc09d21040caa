"""Tensors that torch has marked as the negative of what their memory holds, wherever one may be given."""

import pytest
import torch

import ostinato
from ostinato import kernels
from ostinato.cells.noise import StateNoise
from ostinato.kernels import native_cells as native
from ostinato.losses import linear_cross_entropy
from tests.unit.kernels.test_native import CELLS, Problem, cell_of


def marked(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers by the negative of their memory."""
    found = torch._neg_view(-tensor)
    assert found.is_neg()
    return found


@pytest.mark.parametrize("name", CELLS)
def test_inputs_states_weights_and_gradients(name):
    problem = Problem(cell_of(name, 5, 19), 6, 4, noise="mask zoneout")
    results = []
    for view in (lambda tensor: tensor.clone(), marked):
        leaves = [view(tensor.detach()).requires_grad_() for tensor in problem.tensors()]
        noise = problem.noise
        problem.noise = StateNoise(view(noise.recurrent_mask), [view(share) for share in noise.zoneout])
        ran = problem.run(native.run, leaves, keep_states=True)
        problem.noise = noise
        outputs = (ran.output, *ran.final, *ran.states)
        upstream = [view(torch.linspace(-1, 1, out.numel()).reshape(out.shape)) for out in outputs]
        results.append([*outputs, *torch.autograd.grad(outputs, leaves, upstream)])
    for plain, other in zip(*results, strict=True):
        torch.testing.assert_close(other, plain, rtol=0, atol=0)


@pytest.mark.parametrize("kind", [ostinato.LSTM, ostinato.GRU, ostinato.RNN])
def test_the_imaginary_part_of_a_conjugate(kind):
    layer, z = kind(4, 5), torch.randn(6, 3, 4, dtype=torch.complex64)
    x = z.conj().imag
    assert x.is_neg()
    torch.testing.assert_close(layer(x)[0], layer(x.clone())[0], rtol=0, atol=0)
    stream = layer.stream(3)
    torch.testing.assert_close(stream.step(x[0]), layer(x.clone())[0][0])
    with pytest.raises(ValueError, match="out: expected a dense tensor"):
        stream.step(x[0], out=torch._neg_view(torch.empty(3, 5)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_softmax(dtype):
    scores, weights = torch.randn(7, 40).to(dtype), torch.rand(7)
    plain, given = scores.clone(), marked(scores)
    expected, found = kernels.exponentials(plain, weights), kernels.exponentials(given, marked(weights))
    torch.testing.assert_close(given.resolve_neg(), plain)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-6)


def test_losses():
    hidden, targets = torch.randn(9, 6), torch.randint(0, 11, (9,))
    weight, bias = torch.randn(11, 6), torch.randn(11)
    results = []
    for view in (lambda tensor: tensor.clone(), marked):
        leaves = [view(tensor).requires_grad_() for tensor in (hidden, weight, bias)]
        loss = linear_cross_entropy(leaves[0], leaves[1], leaves[2], targets)
        results.append([loss, *torch.autograd.grad(loss, leaves)])
    for plain, other in zip(*results, strict=True):
        torch.testing.assert_close(other, plain)
