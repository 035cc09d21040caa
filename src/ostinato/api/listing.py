"""The run folders in a folder, at a glance."""

import math
from pathlib import Path
from typing import Any

import msgspec

from ostinato.api.results import RunRow
from ostinato.checkpoint import RunFolder
from ostinato.core.errors import RunFolderError


class _Config(msgspec.Struct):
    task: str
    model: dict[str, Any]
    data: dict[str, Any] = {}


def list_runs(folder: Path) -> list[RunRow]:
    """One row a run, by name."""
    return [row_of(path) for path in run_folders(folder)]


def run_folders(folder: Path) -> list[Path]:
    """Those that a folder holds, by name."""
    return [path for path in sorted(folder.iterdir()) if _is_run(path)]


def _is_run(path: Path) -> bool:
    try:
        return RunFolder(path).is_run()
    except OSError:  # a folder that may not be looked into
        return False


def row_of(path: Path) -> RunRow:
    """A run folder at a glance; a damaged one is no error."""
    run = RunFolder(path)
    try:
        return _found(run)
    except (RunFolderError, msgspec.ValidationError, OSError, ValueError, RecursionError):
        return RunRow(run=str(run.path))


def _found(run: RunFolder) -> RunRow:
    config = msgspec.convert(run.read_config(), _Config)
    row = RunRow(run=str(run.path), task=config.task, cell=msgspec.convert(config.model.get("cell"), str))
    row.state = "training" if run.in_use() else "interrupted"
    if not run.resume_point.exists():
        return row
    position = run.resume_point.position()
    loss = position.best_figures.get("loss", position.best)
    if loss is not None and not math.isfinite(loss):
        raise ValueError("a loss that is no number")
    if not config.data.get("validated", True):
        loss = None  # of what it was trained on
    row.steps, row.epochs, row.valid_loss, row.test = position.step, position.epoch, loss, run.test_figures()
    if position.finished:
        row.state = "finished"
    return row
