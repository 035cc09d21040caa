"""What a range test has found: losses by learning rate, and the rate that they speak for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, zip_longest
from statistics import fmean, median
from typing import NamedTuple

#: Standard deviation, in steps, of the bell curve that losses are smoothed by: to both sides, so that nothing lags.
WIDTH = 3.0

#: Steps at the lowest rates, which change nothing: what the loss is before it moves, and how far batches differ.
STILL = 10

#: How many times the noise of a smoothed loss it has to fall before that says anything.
CLEAR = 4.0

#: Share of the fall by which a loss may lie above the lowest and count as such.
SAME = 0.1

#: What the rate of the lowest loss is divided by, of an optimiser whose steps are about as long as the rate: it is at
#: the edge of too much.
BACK = 5.0


class Tried(NamedTuple):
    """A step of the test.

    Attributes:
        lr: its learning rate.
        loss: mean loss of its batch, before the weights were changed; infinite where it could not be computed.
    """

    lr: float
    loss: float


@dataclass(frozen=True)
class Rates:
    """Losses by learning rate, lowest rate first.

    Attributes:
        tried: the steps.
        back: what the rate of the lowest loss is divided by.
    """

    tried: Sequence[Tried]
    back: float = BACK

    @cached_property
    def start(self) -> float:
        """The loss before it moves."""
        return fmean(self._finite[:STILL])

    @cached_property
    def noise(self) -> float:
        """Standard deviation of a batch's loss about the course of all, by the median of what lies between two."""
        steps = [abs(b - a) for a, b in pairwise(self._finite)]
        return median(steps) / (0.6745 * math.sqrt(2)) if steps else 0.0

    @cached_property
    def smoothed(self) -> list[float]:
        """The losses, each a weighted mean of those about it; without those that are not finite, which come last."""
        losses, reach = self._finite, round(3 * WIDTH)
        bell = [math.exp(-0.5 * (k / WIDTH) ** 2) for k in range(-reach, reach + 1)]
        found = []
        for middle in range(len(losses)):
            about = range(max(0, middle - reach), min(len(losses), middle + reach + 1))
            weights = [bell[k - middle + reach] for k in about]
            found.append(sum(w * losses[k] for w, k in zip(weights, about, strict=True)) / sum(weights))
        return found

    @cached_property
    def lowest(self) -> int | None:
        """The step at which the smoothed loss is first about as low as it gets; None where it is never clearly below
        the start. What comes behind may be lower by chance: a loss that does not explode goes on and on."""
        if len(self.smoothed) <= STILL:
            return None
        # of so many independent losses as the bell is wide a smoothed one is the mean
        spread = self.noise * math.sqrt(1 / (2 * math.sqrt(math.pi) * WIDTH) + 1 / STILL)
        fall = self.start - min(self.smoothed)
        if fall <= CLEAR * spread:
            return None
        enough = self.start - (1 - SAME) * fall
        return next(step for step, loss in enumerate(self.smoothed) if loss <= enough)

    @cached_property
    def steepest(self) -> int | None:
        """The step, before the lowest loss, at which the smoothed loss falls fastest."""
        if self.lowest is None:
            return None
        falls = [b - a for a, b in pairwise(self.smoothed[: self.lowest + 1])]
        return min(range(len(falls)), key=falls.__getitem__)

    @property
    def exploded(self) -> bool:
        """Whether the loss has risen above where it began by more than it had fallen."""
        losses = self._finite
        if len(losses) < len(self.tried):
            return True
        if len(losses) < 2 * STILL:
            return False
        best = min(fmean(losses[k - 5 : k]) for k in range(5, len(losses) + 1))
        return fmean(losses[-3:]) > self.start + (self.start - best) + 8 * self.noise

    @property
    def suggested(self) -> float | None:
        """The rate that the losses speak for; None where they do not say."""
        return None if self.lowest is None else self.tried[self.lowest].lr / self.back

    def with_means(self) -> list[tuple[Tried, float | None]]:
        """The steps, each with its smoothed loss; None where the loss was not finite."""
        return list(zip_longest(self.tried, self.smoothed))

    @cached_property
    def _finite(self) -> list[float]:
        return [one.loss for one in self.tried if math.isfinite(one.loss)]
