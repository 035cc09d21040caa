"""The learning-rate range test: a training's own steps at rising rates, of which nothing is left."""

import math
from itertools import pairwise

import pytest
import torch

from ostinato.config.training import TrainingOptions
from ostinato.optim import make_optimizer
from ostinato.training import Clock
from ostinato.training.range_test import RANGES, STEPS, range_test
from ostinato.training.rates import Rates, Tried


def rates_of(loss, low=1e-5, high=1.0, count=100, noise=0.0):
    """As of a loss that is a function of the rate."""
    rates = [low * (high / low) ** (k / (count - 1)) for k in range(count)]
    return Rates([Tried(lr, loss(lr) + noise * (-1) ** k) for k, lr in enumerate(rates)])


def valley(lr, at=0.02):
    """Falls from 2 to 1 about a tenth of `at`, and rises steeply behind `at`."""
    return 1 + 1 / (1 + 10 * lr / at) + (lr / at / 4) ** 4


def test_the_rate_suggested_is_a_fraction_of_the_lowest_loss():
    found = rates_of(valley, noise=0.01)
    lowest = found.tried[found.lowest].lr
    assert 0.005 < lowest < 0.06
    assert found.tried[found.steepest].lr < lowest
    assert found.suggested < lowest


def test_where_the_loss_only_swings_no_rate_is_suggested():
    assert rates_of(lambda lr: 2.0, noise=0.1).suggested is None
    assert rates_of(lambda lr: 2.0).suggested is None
    assert rates_of(lambda lr: 2 + lr, noise=0.1).suggested is None


def test_what_is_lower_by_chance_at_the_end_is_not_the_lowest():
    found = rates_of(lambda lr: 1 + 1 / (1 + (lr / 0.001) ** 2) - 0.05 * (lr > 0.5), noise=0.01)
    assert found.tried[found.lowest].lr < 0.01


def test_a_loss_below_zero_is_as_good_as_any():
    """A Gaussian's likelihood can be."""
    assert rates_of(lambda lr: valley(lr) - 5, noise=0.01).suggested == rates_of(valley, noise=0.01).suggested


def test_an_explosion_is_told_from_noise():
    found = rates_of(valley, noise=0.01)
    ends = [k for k in range(20, 101) if Rates(found.tried[:k]).exploded]
    assert ends, "it explodes"
    assert found.tried[ends[0] - 1].lr > found.tried[found.lowest].lr
    assert not rates_of(lambda lr: 2.0, noise=0.3).exploded
    assert Rates([*rates_of(lambda lr: 2.0).tried, Tried(2.0, math.inf)]).exploded


def test_what_is_not_finite_has_no_mean():
    *known, last = Rates([*rates_of(valley, count=30).tried, Tried(9.0, math.inf)]).with_means()
    assert last == (Tried(9.0, math.inf), None)
    assert all(mean is not None for _, mean in known)


def test_sgd_is_given_the_whole_rate(make):
    found = range_test((trainer := make(optimizer="sgd", clip=0.5)).job, trainer.options)
    assert found.suggested == found.tried[found.lowest].lr
    found = range_test((trainer := make("other", optimizer="adam", clip=0.5)).job, trainer.options)
    assert found.suggested == found.tried[found.lowest].lr / 5


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_each_step_is_one_of_a_training_at_a_higher_rate(make, weights, optimizer):
    """Against a loop by hand: the state carried on, the gradient clipped, the rate as it grows."""
    trainer, other = make(optimizer=optimizer, clip=0.5), make("other", optimizer=optimizer)
    found = range_test(trainer.job, trainer.options, steps=9)
    low, high = RANGES.get(optimizer, (1e-5, 10.0))
    expected = [low * (high / low) ** (k / 8) for k in range(9)]
    assert [one.lr for one in found.tried] == pytest.approx(expected[: len(found.tried)])
    model = other.job.model.train()
    updates = make_optimizer(optimizer, model, lr=1.0)
    state = None
    for k, (lr, loss) in enumerate(found.tried):
        piece = other.job.batches.piece(k % len(other.job.batches), k // len(other.job.batches))
        output = model(piece.inputs, state=None if k % len(other.job.batches) == 0 else state)
        reached = other.job.loss(output, piece)
        assert loss == pytest.approx(reached.item(), rel=1e-4)
        updates.zero_grad()
        reached.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        for group in updates.param_groups:
            group["lr"] = lr
        updates.step()
        state = tuple(field.detach() for field in output.state)


def test_the_model_and_random_numbers_are_as_they_were(make, weights):
    trainer = make(noise={"dropout": 0.3})
    model = trainer.job.model.eval()
    before, numbers = weights(model).clone(), torch.get_rng_state()
    found = range_test(trainer.job, TrainingOptions(batch=2, steps=10, optimizer="adam"), steps=12)
    assert any(one.loss != found.tried[0].loss for one in found.tried)
    assert torch.equal(weights(model), before)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert not model.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_accumulated_batches_are_one_step(make):
    """Two batches of one stream each are, in a step, the batch of both."""
    whole, parts = make(streams=2), make("parts", streams=2, batch=1, accumulate=2)
    one = range_test(whole.job, whole.options, steps=6).tried
    other = range_test(parts.job, parts.options, steps=6).tried
    assert [loss for _, loss in one] == pytest.approx([loss for _, loss in other], rel=1e-4)


def test_it_ends_where_the_loss_explodes_or_the_time_does(make):
    trainer = make(clip=0.0)
    found = range_test(trainer.job, trainer.options)
    assert found.exploded
    assert len(found.tried) < STEPS
    told = []
    late = range_test(trainer.job, trainer.options, clock=Clock(0.0, 0.0), progress=lambda *at: told.append(at))
    assert not late.tried
    assert late.suggested is None
    assert told == [(STEPS, STEPS)]


def test_steps_are_told_of(make):
    told = []
    trainer = make(optimizer="adamw")
    range_test(trainer.job, trainer.options, steps=5, progress=lambda *at: told.append(at))
    assert all(before < after for before, after in pairwise(told[:-1]))
    assert told[-1] == (5, 5)
