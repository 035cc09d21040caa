"""torch's optimisers by name; weight decay for matrices alone."""

import copy

import pytest
import torch
from torch import nn

from ostinato.optim import make_optimizer

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
    assert all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True))


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


def test_matrices_alone_are_one_group():
    assert len(make_optimizer("adam", nn.Linear(2, 2, bias=False), lr=1.0).param_groups) == 1
