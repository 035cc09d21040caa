"""Rates and beginnings by layer, against their formulas."""

import pytest
import torch
from torch import nn

from ostinato.optim import LayerWise, make_optimizer, take_step


def levels(count=3):
    return [[nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2))] for _ in range(count)]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_each_layer_learns_at_the_rate_above_it_divided(name):
    """Of the same gradient: SGD's step is rate times that, Adam's first one the rate itself."""
    own = levels()
    model = nn.ParameterList([p for level in own for p in level])
    optimizer = make_optimizer(name, model, lr=0.1, shares=LayerWise(own, divide=4.0).shares)
    gradients = []
    for p in model:
        p.grad = torch.ones_like(p)
        gradients.append(p.grad)
    take_step(optimizer, 0.1, gradients)
    for depth, level in enumerate(own):
        for p in level:
            torch.testing.assert_close(p.detach(), torch.full_like(p, -0.1 / 4**depth), rtol=1e-5, atol=0)


def test_layers_begin_one_after_the_other():
    course = LayerWise(own := levels(), unfreeze=0.2)
    waiting = [{id(p) for p in course.waiting(at)} for at in (0.0, 0.19, 0.2, 0.39, 0.4, 1.0)]
    below = [{id(p) for level in own[depth:] for p in level} for depth in (1, 1, 2, 2, 3, 3)]
    assert waiting == below
    assert LayerWise(own).waiting(0.0) == []
