"""Rules on figures alone: each speaks of courses that show what it looks for, and is silent on those that do not."""

import random

import pytest

from ostinato.advice import words
from ostinato.advice.course import Course, clipped, guessing, noise_of, overfitting, too_high, too_low
from ostinato.training import Guess
from ostinato.training.events import Trained, Validated, Where

STEPS = 10  #: of an interval


def course(losses, valid=(), *, every=4, norm=0.5, share=0.0, best=(), name="loss", **more):
    """A training with these losses of intervals, and figures of validations after every few of them."""
    made = Course(clip=1.0, lr=0.01, default_lr=0.004, first_losses=[2.0, 2.0], **more)

    def at(number):
        return Where(number * STEPS, 1, 0, number / len(losses), 0.0)

    made.intervals = [
        Trained(at(number), {"loss": loss}, 0.01, norm, share, 1.0, None) for number, loss in enumerate(losses, 1)
    ]
    made.validations = [
        Validated(at(number * every), {"loss": 1.0, name: figure}, number in best, number in best)
        for number, figure in enumerate(valid, 1)
    ]
    return made


def falling(count, to=0.5, since=2.0, noise=0.0):
    draw = random.Random(count)
    return [to + (since - to) * 0.9**number + noise * draw.gauss(0, 1) for number in range(count)]


RISING = [1.8, 1.5, 1.3, 1.35, 1.42, 1.5, 1.61]


def test_a_validation_loss_that_rises_while_training_loss_falls():
    found = overfitting(course(falling(28), RISING))
    assert found.name == words.OVERFITTING
    assert found.said == (
        "since step 120 training loss fell from 1.055 to 0.603 while validation loss rose from 1.300 to 1.610"
    )


@pytest.mark.parametrize(
    "quiet",
    [
        course(falling(28), RISING[:5]),  # two validations may be chance
        course(falling(28), [1.8, 1.5, 1.3, 1.305, 1.31, 1.302, 1.306]),  # a rise, but hardly any
        course(falling(28), [1.8, 1.2, 1.7, 1.35, 1.75, 1.4, 1.6, 1.45]),  # all over the place
        course([2.0] * 28, RISING),  # nothing is learned by heart
        course(falling(28), RISING, best=(6,)),  # the figure that weights are chosen by still improves
        course(falling(28), RISING, measured="fit"),
        course(falling(28), falling(7)),
    ],
)
def test_no_word_of_overfitting(quiet):
    assert overfitting(quiet) is None


def guessed(values, *, steps=28, ended=True, **of):
    """What is said of validations with these values."""
    guess = Guess("figure", **{"value": 0.5, "what": "always 'no'"} | of)
    made = course(falling(steps), values, name="figure", guess=lambda: guess)
    return guessing(made, ended=ended)


CHANCE = {"higher": True, "spread": 0.02}


def test_shares_no_better_than_a_guess():
    assert guessed([0.5, 0.515, 0.49, 0.5, 0.51, 0.5], **CHANCE).said == (
        "after 280 steps figure in validation is 0.5150 at best, 0.5000 for always 'no' (one standard error is 0.02)"
    )
    assert guessed([0.45] * 6, **CHANCE)  # worse
    assert guessed([0.5, 0.52, 0.53, 0.53, 0.53, 0.53], **CHANCE) is None
    assert guessed([0.5, 0.5, 0.5, 0.6, 0.5, 0.5], **CHANCE) is None  # it was better once, and those weights are kept
    assert guessed([0.5] * 6, above={"loss": 0.9}, **CHANCE) is None  # another figure shows that it looks
    assert guessed([0.5] * 6, above={"loss": 1.1}, below={"loss": 0.9}, **CHANCE)
    assert guessed([0.5] * 6, below={"loss": 1.1}, **CHANCE) is None


def test_losses_and_errors_no_better_than_a_guess():
    assert guessed([0.5, 0.499, 0.52])
    assert guessed([0.6, 0.5, 0.49]) is None
    assert guessed([0.6, 0.4, 0.6]) is None


def test_time_to_learn():
    assert guessed([0.5] * 4, steps=16, **CHANCE) is None  # 160 steps
    assert guessed([0.5] * 2, ended=False, **CHANCE) is None
    assert guessed([0.5] * 6, ended=False, **CHANCE)
    early = course(falling(28), [0.5] * 3, name="figure", guess=lambda: Guess("figure", 0.5, "", **CHANCE))
    early.intervals = early.intervals[:12]
    assert guessing(early) is None  # after less than half of the training
    assert guessing(course(falling(28), [0.5] * 6, guess=lambda: None), ended=True) is None


def test_a_short_training_is_spoken_of_where_it_ends_far_above_a_guess():
    assert guessed([1.7, 1.5], steps=8).said == (
        "after 80 steps figure in validation is 1.5000 at best, 0.5000 for always 'no'"
    )
    assert guessed([1.7, 1.4], steps=8) is None  # above it, as a training that has only begun
    assert guessed([1.7, 1.5], steps=8, ended=False) is None
    assert guessed([0.1, 0.1], steps=8, value=0.0) is None  # of a series without surprises
    assert guessed([0.5, 0.5], steps=8, below={"loss": 0.3}, **CHANCE)  # a loss of 1
    assert guessed([0.5, 0.5], steps=8, below={"loss": 0.4}, **CHANCE) is None
    assert guessed([0.5, 0.9], steps=8, below={"loss": 0.3}, **CHANCE) is None  # right, and too sure of the rest
    assert guessed([0.5, 0.5], steps=8, **CHANCE) is None  # of a loss nobody knows


def test_gradients_clipped_at_nearly_every_step():
    found = clipped(course(falling(60), norm=7.0, share=1.0))
    assert found.said == (
        "over the last 300 steps gradients were clipped at 100% of them: their norm is 7 on average, --clip 1"
    )
    assert "--clip to about 7," in found.remedy
    assert clipped(course(falling(60), norm=7.0, share=0.9)) is None
    assert clipped(course(falling(60), norm=1.2, share=1.0)) is None  # only just
    assert clipped(course(falling(20), norm=7.0, share=1.0)) is None  # so far
    late = course(falling(60), norm=7.0, share=1.0)
    late.intervals[-10:] = course(falling(60), norm=0.5).intervals[-10:]
    assert clipped(late) is None


def test_a_learning_rate_that_is_too_high():
    assert "was 2.000 before the first step, and is 3.000" in too_high(course([2.5, 2.8, 3.0, 3.0, 3.0, 3.0])).said
    back = too_high(course([*falling(20), 1.7, 1.8, 1.8, 1.8, 1.9]))
    assert "had come from 2.000 to 0.7" in back.said
    assert "(it is 0.01); the default is 0.004, or" in back.remedy
    careful = course([*falling(20), 1.7, 1.8, 1.8, 1.8, 1.9])
    careful.lr = 0.001
    assert "a tenth of it" in too_high(careful).remedy
    assert too_high(course(falling(28, noise=0.05))) is None
    assert too_high(course([*falling(20), 2.5, 0.7, 0.7, 0.7, 0.6, 0.6])) is None  # it has recovered
    assert too_high(course([2.0, 2.1, 1.9, 2.05, 2.1, 1.95, 2.0])) is None
    noisy = course([2.5, 2.8, 3.0, 3.0, 3.0, 3.0])
    noisy.first_losses = [1.0, 3.0]  # batches differ more than that
    assert too_high(noisy) is None


def test_a_learning_rate_that_is_too_low():
    still = [2.0 - 0.0001 * number for number in range(28)]
    found = too_low(course(still, moved=lambda: 0.001))
    assert found.said == (
        "in 280 steps training loss went from 2.000 to 1.997, and the weights moved by 0.001 of their size"
    )
    assert "raise --lr (it is 0.01, the default is 0.004)" in found.remedy
    assert too_low(course(still, moved=lambda: 0.5)) is None  # they move, and find nothing
    assert too_low(course(falling(28), moved=lambda: 0.001)) is None
    assert too_low(course(still, moved=lambda: None)) is None


def test_noise_is_what_a_trend_is_not():
    draw = random.Random(1)
    assert noise_of([0.1 * n for n in range(50)]) == pytest.approx(0, abs=1e-9)
    assert noise_of([0.1 * n + draw.gauss(0, 0.3) for n in range(500)]) == pytest.approx(0.3, rel=0.15)
    assert noise_of([1.0, 2.0]) == 0.0
