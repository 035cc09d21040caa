"""The views, by name: to look, and to draw what was seen."""

from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ostinato.api.inspecting import drawing, looking
from ostinato.api.inspecting.looking import Run
from ostinato.api.inspecting.output import Folder
from ostinato.checkpoint import RunFolder
from ostinato.config.checks import of_names
from ostinato.config.inspect import VIEWS, InspectOptions
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.core.results import builtins
from ostinato.data.sources.encodings import read_as
from ostinato.data.tables.layout import laid_out
from ostinato.inspection.facts import Files, Inspected


def inspect(
    run: Run | str | PathLike[str],
    view: str,
    out: str | PathLike[str] | None = None,
    *,
    load: Callable[[str | PathLike[str]], Run],
    **options: Any,
) -> Any:
    """Look inside a run: as arrays, or as pictures (PNG and SVG), pages (HTML) and numbers (JSON) in a folder.

    Args:
        run: a trained run, or its folder; "training" needs no weights, so that it works while a run is in its first
            epoch.
        view: "gates", "gradients", "units", "loss" or "training".
        out: folder to write to; it is made where it is not there. None writes nothing.
        load: opens the folder of a run, and of those beside it.
        **options: see `InspectOptions`.

    Returns:
        What `ostinato inspect --json` prints; without `out` the arrays behind it: a `GatesView`, `GradientsView`,
        `UnitsView`, `LossView` or `TrainingView` of `ostinato.inspection`.

    Raises:
        ConfigError: an unknown view or option, or a view that a run of this task does not have.
        DataError: data that cannot be read, or a folder that cannot be written.
        RunFolderError: a run that is missing, damaged or not as far.
    """
    if view not in VIEWS:
        raise ConfigError(unknown_name("unknown view", view, VIEWS))
    wanted = of_names(InspectOptions, options)
    if view == "training":
        path = fspath(run) if isinstance(run, str | PathLike) else str(run.folder.path)
        config = RunFolder(path).read_config()
    else:
        run = load(run) if isinstance(run, str | PathLike) else run
        path, config = str(run.folder.path), run.config
    folder = None if out is None else Folder(fspath(out))
    if view != "training" and not isinstance(run, str | PathLike):
        beside = map(load, wanted.beside) if view == "gradients" else ()
        with read_as(wanted.encoding), laid_out(run.layout):
            found = getattr(looking, view)(run, wanted, *beside)  # the functions bear their views' names
    else:
        found = looking.training(path, wanted)
    if folder is None:
        return found
    getattr(drawing, view)(found, folder, Path(path).name, wanted)
    return builtins(Inspected(run=path, task=config["task"], view=view), found.facts(), Files(files=folder.files))
