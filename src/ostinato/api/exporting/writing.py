"""One way for all formats: open, write elsewhere, check, move."""

import tempfile
from collections.abc import Callable
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Protocol, cast

from ostinato.api.exporting.layers import WRITERS, steps_first
from ostinato.api.exporting.placing import Place
from ostinato.api.results import Exported
from ostinato.api.run import Run, load
from ostinato.config.checks import of_names
from ostinato.config.export import FORMATS, Export
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.layers.eight_bits import INT8
from ostinato.layers.recurrent import Recurrent


class FormatModule(Protocol):
    """What the module of a format has.

    Attributes:
        SUFFIX: of a format that can be one file, such as ".onnx"; empty of one that never is.
    """

    SUFFIX: str

    def write(self, run: Run, options: Export, folder: Path, *, single: bool) -> Exported:
        """Write a run's files to a folder, and check them against the run.

        Args:
            run: the model, and what it takes to use it.
            options: of the command.
            folder: empty.
            single: whether it has to be one file.

        Returns:
            The result, its files named as in the folder.

        Raises:
            ConfigError: an option that does not go with the run, or a package that is missing.
            DataError: a model that the format cannot hold, or files that do not answer as the run does.
        """


def export_run(run: Run, options: Export) -> Exported:
    """Write a run for another program; what `export` raises."""
    if run.members:
        raise ConfigError("export writes one run, and this is an ensemble of several: load one of them")
    form = cast("FormatModule", import_module(f"ostinato.api.exporting.{options.to}"))
    if options.to != INT8 and any(getattr(module, "weights", None) == INT8 for module in run.model.modules()):
        run = load(run.folder.path, weights="float32")  # the numbers that the whole ones stand for
    return _placed(options, form.SUFFIX, lambda folder, single: form.write(run, options, folder, single=single))


def export_layer(layer: Recurrent, options: Export) -> Exported:
    """Write a layer alone for another program; what `export` raises."""
    if options.to not in WRITERS:
        raise ConfigError(f"to: a layer alone is written to {', '.join(WRITERS)}; {options.to!r} takes a run")
    suffix, write = WRITERS[options.to]
    same = steps_first(layer)
    return _placed(options, suffix, lambda folder, single: write(same, options, folder))


def _placed(options: Export, suffix: str, write: Callable[[Path, bool], Exported]) -> Exported:
    """Have files written elsewhere, and moved once they are whole."""
    place = Place(options.out, suffix, overwrite=options.overwrite)
    with tempfile.TemporaryDirectory(prefix="ostinato-export-") as folder:
        said = write(Path(folder), place.is_file)
        place.move(Path(folder))
    for file in said.files:
        file.file = fspath(place.out if place.is_file else place.out / file.file)
    return said


def export(
    run: Run | Recurrent | str | PathLike[str], *, to: str, out: str | PathLike[str], **options: Any
) -> Exported:
    """Write a run, or a layer, for programs that know nothing of Ostinato, and check what was written against it.

        ostinato.export("runs/book", to="onnx", out="book.onnx")
        ostinato.export(ostinato.LSTM(3, 5), to="numpy", out="lstm.npz")

    Args:
        run: a run, its folder, or a recurrent layer. What is written of a layer takes sequences steps first.
        to: the format: "onnx", "torch", "numpy", "int8" or "c"; of a layer one of the first three, or "c".
        out: folder to write to; or, where the format is one file, a file of its ending.
        **options: those of `ostinato export` that the format takes, with underscores: `opset=18`, `overwrite=True`.

    Returns:
        What `ostinato export --json` prints: files, with what goes in and comes out, and the largest difference from
        the run that was measured.

    Raises:
        ConfigError: an unknown format or option, one the format has no use for, or a package that is missing.
        DataError: a model that the format cannot hold, files that do not answer as the run does, or something in the
            way.
    """
    if to not in FORMATS:
        raise ConfigError(unknown_name("to: unknown format", to, FORMATS))
    if isinstance(run, Recurrent):
        return export_layer(run, of_names(Export, {"run": "layer", "to": to, "out": fspath(out), **options}))
    opened = run if isinstance(run, Run) else load(run)
    given = {"run": str(opened.folder.path), "to": to, "out": fspath(out), **options}
    return export_run(opened, of_names(Export, given))
