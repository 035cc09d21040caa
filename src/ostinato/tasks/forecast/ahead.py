"""What is forecast, from what, and how sure it is said to be."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ostinato.config.checks import at_least
from ostinato.core.errors import ConfigError

#: What can be said of a step: a file in `heads` is all that one more takes.
HEADS = tuple(sorted(file.stem for file in (Path(__file__).parent / "heads").glob("[!_]*.py")))

if TYPE_CHECKING:
    Head = str
else:
    Head = Literal[HEADS]

#: Quantiles that the quantile head learns: the median, and the intervals of 50, 80 and 95 %.
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)

#: Intervals that a forecast comes with, in percent, where nobody says which.
LEVELS = (80.0, 95.0)


@dataclass(frozen=True)
class ForecastOptions:
    """How surely, and how far."""

    levels: Annotated[str | None, tyro.conf.arg(metavar="P,..")] = None
    """Intervals to give, in percent: 50,80,95. By default 80,95."""

    steps: Annotated[int | None, tyro.conf.arg(metavar="S")] = None
    """Rows to forecast. By default the horizon trained for; further ones rest on forecasts taken for what came."""

    def __post_init__(self) -> None:
        if self.steps is not None:
            at_least(steps=(self.steps, 1))
        _ = self.intervals

    @property
    def intervals(self) -> tuple[float, ...]:
        """`levels` as numbers, ascending.

        Raises:
            ConfigError: one is no number between 0 and 100.
        """
        if self.levels is None:
            return LEVELS
        try:
            found = [float(part) for part in self.levels.split(",")]
        except ValueError:
            found = [0.0]
        if not all(0 < level < 100 for level in found):
            raise ConfigError(
                f"--levels {self.levels}: expected percents between 0 and 100 with commas between, such as 50,80,95"
            )
        return tuple(sorted(set(found)))


def ends(level: float) -> tuple[float, float]:
    """The shares of outcomes below the low and below the high end of an interval of so many percent."""
    tail = (100 - level) / 200
    return tail, 1 - tail
