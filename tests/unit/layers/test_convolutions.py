"""Convolutions over time against loops over numbers, on each sequence as if it were alone."""

import numpy as np
import pytest
import torch

from ostinato.layers.convolutions import CHANNELS, Convolutions

D, C = 2, 5


def made(count=2, seed=0):
    torch.manual_seed(seed)
    return Convolutions(D, C, count)


def by_hand(x, layers):
    """One sequence `[T, D]` through the equation of the class, number by number."""
    for layer in layers:
        weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
        kernel, T = weight.shape[2], len(x)
        y = np.zeros((-(-T // 2), len(bias)))
        for t in range(len(y)):
            y[t] = bias
            for j in range(kernel):
                at = 2 * t + j - kernel // 2
                if 0 <= at < T:
                    y[t] += weight[:, :, j] @ x[at]
        x = np.maximum(y, 0)
    return x


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_sequence_as_if_it_were_alone(count):
    lengths = [23, 16, 8, 5, 2, 1]
    module, sequences = made(count), [np.random.default_rng(T).normal(size=(T, D)) for T in lengths]
    x = torch.full((23, 6, D), torch.nan)  # what stands behind an end must be of no account, whatever it is
    for row, sequence in enumerate(sequences):
        x[: len(sequence), row] = torch.from_numpy(sequence)
    found, after = module(x, torch.tensor(lengths))
    assert module.stride == 2**count
    assert after.tolist() == [-(-T // 2**count) for T in lengths]
    assert found.shape == (-(-23 // 2**count), 6, C)
    for row, sequence in enumerate(sequences):
        expected = by_hand(sequence, module.layers)
        np.testing.assert_allclose(found[: after[row], row].detach(), expected, rtol=1e-5, atol=1e-6)
        assert not found[after[row] :, row].any()
    assert (found > 0).any()


def test_an_empty_sequence_stays_one_and_has_finite_gradients():
    module = made()
    x = torch.randn(9, 2, D, requires_grad=True)
    found, lengths = module(x, torch.tensor([0, 9]))
    assert lengths.tolist() == [0, 3]
    assert not found[:, 0].any()
    found.sum().backward()
    assert not x.grad[:, 0].any()
    assert x.grad[:, 1].any()
    assert all(weight.grad.isfinite().all() for weight in module.parameters())


def test_gradients():
    module, lengths = made(seed=3).double(), torch.tensor([7, 4])
    x = torch.randn(7, 2, D, dtype=torch.float64, requires_grad=True)
    weights = [weight.detach().requires_grad_() for weight in module.parameters()]
    names = [name for name, _ in module.named_parameters()]

    def call(x, *weights):
        return torch.func.functional_call(module, dict(zip(names, weights, strict=True)), (x, lengths))[0]

    assert torch.autograd.gradcheck(call, (x, *weights))


def test_widths():
    assert Convolutions(3).output_size == CHANNELS
    assert Convolutions(3, 7, 1).output_size == 7
