"""The views, by name: how to look, and how to draw what was seen."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ostinato.api.inspecting import drawing, looking
from ostinato.api.inspecting.output import Folder
from ostinato.checkpoint import RunFolder
from ostinato.config.checks import of_names
from ostinato.config.inspect import VIEWS, InspectOptions
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.core.results import builtins
from ostinato.data.sources.encodings import read_as
from ostinato.data.tables.layout import laid_out
from ostinato.inspection.facts import Files, Inspected

if TYPE_CHECKING:
    from ostinato.api.run import Run

_LOOK: dict[str, Callable[[Run, InspectOptions], Any]] = {
    "gates": looking.gates,
    "gradients": looking.gradients,
    "units": looking.units,
    "loss": looking.loss,
}
_DRAW: dict[str, Callable[[Any, Folder, str, InspectOptions], None]] = {
    "gates": drawing.gates,
    "gradients": drawing.gradients,
    "units": drawing.units,
    "loss": drawing.loss,
    "training": drawing.training,
}


@overload
def inspect(run: Run | str | PathLike[str], view: str, out: None = None, **options: Any) -> Any: ...


@overload
def inspect(run: Run | str | PathLike[str], view: str, out: str | PathLike[str], **options: Any) -> dict[str, Any]: ...


def inspect(run: Run | str | PathLike[str], view: str, out: str | PathLike[str] | None = None, **options: Any) -> Any:
    """Look inside a run: as arrays, or as pictures (PNG and SVG), pages (HTML) and numbers (JSON) in a folder.

    Args:
        run: a trained run, or its folder; "training" needs no weights, so that it works while a run is in its first
            epoch.
        view: "gates", "gradients", "units", "loss" or "training".
        out: folder to write to; it is made where it is not there. None writes nothing.
        **options: see `InspectOptions`.

    Returns:
        What `ostinato inspect --json` prints; without `out` the arrays behind it: a `GatesView`, `GradientsView`,
        `UnitsView`, `LossView` or `TrainingView` of `ostinato.inspection`.

    Raises:
        ConfigError: an unknown view or option, or a view that a run of this task does not have.
        DataError: data that cannot be read, or a folder that cannot be written.
        RunFolderError: a run that is missing, damaged or not as far.
    """
    from ostinato.api.loading import load
    from ostinato.api.run import Run

    if view not in VIEWS:
        raise ConfigError(unknown_name("unknown view", view, VIEWS))
    wanted = of_names(InspectOptions, options)
    if view == "training":
        path = str(run.folder.path) if isinstance(run, Run) else fspath(run)
        config = RunFolder(path).read_config()
    else:
        run = run if isinstance(run, Run) else load(run)
        path, config = str(run.folder.path), run.config
    folder = None if out is None else Folder(fspath(out))
    if isinstance(run, Run) and view != "training":
        with read_as(wanted.encoding), laid_out(run.layout):
            found = _LOOK[view](run, wanted)
    else:
        found = looking.training(path, wanted)
    if folder is None:
        return found
    _DRAW[view](found, folder, Path(path).name, wanted)
    return builtins(Inspected(run=path, task=config["task"], view=view), found.facts(), Files(files=folder.files))
