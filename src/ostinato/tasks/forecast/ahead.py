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
    """Intervals to give, in percent: 50,80,95. By default those of --interval in training, else 80,95."""

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
        return LEVELS if self.levels is None else percents("--levels", self.levels)


def percents(option: str, text: str, whole: int = 100) -> tuple[float, ...]:
    """Levels in percent, ascending, of an option that has them with commas between, as parts of 100 or of 1.

    Raises:
        ConfigError: one is no number between 0 and `whole`.
    """
    try:
        found = [round(float(part) * 100 / whole, 9) for part in text.split(",")]
    except ValueError:
        found = [0.0]
    if not all(0 < level < 100 for level in found):
        what, such = ("percents", "50,80,95") if whole == 100 else ("numbers", "0.8,0.95")
        raise ConfigError(f"{option} {text}: expected {what} between 0 and {whole} with commas between, such as {such}")
    return tuple(sorted(set(found)))


def ends(level: float) -> tuple[float, float]:
    """The shares of outcomes below the low and below the high end of an interval of so many percent."""
    tail = (100 - level) / 200
    return tail, 1 - tail
