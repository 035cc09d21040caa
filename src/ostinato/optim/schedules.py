"""Courses of the learning rate, over progress from 0 to 1 rather than steps: the end may be set by the clock."""

import math
from dataclasses import dataclass
from typing import Any


class Schedule:
    """A factor on the highest learning rate: the same throughout, with nothing to save."""

    def factor(self, progress: float) -> float:
        """The factor at a point of the training: 0 is its start and 1 its end."""
        return 1.0

    def validated(self, improved: bool) -> None:
        """Take note of whether a validation is the best so far."""

    def state_dict(self) -> dict[str, Any]:
        """What to save beside the options."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what was saved."""


@dataclass
class Cosine(Schedule):
    """A straight rise over the first `warmup` share, then half a cosine down to `floor` (Loshchilov, Hutter 2017)."""

    warmup: float = 0.02
    floor: float = 0.01

    def factor(self, progress: float) -> float:
        """The factor at a point of the training."""
        if progress < self.warmup:
            # never 0: the first step should count
            return max(progress / self.warmup, 0.01)
        done = min(1.0, (progress - self.warmup) / (1 - self.warmup))
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass
class Slanted(Schedule):
    """A slanted triangle: a straight rise over the first `warmup` share, then a straight fall (Howard, Ruder 2018,
    arXiv:1801.06146, eq. 3), from and to the highest rate over `ratio`."""

    warmup: float = 0.1
    ratio: float = 32.0

    def factor(self, progress: float) -> float:
        """The factor at a point of the training."""
        if progress < self.warmup:
            height = progress / self.warmup
        else:
            height = 1 - (min(1.0, progress) - self.warmup) / (1 - self.warmup)
        return (1 + height * (self.ratio - 1)) / self.ratio


@dataclass
class Plateau(Schedule):
    """Divided by `divide` at each validation that does not improve on the best."""

    divide: float = 4.0
    current: float = 1.0

    def factor(self, progress: float) -> float:
        """The factor now."""
        return self.current

    def validated(self, improved: bool) -> None:
        """Divide, unless this validation is the best so far."""
        if not improved:
            self.current /= self.divide

    def state_dict(self) -> dict[str, Any]:
        """The factor."""
        return {"current": self.current}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back the factor."""
        self.current = state["current"]


def make_schedule(name: str, *, warmup: float | None = None, lr_divide: float = 4.0) -> Schedule:
    """A schedule by name: "constant", "cosine", "slanted" or "plateau"; its own warm-up where None is said."""
    if name == "cosine":
        return Cosine() if warmup is None else Cosine(warmup)
    if name == "slanted":
        return Slanted() if warmup is None else Slanted(warmup)
    return Plateau(lr_divide) if name == "plateau" else Schedule()
