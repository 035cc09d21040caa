"""The run folders in a folder, at a glance."""

import math
from pathlib import Path
from typing import Any

import msgspec

from ostinato.checkpoint import RunFolder
from ostinato.core.errors import RunFolderError


class _Config(msgspec.Struct):
    task: str
    model: dict[str, Any]
    data: dict[str, Any] = {}


class _Position(msgspec.Struct):
    """What is shown of where a training stands."""

    step: int
    epoch: int
    finished: bool
    best: float | None = None
    best_figures: dict[str, float] = {}


def list_runs(folder: Path) -> list[dict[str, Any]]:
    """One row a run: run, task, cell, steps, epochs, valid_loss, test and state.

    The state is training (a process is at it), interrupted, finished or damaged; `test` the figures on the test data.
    """
    return [_row(RunFolder(path)) for path in sorted(folder.iterdir()) if _is_run(path)]


def _is_run(path: Path) -> bool:
    try:
        return RunFolder(path).is_run()
    except OSError:  # a folder that may not be looked into
        return False


def _row(run: RunFolder) -> dict[str, Any]:
    row: dict[str, Any] = {"run": str(run.path), "task": "?", "cell": "?", "steps": 0, "epochs": 0}
    row |= {"valid_loss": None, "test": None, "state": "damaged"}
    try:
        return row | _found(run)
    except (RunFolderError, msgspec.ValidationError, OSError, ValueError, RecursionError):
        return row


def _found(run: RunFolder) -> dict[str, Any]:
    config = msgspec.convert(run.read_config(), _Config)
    row: dict[str, Any] = {"task": config.task, "cell": msgspec.convert(config.model.get("cell"), str)}
    under_way = "training" if run.in_use() else "interrupted"
    if not run.resume_point.exists():
        return row | {"state": under_way}
    position = msgspec.convert(run.resume_point.position(), _Position)
    loss = position.best_figures.get("loss", position.best)
    if loss is not None and not math.isfinite(loss):
        raise ValueError("a loss that is no number")
    if not config.data.get("validated", True):
        loss = None  # of what it was trained on
    row |= {"steps": position.step, "epochs": position.epoch, "valid_loss": loss, "test": run.tested()}
    return row | {"state": "finished" if position.finished else under_way}
