"""One matrix as embedding and output layer against autograd's own sum of the two gradients."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from ostinato.core.batch import Batch
from ostinato.layers.tied import tied_embedding
from ostinato.losses import linear_cross_entropy, sequence_cross_entropy
from ostinato.tasks.lm.model import LanguageModel

V, E, T, N = 11, 4, 5, 3
IDS = torch.randint(0, V, (T, N), generator=torch.Generator().manual_seed(2))


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


def plain(ids, weight):
    return F.embedding(ids, weight), weight


def scores(embedded, weight):
    return F.cross_entropy(F.linear(embedded.tanh(), weight).flatten(0, 1), IDS.flatten())


def fused(embedded, weight):
    return linear_cross_entropy(embedded.tanh().flatten(0, 1), weight, None, IDS.flatten())


def one_alone(embedded, weight):
    return embedded.square().sum()


def the_other(embedded, weight):
    return weight.square().sum()


def the_same_gradient_elsewhere(embedded, weight):
    """A sum passes the same tensor on to both of its terms."""
    return ((weight + HELD) * 2).sum() + embedded.sum()


HELD = torch.zeros(V, E, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("use", [scores, fused, one_alone, the_other, the_same_gradient_elsewhere])
def test_gradients(use):
    weight = torch.randn(V, E, dtype=torch.float64, requires_grad=True)
    HELD.grad = None
    ours, theirs = (torch.autograd.grad(use(*f(IDS, weight)), weight)[0] for f in (tied_embedding, plain))
    torch.testing.assert_close(ours, theirs)
    if use is the_same_gradient_elsewhere:
        (elsewhere,) = torch.autograd.grad(use(*tied_embedding(IDS, weight)), HELD)
        assert torch.equal(elsewhere, torch.full((V, E), 2.0, dtype=torch.float64))


def test_a_gradient_that_someone_holds_is_left_alone():
    weight, given = torch.randn(V, E, requires_grad=True), torch.ones(V, E)
    embedded, output = tied_embedding(IDS, weight)
    torch.autograd.backward([embedded, output], [torch.ones_like(embedded), given])
    assert torch.equal(given, torch.ones(V, E))
    assert weight.grad.sum() == V * E + T * N * E


@pytest.mark.parametrize("keep", [lambda g: g, lambda g: g.detach(), lambda g: g.numpy(), lambda g: g[:]])
@pytest.mark.parametrize("use", [scores, fused])
def test_a_gradient_that_a_hook_keeps_is_left_alone(use, keep):
    weight, kept = torch.randn(V, E, dtype=torch.float64, requires_grad=True), []
    embedded, output = tied_embedding(IDS, weight)
    output.register_hook(lambda gradient: kept.append(keep(gradient)))
    use(embedded, output).backward()
    embedded, output = plain(IDS, weight.detach())
    (expected,) = torch.autograd.grad(use(embedded, output.requires_grad_()), output)
    torch.testing.assert_close(torch.as_tensor(kept[0]), expected)
    (whole,) = torch.autograd.grad(use(*plain(IDS, weight)), weight)
    torch.testing.assert_close(weight.grad, whole)
    assert not torch.equal(whole, expected)


def test_second_derivatives():
    weight = torch.randn(V, E, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda w: scores(*tied_embedding(IDS, w)), (weight,))


class Made(TorchDispatchMode):
    """Holds every tensor of a size that is made, so that each has memory of its own."""

    def __init__(self, size):
        super().__init__()
        self.size, self.tensors = size, {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.numel() == self.size:
                self.tensors[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return result


def test_there_is_one_gradient(monkeypatch):
    monkeypatch.setitem(linear_cross_entropy.__globals__, "_FEW_SCORES", 0)  # a few are left to torch
    model = LanguageModel(301, 6, 6, tied=True)
    ids = torch.randint(0, 301, (T + 1, N))
    with Made(301 * 6) as made:
        sequence_cross_entropy(model(ids[:-1]), Batch(ids[:-1], ids[1:])).backward()
    own = {model.embedding.weight.untyped_storage().data_ptr(), model.decoder.weight.grad.untyped_storage().data_ptr()}
    assert set(made.tensors) <= own
