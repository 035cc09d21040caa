"""training: how trainings went, beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ostinato.inspection.arrays import Array
from ostinato.inspection.facts import TrainingFacts, TrainingRow
from ostinato.inspection.training import training_curves


@dataclass(frozen=True)
class TrainingView:
    """The courses of trainings.

    Attributes:
        tasks: by run folder.
        curves: by run folder, what `training_curves` gives.
    """

    tasks: dict[str, str]
    curves: dict[str, dict[str, dict[str, Array]]]

    def facts(self) -> TrainingFacts:
        """What is printed."""
        return TrainingFacts(runs=[_row(run, self.tasks[run], found) for run, found in self.curves.items()])


def training_view(metrics: Mapping[str, str | Path], tasks: Mapping[str, str]) -> TrainingView:
    """Read what trainings logged.

    Args:
        metrics: a metrics.jsonl by run folder.
        tasks: the task by run folder.

    Raises:
        RunFolderError: a file is missing or damaged, or nothing is in it yet.
    """
    return TrainingView(dict(tasks), {run: training_curves(path) for run, path in metrics.items()})


def _row(run: str, task: str, curves: dict[str, dict[str, Array]]) -> TrainingRow:
    def last(name: str) -> float | None:
        return float(curves[name]["value"][-1]) if name in curves else None

    def middle(name: str) -> float | None:
        return float(np.median(curves[name]["value"])) if name in curves else None

    return TrainingRow(
        run=run,
        task=task,
        steps=int(max(columns["step"].max() for columns in curves.values())),
        seconds=float(max(columns["seconds"].max() for columns in curves.values())),
        loss=last("loss"),
        valid_loss=float(curves["valid_loss"]["value"].min()) if "valid_loss" in curves else None,
        lr=last("lr"),
        gradient_norm=middle("gradient_norm"),
        clipped=float(curves["clipped"]["value"].mean()) if "clipped" in curves else None,
        speed=middle("speed"),
    )
