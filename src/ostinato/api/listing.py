"""The run folders in a folder, at a glance."""

from pathlib import Path
from typing import Any

from ostinato.checkpoint import RunFolder
from ostinato.core.errors import RunFolderError


def list_runs(folder: Path) -> list[dict[str, Any]]:
    """One row a run: run, task, cell, steps, epochs, valid_loss, and state (training, finished or damaged)."""
    return [_row(RunFolder(path)) for path in sorted(folder.iterdir()) if _is_run(path)]


def _is_run(path: Path) -> bool:
    try:
        return RunFolder(path).is_run()
    except OSError:  # a folder that may not be looked into
        return False


def _row(run: RunFolder) -> dict[str, Any]:
    row: dict[str, Any] = {"run": str(run.path), "task": "?", "cell": "?", "steps": 0, "epochs": 0}
    row |= {"valid_loss": None, "state": "damaged"}
    try:
        config = run.read_config()
        row |= {"task": config["task"], "cell": config["model"]["cell"], "state": "training"}
        if run.resume_point.exists():
            position = run.resume_point.position()
            best = position.get("best_figures", {}).get("loss", position["best"])
            row |= {"steps": position["step"], "epochs": position["epoch"], "valid_loss": best}
            row["state"] = "finished" if position["finished"] else "training"
    except (RunFolderError, KeyError, TypeError, AttributeError):
        row["state"] = "damaged"
    return row
