"""The views, by name."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from ostinato.api.inspecting import gates, gradients, text, training
from ostinato.api.inspecting.output import Folder
from ostinato.config.inspect import VIEWS, InspectOptions
from ostinato.core.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from ostinato.api.run import Run

_DRAWN: dict[str, Callable[[Run, Folder, InspectOptions], dict[str, Any]]] = {
    "gates": gates.inspect_gates,
    "gradients": gradients.inspect_gradients,
    "units": text.inspect_units,
    "loss": text.inspect_loss,
    "training": training.inspect_training,
}


def inspect(run: Run, view: str, out: str | PathLike[str], **options: Any) -> dict[str, Any]:
    """Look inside a run: pictures as PNG and SVG, pages as HTML and numbers as JSON, in a folder.

    Args:
        run: a trained run.
        view: "gates", "gradients", "units", "loss" or "training".
        out: folder to write to; it is made where it is not there.
        **options: see `InspectOptions`.

    Returns:
        What `ostinato inspect --json` prints.

    Raises:
        ConfigError: an unknown view or option, or a view that a run of this task does not have.
        DataError: data that cannot be read, or a folder that cannot be written.
    """
    if view not in VIEWS:
        raise ConfigError(unknown_name("unknown view", view, VIEWS))
    folder = Folder(fspath(out))
    found = _DRAWN[view](run, folder, InspectOptions(**options))
    return {"run": str(run.folder.path), "task": run.config["task"], "view": view, **found, "files": folder.files}
