"""How a training went, from metrics.jsonl."""

import json
from collections.abc import KeysView
from pathlib import Path

import numpy as np

from ostinato.core.errors import RunFolderError
from ostinato.inspection.arrays import Array

#: What is counted, for the horizontal axis: how far training is.
PROGRESS = ("step", "epoch", "tokens", "examples", "targets", "seconds")


def training_curves(path: str | Path) -> dict[str, dict[str, Array]]:
    """What metrics.jsonl logged, as columns.

    Args:
        path: the file.

    Returns:
        By the name of a figure (loss, lr, gradient_norm, clipped, tokens_per_second, valid_loss, ...) its values, under
        "value", and at each of them how far training was: step, epoch, tokens (or examples, ...) and seconds. `[K]`
        each. `speed` stands for `tokens_per_second` and its likes, whatever is counted.

    Raises:
        RunFolderError: there is no such file, a line of it but the last cannot be read, or nothing is in it yet.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{path}: expected the metrics of a training: {error}") from None
    columns: dict[str, list[tuple[float, dict[str, float]]]] = {}
    axes: KeysView[str] | None = None  # every line counts the same
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            if number == len(lines):
                break  # a line that is being written, or was when the power failed
            raise RunFolderError(f"{path}, line {number}: damaged; expected a JSON object of numbers") from None
        if isinstance(found, dict) and "advice" in found:  # words
            continue
        try:
            where = {name: float(found.pop(name)) for name in PROGRESS if name in found}
            values = {name: float(value) for name, value in found.items()}
            if axes is not None and where.keys() != axes:
                raise ValueError(where)
            axes = where.keys()
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise RunFolderError(f"{path}, line {number}: damaged; expected a JSON object of numbers") from None
        for name, value in values.items():
            columns.setdefault("speed" if name.endswith("_per_second") else name, []).append((value, where))
    if not columns:
        raise RunFolderError(f"{path}: nothing is logged yet; train for an interval first")
    return {
        name: {"value": np.array([value for value, _ in rows])}
        | {axis: np.array([where[axis] for _, where in rows]) for axis in rows[0][1]}
        for name, rows in columns.items()
    }
