"""The run to look into where nobody has chosen one: the newest whose training went well."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ostinato.advice import words
from ostinato.checkpoint import RunFolder
from ostinato.core.advice import NOT_FINITE
from ostinato.core.files import in_utf8
from ostinato.studio.runs import rows
from ostinato.training.metrics import said_in

#: What is said of a training whose weights are worth no look inside while there are others.
_WRONG = frozenset({NOT_FINITE, words.GUESSING, words.TOO_HIGH})


def newest(folder: Path) -> dict[str, Any]:
    """Name of the newest trained run that went well.

    Returns:
        `name`, None where there is no run that is trained; `wrong`: whether none went well, and so it is the newest of
        all.
    """
    trained = [row for row in rows(folder) if row["trained"] and row["state"] != "damaged"]
    for row in trained:
        if went_well(RunFolder(row["run"]).under_way):
            return {"name": row["name"], "wrong": False}
    return {"name": trained[0]["name"] if trained else None, "wrong": bool(trained)}


def went_well(run: RunFolder) -> bool:
    """Whether nothing was said of the training that leaves weights without a use, and all of them are numbers."""
    return _WRONG.isdisjoint(advice.name for advice in said_in(run.metrics)) and _finite(run.weights)


def _finite(weights: Path) -> bool:
    try:
        with in_utf8(weights) as name, safe_open(name, framework="pt") as file:
            # one at a time: a model may be large
            return all(bool(file.get_tensor(key).isfinite().all()) for key in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError):
        return False
