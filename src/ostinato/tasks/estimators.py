"""What the estimators of `ostinato.sklearn` ask of the tasks whose models they train on data in memory.

A task that has one says so by `Takes.estimator`, the class's name. In its folder a module `estimator` then holds the
functions of a protocol below: the estimator checks and shapes X and y, the task does the rest.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ostinato.data.series.reading import Series
from ostinato.tasks import OPTIONS
from ostinato.tasks.options import TrainOptions
from ostinato.tasks.trained import Trained


class Estimated(Protocol):
    """What all of them have."""

    def prepare(self, options: Any, columns: Any, data: Any, share: float) -> Any:
        """What `Task.prepare` would have made of files.

        Args:
            options: of the command that trains.
            columns: what is which in the data.
            data: examples, sentences or series, as readers give them.
            share: of them to hold out and to validate on; 0 holds out none.

        Raises:
            DataError: data that cannot be used.
            ConfigError: options that do not go with the data, or with each other.
        """


class Tags(Estimated, Protocol):
    """Of a tagger."""

    def tags(self, run: Trained, sentences: Sequence[list[str]]) -> list[list[str]]:
        """The most probable tags of each sentence's words, by name."""

    def probabilities(self, run: Trained, sentences: Sequence[list[str]], tags: Sequence[str]) -> npt.NDArray[Any]:
        """The probability of each of these tags for every word, `[words, tags]`."""


class Continues(Estimated, Protocol):
    """Of a forecaster. Arrays are in the units of the series: N series, S steps, K targets, Q quantiles."""

    def has_quantiles(self, run: Trained) -> bool:
        """Whether it says how sure it is."""

    def go_on(
        self, run: Trained, series: Sequence[Series], steps: int, shares: Sequence[float]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
        """Forecasts from each series' end, `[N, S, K]`, and the values that these shares of outcomes lie below,
        `[N, S, K, Q]`, where it has any."""

    def backtest(
        self, run: Trained, series: Sequence[Series], origins: Sequence[npt.NDArray[np.int64]]
    ) -> dict[str, Any]:
        """The figures of `ostinato evaluate`, of forecasts from these rows of each series on."""


def find(kind: type) -> tuple[type[TrainOptions], Any]:
    """What training takes of the task that an estimator trains, and the functions that the task has for it.

    Args:
        kind: the estimator's class, or one derived from it.

    Raises:
        KeyError: no task has such a one.
    """
    task_of = {takes.estimator: task for task, takes in OPTIONS.items() if takes.estimator}
    task = task_of[next((one.__name__ for one in kind.__mro__ if one.__name__ in task_of), kind.__name__)]
    return OPTIONS[task].train, import_module(f"ostinato.tasks.{task}.estimator")
