"""torch's optimisers by name; weight decay for matrices alone."""

import copy
import math

import pytest
import torch
from torch import nn

from ostinato.optim import gradients_of, make_optimizer, take_step, takes_sparse, total_norm

KINDS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))


def steps(model, optimizer):
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()]


@pytest.mark.parametrize("name", KINDS)
def test_without_decay_it_is_torchs(model, name):
    other = copy.deepcopy(model)
    extra = {"weight_decay": 0.0} if name == "adamw" else {}
    theirs = steps(other, KINDS[name](other.parameters(), lr=0.1, **extra))
    ours = steps(model, make_optimizer(name, model, lr=0.1))
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two)


def test_adamw_shrinks_matrices_by_rate_times_decay_and_nothing_else(model):
    before = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    make_optimizer("adamw", model, lr=0.1, weight_decay=0.5).step()
    for (name, now), then in zip(model.named_parameters(), before.parameters(), strict=True):
        expected = then * (1 - 0.1 * 0.5) if now.dim() > 1 else then
        torch.testing.assert_close(now, expected, rtol=1e-6, atol=0, msg=name)


def test_sgds_decay_is_the_gradient_of_half_the_square(model):
    before = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    make_optimizer("sgd", model, lr=0.1, weight_decay=0.5).step()
    for now, then in zip(model.parameters(), before.parameters(), strict=True):
        expected = then - 0.1 * (1 + 0.5 * then) if now.dim() > 1 else then - 0.1
        torch.testing.assert_close(now, expected)


def test_every_parameter_that_learns_is_there_once(model):
    model[2].weight = nn.Parameter(model[2].weight, requires_grad=False)
    found = [p for group in make_optimizer("sgd", model, lr=1.0).param_groups for p in group["params"]]
    assert {id(p) for p in found} == {id(p) for p in model.parameters() if p.requires_grad}
    assert len(found) == 5


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_checkpoint_finds_parameters_in_their_places_whatever_the_decay(model, decay):
    """Matrices first: runs from before there was one group without decay go on."""
    groups = make_optimizer("adamw", model, lr=0.1, weight_decay=decay).param_groups
    assert len(groups) == (2 if decay else 1)
    found = [id(p) for group in groups for p in group["params"]]
    own = list(model.parameters())
    assert found == [id(p) for p in own if p.dim() > 1] + [id(p) for p in own if p.dim() <= 1]


def test_matrices_alone_are_one_group():
    assert len(make_optimizer("adam", nn.Linear(2, 2, bias=False), lr=1.0).param_groups) == 1


@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize("name", KINDS)
def test_a_scaled_step_is_one_with_scaled_gradients(model, name, decay):
    other = copy.deepcopy(model)
    ours, theirs = make_optimizer(name, model, lr=1.0, weight_decay=decay), plain(name, other, decay)
    for number, scale in enumerate((1.0, 0.1, 0.7)):
        for each in (model, other):
            each.zero_grad()
            each(torch.randn(6, 3, generator=torch.Generator().manual_seed(number))).square().sum().backward()
        for parameter in other.parameters():
            parameter.grad.mul_(scale)
        theirs.step()
        take_step(ours, 0.1, gradients_of(model.parameters()), scale)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def plain(name, model, decay):
    """Torch's optimiser as anyone would set it up."""
    groups = [
        {"params": [p for p in model.parameters() if (p.dim() > 1) == matrix], "weight_decay": decay * matrix}
        for matrix in (True, False)
    ]
    return KINDS[name](groups, lr=0.1)


def test_a_sparse_gradient_is_the_rows_that_were_read():
    """The same row twice counts as one: norm and step are those of the dense gradient."""
    ids, weights = torch.tensor([3, 1, 3]), torch.randn(3, 4)
    dense, sparse = nn.Embedding(7, 4), nn.Embedding(7, 4, sparse=True)
    sparse.load_state_dict(dense.state_dict())
    found = []
    for embedding in (dense, sparse):
        (embedding(ids) * weights).sum().backward()
        gradients = gradients_of(embedding.parameters())
        found.append(nn.utils.get_total_norm(gradients))
        assert takes_sparse("sgd", 0.0)
        take_step(make_optimizer("sgd", embedding, lr=1.0), 0.1, gradients, 0.5)
    assert gradients[0].shape == (2, 4)
    torch.testing.assert_close(*found)
    torch.testing.assert_close(sparse.weight, dense.weight)


def test_who_takes_sparse_gradients():
    assert not takes_sparse("sgd", 0.1), "decay moves rows that were not read"
    assert not takes_sparse("adam", 0.0)
    assert not takes_sparse("adamw", 0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_the_norm_of_all_gradients(dtype):
    gradients = [torch.randn(1000, 650).to(dtype), torch.randn(40, 3).to(dtype), torch.randn(7).to(dtype)]
    expected = math.sqrt(sum(gradient.double().square().sum().item() for gradient in gradients))
    close = 1e-2 if dtype == torch.bfloat16 else 2e-7
    assert total_norm(gradients) == pytest.approx(expected, rel=close)


def test_the_norm_of_many_numbers_keeps_its_digits():
    gradients = [torch.randn(10_000, 650)]
    assert total_norm(gradients) == pytest.approx(gradients[0].double().norm().item(), rel=2e-7)


@pytest.mark.parametrize("wrong", [math.inf, math.nan])
def test_the_norm_of_what_is_not_finite(wrong):
    large = torch.ones(1000, 650)
    large[17, 3] = wrong
    assert not math.isfinite(total_norm([large, torch.ones(3)]))


def test_the_norm_of_no_gradients():
    assert total_norm([]) == 0
