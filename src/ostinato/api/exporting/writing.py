"""One way for all formats: open, write elsewhere, check, move once all files are whole."""

import os
import tempfile
from collections.abc import Callable
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Protocol, cast

from ostinato.api.exporting.layers import WRITERS, steps_first
from ostinato.api.results import Exported
from ostinato.api.run import Run, load
from ostinato.config.checks import of_names
from ostinato.config.export import FORMATS, Export
from ostinato.core.errors import ConfigError, DataError, unknown_name
from ostinato.core.files import replacing
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


class Place:
    """What `--out` names: a file, where it has the ending of a format that is one file; else a folder.

    Args:
        out: as given.
        suffix: of a format that can be one file, such as ".onnx"; empty of one that never is.
        overwrite: whether files of the same names may be replaced.

    Raises:
        DataError: something stands in the way.
    """

    def __init__(self, out: str, suffix: str, *, overwrite: bool) -> None:
        self.out, self._overwrite = Path(out), overwrite
        self.is_file = bool(suffix) and self.out.suffix.lower() == suffix
        if self.out.is_dir() and self.is_file:
            raise DataError(f"--out {out}: expected a file, found a folder; choose another name")
        if self.out.exists() and not self.out.is_dir() and not self.is_file:
            raise DataError(f"--out {out}: expected a folder, found a file; choose another name")
        standing = self.out.exists() if self.is_file else self.out.is_dir() and any(self.out.iterdir())
        if standing and not overwrite:
            what = "is there already" if self.is_file else "holds files already"
            raise DataError(f"--out {out}: {what}; replace by --overwrite, or choose another name")
        above = next(parent for parent in self.out.absolute().parents if parent.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise DataError(f"--out {out}: cannot be written: {above} is no folder to write to; choose another place")

    def move(self, folder: Path) -> list[Path]:
        """Put all files of a folder in place; returns where they are.

        Raises:
            DataError: they cannot be written there.
        """
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        targets = [self.out] if self.is_file else [self.out / path.relative_to(folder) for path in files]
        try:
            for path, target in zip(files, targets, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target) as file:
                    file.write(path.read_bytes())
        except OSError as error:
            raise DataError(f"--out {self.out}: cannot be written: {error.strerror}; choose another place") from None
        return targets
