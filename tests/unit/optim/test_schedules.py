"""Courses of the learning rate against their formulas and torch's own schedulers."""

import json
import math

import pytest
import torch

from ostinato.optim import Cosine, Plateau, Schedule, make_schedule


def rates(scheduler_of, steps, losses=None):
    """What one of torch's schedulers makes of a rate of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = scheduler_of(optimizer)
    found = []
    for step in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([] if losses is None else [losses[step]]))
    return found


def test_cosine_without_warmup_is_torchs():
    course = Cosine(warmup=0.0, floor=0.01)
    theirs = rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40, eta_min=0.01), 41)
    assert [course.factor(step / 40) for step in range(41)] == pytest.approx(theirs, rel=1e-12)


def test_warmup_is_a_straight_line_then_comes_the_cosine():
    course = Cosine(warmup=0.2, floor=0.1)
    ours = [course.factor(step / 50) for step in range(51)]
    line = rates(lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=1e-9, total_iters=10), 10)
    cosine = rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40, eta_min=0.1), 41)
    assert ours[1:10] == pytest.approx(line[1:], rel=1e-6)
    assert ours[10:] == pytest.approx(cosine, rel=1e-12)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (0.0, 0.01),  # never 0: the first step should count
        (0.01, 0.5),
        (0.02, 1.0),
        (0.51, 0.01 + 0.99 * 0.5),
        (0.755, 0.01 + 0.99 * 0.5 * (1 - math.sqrt(0.5))),
        (1.0, 0.01),
        (1.3, 0.01),
    ],
)
def test_the_default_by_hand(progress, expected):
    assert make_schedule("cosine").factor(progress) == pytest.approx(expected, rel=1e-12)


def test_constant_is_one():
    course = make_schedule("constant", warmup=0.5)
    course.validated(False)
    assert type(course) is Schedule
    assert [course.factor(progress) for progress in (0.0, 0.3, 1.0)] == [1.0] * 3


def test_plateau_is_torchs_without_patience():
    losses = [3.0, 2.0, 2.0, 2.5, 1.5, 1.6, 1.4, 1.4]
    theirs = rates(
        lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, factor=1 / 3, patience=0, threshold=0), 8, losses
    )
    course, best, ours = make_schedule("plateau", lr_divide=3.0), math.inf, []
    for loss in losses:
        ours.append(course.factor(0.5))
        course.validated(loss < best)
        best = min(best, loss)
    assert ours == pytest.approx(theirs, rel=1e-12)
    assert course.factor(1.0) == pytest.approx(3.0**-4, rel=1e-12)


def test_options_arrive():
    assert make_schedule("cosine", warmup=0.3) == Cosine(warmup=0.3)
    assert make_schedule("plateau", lr_divide=7.0) == Plateau(divide=7.0)


@pytest.mark.parametrize("name", ["constant", "cosine", "plateau"])
def test_saved_as_json_it_goes_on(name):
    course, other = make_schedule(name), make_schedule(name)
    course.validated(False)
    other.load_state_dict(json.loads(json.dumps(course.state_dict())))
    for schedule in (course, other):
        schedule.validated(False)
    assert [course.factor(p) for p in (0.1, 0.9)] == [other.factor(p) for p in (0.1, 0.9)]


def test_the_slanted_triangle_is_the_papers():
    """Howard, Ruder 2018, eq. 3, with its own names: T = 200 steps, cut_frac = 0.1, ratio = 32."""
    T, cut_frac, ratio = 200, 0.1, 32
    cut = math.floor(T * cut_frac)
    course = make_schedule("slanted")
    for t in range(T + 1):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
        assert course.factor(t / T) == pytest.approx((1 + p * (ratio - 1)) / ratio)
    assert make_schedule("slanted", warmup=0.5).factor(0.5) == 1
