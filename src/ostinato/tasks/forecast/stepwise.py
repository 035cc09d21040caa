"""Series that come row by row."""

from collections.abc import Mapping
from typing import Any

import torch

from ostinato.core.errors import DataError
from ostinato.data.sources.memory import given
from ostinato.tasks.contract import Predicts
from ostinato.tasks.forecast.continuing import rows_looked_at
from ostinato.tasks.forecast.options import AskForecast
from ostinato.tasks.trained import Trained


class StepsOfSeries:
    """A series of which each row is answered with how it goes on, as `predict` says it.

    A model sees a window, and begins it anew: so do these steps, and keep no more rows than that takes.
    """

    def __init__(self, task: Predicts, run: Trained) -> None:
        self._task, self._run = task, run
        self._rows: list[Mapping[str, Any]] = []
        self._kept, self._gone = rows_looked_at(run.codec.shape), 0

    @torch.no_grad()
    def push(self, step: Any) -> list[dict[str, Any]] | None:
        """How the series goes on after one more row, its cells by column; None until there is a window of them.

        Raises:
            DataError: no row, or one that is not the next of this series.
        """
        if not isinstance(step, dict) or any(isinstance(cell, list | dict) for cell in step.values()):
            raise DataError("step: expected a row, its cells by column")
        rows = [*self._rows, step][-self._kept :]
        gone = self._gone + len(self._rows) + 1 - len(rows)
        data = given([rows])
        with data.within():
            examples = list(self._task.read(self._run, data.names[0]))
            if len(examples) != 1 or len(examples[0].series) < len(rows):
                raise DataError("step: expected the next row of one series, later than those before")
            self._rows, self._gone = rows, gone
            if len(examples[0].series) < self._run.codec.shape.window:
                return None
            answers = list(self._task.answer(self._run, examples, AskForecast()))
        counted = self._run.codec.time_columns() == ("row",)
        return [answer | ({"row": str(int(answer["row"]) + gone)} if counted else {}) for answer in answers]
