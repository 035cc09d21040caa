"""Series that come row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from ostinato.core.errors import DataError
from ostinato.data.sources.memory import given
from ostinato.tasks.contract import Predicts
from ostinato.tasks.forecast.continuing import rows_looked_at
from ostinato.tasks.forecast.options import AskForecast
from ostinato.tasks.trained import Trained


@dataclass(eq=False)
class _Series:
    """The last rows of a series, as many as a forecast looks at, and how many came before."""

    rows: list[Mapping[str, Any]] = field(default_factory=list)
    gone: int = 0


class _Grown(NamedTuple):
    """A series with one more row; and what is read of it, once there is a window of rows."""

    rows: list[Mapping[str, Any]]
    gone: int
    examples: Any


class StepsOfSeries:
    """Series of which each row is answered with how it goes on, as `predict` says it.

    A model sees a window, and begins it anew: so do these steps, and keep no more rows than that takes.

    Attributes:
        at_once: one: what is drawn at random for a series must not depend on those beside it.
    """

    at_once = 1

    def __init__(self, task: Predicts, run: Trained) -> None:
        self._task, self._run = task, run
        self._kept = rows_looked_at(run.codec.shape)

    def begin(self) -> _Series:
        """A new series."""
        return _Series()

    def read(self, sequence: _Series, step: Any) -> _Grown:
        """A series with one more row, its cells by column.

        Raises:
            DataError: no row, or one that is not the next of this series.
        """
        if not isinstance(step, dict) or any(isinstance(cell, list | dict) for cell in step.values()):
            raise DataError("step: expected a row, its cells by column")
        rows = [*sequence.rows, step][-self._kept :]
        gone = sequence.gone + len(sequence.rows) + 1 - len(rows)
        data = given([rows])
        with data.within():
            # of the few rows that are kept little is to be learned, and it would take more than the forecast itself
            examples = [each._replace(follows=False) for each in self._task.read(self._run, data.names[0])]
        if len(examples) != 1 or len(examples[0].series) < len(rows):
            raise DataError("step: expected the next row of one series, later than those before")
        return _Grown(rows, gone, examples if len(examples[0].series) >= self._run.codec.shape.window else None)

    @torch.no_grad()
    def push(self, sequences: Sequence[_Series], read: Sequence[_Grown]) -> list[list[dict[str, Any]] | None]:
        """How each series goes on after one more row; None until there is a window of them."""
        found = []
        for series, grown in zip(sequences, read, strict=True):
            series.rows, series.gone = grown.rows, grown.gone
            found.append(None if grown.examples is None else self._answers(grown))
        return found

    def _answers(self, grown: _Grown) -> list[dict[str, Any]]:
        answers = self._task.answer(self._run, grown.examples, AskForecast())
        counted = self._run.codec.time_columns() == ("row",)
        return [answer | ({"row": str(int(answer["row"]) + grown.gone)} if counted else {}) for answer in answers]
