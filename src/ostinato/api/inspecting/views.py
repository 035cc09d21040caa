"""The views, by name."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from ostinato.api.inspecting import gates, gradients, text, training
from ostinato.api.inspecting.output import Folder
from ostinato.checkpoint import RunFolder
from ostinato.config.checks import of_names
from ostinato.config.inspect import VIEWS, InspectOptions
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.data.sources.encodings import read_as
from ostinato.data.tables.layout import laid_out

if TYPE_CHECKING:
    from ostinato.api.run import Run

_DRAWN: dict[str, Callable[[Run, Folder, InspectOptions], dict[str, Any]]] = {
    "gates": gates.inspect_gates,
    "gradients": gradients.inspect_gradients,
    "units": text.inspect_units,
    "loss": text.inspect_loss,
}


def inspect(run: Run | str | PathLike[str], view: str, out: str | PathLike[str], **options: Any) -> dict[str, Any]:
    """Look inside a run: pictures as PNG and SVG, pages as HTML and numbers as JSON, in a folder.

    Args:
        run: a trained run, or its folder; "training" needs no weights, so that it works while a run is in its first
            epoch.
        view: "gates", "gradients", "units", "loss" or "training".
        out: folder to write to; it is made where it is not there.
        **options: see `InspectOptions`.

    Returns:
        What `ostinato inspect --json` prints.

    Raises:
        ConfigError: an unknown view or option, or a view that a run of this task does not have.
        DataError: data that cannot be read, or a folder that cannot be written.
        RunFolderError: a run that is missing, damaged or not as far.
    """
    from ostinato.api.loading import load
    from ostinato.api.run import Run

    if view not in VIEWS:
        raise ConfigError(unknown_name("unknown view", view, VIEWS))
    looking = of_names(InspectOptions, options)
    if view == "training":
        path = run.folder.path if isinstance(run, Run) else fspath(run)
        config, folder = RunFolder(path).read_config(), Folder(fspath(out))
        found = training.inspect_training([str(path), *looking.beside], folder)
    else:
        run = run if isinstance(run, Run) else load(run)
        path, config, folder = run.folder.path, run.config, Folder(fspath(out))
        with read_as(looking.encoding), laid_out(run.layout):
            found = _DRAWN[view](run, folder, looking)
    return {"run": str(path), "task": config["task"], "view": view, **found, "files": folder.files}
