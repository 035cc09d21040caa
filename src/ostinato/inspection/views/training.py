"""training: how trainings went, beside each other."""

from dataclasses import dataclass

import numpy as np

from ostinato.inspection.arrays import Array
from ostinato.inspection.facts import TrainingFacts, TrainingRow


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
