"""training: its course, several runs on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ostinato.api.inspecting.output import Folder, rounded
from ostinato.checkpoint import RunFolder
from ostinato.inspection import training_curves
from ostinato.plots.courses import training_sheet


def inspect_training(runs: Sequence[str], folder: Folder) -> dict[str, Any]:
    """Loss, learning rate, gradient norm, clipped share and speed of runs, on one sheet."""
    configs = {path: RunFolder(path).read_config() for path in runs}
    curves = {path: training_curves(RunFolder(path).metrics) for path in configs}
    folder.picture("training", lambda files: training_sheet(_labelled(curves), files))
    result = {"runs": [_summary(path, configs[path]["task"], found) for path, found in curves.items()]}
    values = {
        path: {name: {axis: rounded(column.tolist()) for axis, column in columns.items()}
               for name, columns in found.items()}
        for path, found in curves.items()
    }  # fmt: skip
    folder.numbers("training", {**result, "curves": values})
    return result


def _labelled(curves: dict[str, Any]) -> dict[str, Any]:
    """By the folders' names, where these differ."""
    names = [path.rstrip("/").rsplit("/", 1)[-1] for path in curves]
    return dict(zip(names, curves.values(), strict=True)) if len(set(names)) == len(names) else curves


def _summary(path: str, task: str, curves: dict[str, Any]) -> dict[str, Any]:
    def last(name: str) -> float | None:
        return float(curves[name]["value"][-1]) if name in curves else None

    def middle(name: str) -> float | None:
        return float(np.median(curves[name]["value"])) if name in curves else None

    return {
        "run": path,
        "task": task,
        "steps": int(max(columns["step"].max() for columns in curves.values())),
        "seconds": float(max(columns["seconds"].max() for columns in curves.values())),
        "loss": last("loss"),
        "valid_loss": float(curves["valid_loss"]["value"].min()) if "valid_loss" in curves else None,
        "lr": last("lr"),
        "gradient_norm": middle("gradient_norm"),
        "clipped": float(curves["clipped"]["value"].mean()) if "clipped" in curves else None,
        "speed": middle("speed"),
    }
