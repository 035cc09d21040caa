"""What a training's figures say of it: rules that look at losses, norms and validations alone.

Each rule gives a piece of advice or None, from all that has happened so far; asked at the end again, it says whether it
still holds. They are made to be silent where they are in doubt: `docs/adr/0067-words-for-what-goes-wrong.md` has the
reasons, and the trainings on which their bounds were found.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from statistics import fmean, median, pstdev

from ostinato.advice import words
from ostinato.core.advice import Advice
from ostinato.core.figures import shown
from ostinato.training.events import Trained, Validated
from ostinato.training.job import Guess

#: Validations that must be worse than the best one before a rise is believed.
RISING = 3
#: Share of a loss that a rise, or a fall, must be worth besides standing out of the noise.
NOTABLE = 0.02
#: Share of the training after which a model that is no better than guessing is worth a word, and steps.
TIME_TO_LEARN, STEPS_TO_LEARN = 0.6, 200
#: A loss or error at least this share of a guess's is no better.
AS_GOOD = 0.99
#: How many times a guess's loss or error the best one must be to be far above it: that is no matter of time to learn.
FAR_ABOVE = 3.0
#: Share of the steps whose gradient is clipped from which on that is "nearly every one", over so many steps; and how
#: many times longer than the bound gradients must be, as one that is only just clipped loses nothing.
NEARLY_ALL, STEPS_CLIPPED, LONGER = 0.97, 200, 3.0
#: Parts that a training's loss is looked at in, and steps of each at least: single batches say too little. So many of
#: them in a row have to be worse than the beginning, and by what share of it.
PARTS, STEPS_A_PART, BAD_PARTS, WORSE = 30, 10, 3, 0.2
#: What weights have moved by, as a share of their size, where a learning rate is too low; and the loss.
MOVED, HARDLY = 0.05, 0.03


@dataclass
class Course:
    """All that has happened in a training.

    Attributes:
        measured: what validations measure: "validation", or "fit" where it is the training data.
        intervals: in order.
        validations: in order.
        first_losses: of some batches before the first step; none where the training does not begin with random weights.
        moved: how far the weights have moved since, as a share of their size; None where nobody knows.
        clip: the bound of gradients' norms; 0 for none.
        lr: the highest learning rate.
        default_lr: that which it would be by default.
        chooses: whether weights are chosen by validations; else the last are kept.
        guess: gives what guessing is worth; asked once, where a rule wants it.
    """

    measured: str = "validation"
    intervals: list[Trained] = field(default_factory=list)
    validations: list[Validated] = field(default_factory=list)
    first_losses: list[float] = field(default_factory=list)
    moved: Callable[[], float | None] = lambda: None
    clip: float = 0.0
    lr: float = 0.0
    default_lr: float = 0.0
    chooses: bool = True
    guess: Callable[[], Guess | None] = lambda: None

    @property
    def step(self) -> int:
        """Steps so far."""
        return max((each[-1].at.step for each in (self.intervals, self.validations) if each), default=0)

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        return max((each[-1].at.progress for each in (self.intervals, self.validations) if each), default=0.0)

    def parts(self) -> list[float]:
        """Training losses of about `PARTS` parts of the whole training, so far as it has come; the last one is left out
        until it is complete."""
        size = max(STEPS_A_PART, self.step / max(self.progress, 1e-9) / PARTS)
        found, begin, total, last = [], 0, 0.0, 0
        for each in self.intervals:
            total, last = total + each.figures["loss"] * (each.at.step - last), each.at.step
            if last - begin >= size:
                found.append(total / (last - begin))
                begin, total = last, 0.0
        return found

    def trained_until(self, step: int, span: int) -> list[float]:
        """Training losses of the intervals that ended in the `span` steps up to that one."""
        return [each.figures["loss"] for each in self.intervals if step - span < each.at.step <= step]


def overfitting(course: Course, *, ended: bool = False) -> Advice | None:
    """Training loss falls while validation loss rises, for `RISING` validations and by more than noise; and the figure
    that weights are chosen by has not improved meanwhile."""
    seen, losses = course.validations, [each.figures["loss"] for each in course.validations]
    if course.measured != "validation" or len(seen) <= RISING or any(each.best for each in seen[-RISING:]):
        return None
    lowest = losses.index(min(losses))
    if len(losses) - 1 - lowest < RISING:
        return None
    then, now = seen[lowest].at.step, seen[-1].at.step
    rise = min(losses[-RISING:]) - losses[lowest]
    if rise <= max(2 * noise_of(losses), NOTABLE * abs(losses[lowest])):
        return None
    span = max((b.at.step - a.at.step for a, b in pairwise(seen)), default=now)
    before, after = course.trained_until(then, span), course.trained_until(now, span)
    if not before or not after:
        return None
    fall, scatter = fmean(before) - fmean(after), _error_of_mean(before) + _error_of_mean(after)
    if fall <= max(2 * scatter, NOTABLE * abs(fmean(before))):
        return None
    said = (
        f"since step {then:,} training loss fell from {shown(fmean(before), 3)} to {shown(fmean(after), 3)} while "
        f"validation loss rose from {shown(losses[lowest], 3)} to {shown(losses[-1], 3)}"
    )
    kept = "the best weights are kept, so what comes after them is time lost" if course.chooses else "the last weights"
    return words.advice(words.OVERFITTING, said, kept=kept if course.chooses else f"{kept} are kept all the same")


def guessing(course: Course, *, ended: bool = False) -> Advice | None:
    """No better than a guess, of which the task says what it is worth: after most of the training, or at its end; and
    of a training that was too short to learn only where it ends far above the guess."""
    seen, enough = course.validations, course.step >= STEPS_TO_LEARN
    late = enough and course.progress >= TIME_TO_LEARN and len(seen) >= RISING
    if not seen or not (late or ended):
        return None
    guess = course.guess()
    if guess is None or guess.figure not in seen[0].figures or not (enough or _far_above(seen, guess)):
        return None
    values = [each.figures[guess.figure] for each in seen]
    if not _no_better(values, guess) or _otherwise_better(seen, guess):
        return None
    name, best = guess.figure.replace("_", " "), (max if guess.higher else min)(values)
    worth = f"{shown(guess.value)} for {guess.what}"
    chance = f" (one standard error is {shown(guess.spread)})" if guess.spread else ""
    measured = "on what was trained on" if course.measured == "fit" else "in validation"
    return words.advice(
        words.GUESSING, f"after {course.step:,} steps {name} {measured} is {shown(best)} at best, {worth}{chance}"
    )


def _no_better(values: Sequence[float], guess: Guess) -> bool:
    """Whether validations are as a guess would have them. With a known spread the later half of them must lie about
    the guess and the best within one of it; else the best must be hardly better than it."""
    best, later = (max if guess.higher else min)(values), values[len(values) // 2 :]
    if guess.spread:
        sign = 1 if guess.higher else -1
        above = sign * (fmean(later) - guess.value)
        return above <= 0.5 * guess.spread and sign * (best - guess.value) <= guess.spread
    if guess.higher:
        return best <= guess.value
    return best >= guess.value - (1 - AS_GOOD) * abs(guess.value)


def _far_above(seen: Sequence[Validated], guess: Guess) -> bool:
    """Whether the best loss or error is a multiple of a guess's. One of nothing has no multiple: an error of 0 is that
    of a series without surprises, which a short training cannot be blamed for."""
    known = dict(guess.below) if guess.higher else {guess.figure: guess.value}
    return any(
        value > 0 and min(each.figures.get(name, 0.0) for each in seen) >= FAR_ABOVE * value
        for name, value in known.items()
    )


def _otherwise_better(seen: Sequence[Validated], guess: Guess) -> bool:
    """Whether another figure shows that the model looks at what it is given."""
    return any(
        any(each.figures.get(name, value) > value for name, value in guess.above.items())
        or any(each.figures.get(name, value) < value for name, value in guess.below.items())
        for each in seen
    )


def clipped(course: Course, *, ended: bool = False) -> Advice | None:
    """The gradient is clipped at nearly every step, and by far, for the later half of a training so far."""
    if not course.clip:
        return None
    begin = max(course.step // 2, 50)
    steps = shares = norms = 0.0
    for before, after in pairwise(course.intervals):
        if before.at.step >= begin:
            count = after.at.step - before.at.step
            steps, shares = steps + count, shares + count * after.clipped
            norms += count * after.gradient_norm
    if steps < STEPS_CLIPPED or shares < NEARLY_ALL * steps or norms < LONGER * course.clip * steps:
        return None
    said = (
        f"over the last {steps:,.0f} steps gradients were clipped at {shares / steps:.0%} of them: their norm is "
        f"{norms / steps:.3g} on average, --clip {course.clip:g}"
    )
    return words.advice(words.CLIPPED, said, norm=f"{norms / steps:.2g}")


def too_high(course: Course, *, ended: bool = False) -> Advice | None:
    """Training loss stays above where it began, or loses again half of what it had gained, for a tenth of it."""
    losses = course.parts()
    if len(course.first_losses) < 2 or len(losses) < BAD_PARTS:
        return None
    began, lowest, recent = fmean(course.first_losses), min(losses), losses[-BAD_PARTS:]
    doubt, scatter = 3 * pstdev(course.first_losses), 5 * noise_of(losses)
    if min(recent) - began > max(doubt, WORSE * abs(began)):
        said = f"training loss was {shown(began, 3)} before the first step, and is {shown(median(recent), 3)}"
    else:
        gained = began - lowest
        if gained <= max(doubt, scatter, WORSE * abs(began)) or min(recent) - lowest <= max(scatter, 0.5 * gained):
            return None
        said = f"training loss had come from {shown(began, 3)} to {shown(lowest, 3)}, and is back at "
        said += shown(median(recent), 3)
    lower = f"the default is {course.default_lr:g}" if course.lr > course.default_lr else "a tenth of it"
    return words.advice(words.TOO_HIGH, f"{said} at step {course.step:,}", lr=course.lr, lower=lower)


def too_low(course: Course, *, ended: bool = False) -> Advice | None:
    """In half of the training neither the loss nor the weights have moved to speak of."""
    losses = course.parts()
    if course.step < STEPS_TO_LEARN or course.progress < 0.5 or len(course.first_losses) < 2 or not losses:
        return None
    began, recent = fmean(course.first_losses), fmean(losses[-BAD_PARTS:])
    if abs(began - recent) > HARDLY * abs(began):
        return None
    moved = course.moved()
    if moved is None or moved >= MOVED:
        return None
    said = (
        f"in {course.step:,} steps training loss went from {shown(began, 3)} to {shown(recent, 3)}, and the weights "
        f"moved by {moved:.2g} of their size"
    )
    return words.advice(words.TOO_LOW, said, lr=course.lr, default=course.default_lr)


#: In the order in which they are asked.
RULES: tuple[Callable[..., Advice | None], ...] = (too_high, too_low, overfitting, guessing, clipped)


def noise_of(values: Sequence[float]) -> float:
    """How far values that follow each other scatter about their course: a standard deviation, by the median distance
    of each from the middle of its neighbours, which a trend does not add to."""
    off = [abs(b - (a + c) / 2) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    finite = [each for each in off if isfinite(each)]
    return 1.4826 * median(finite) / 1.5**0.5 if finite else 0.0


def _error_of_mean(values: Sequence[float]) -> float:
    return pstdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
