"""Format numpy: one file for the runtime without torch, `ostinato.runtime.load`, checked there."""

from pathlib import Path
from typing import Any

from ostinato.api.exporting.describing import apart_from_run, described_or_refused
from ostinato.api.results import Exported, ExportedFile
from ostinato.api.run import Run
from ostinato.checkpoint.resume_point import model_tensors
from ostinato.config.export import Export
from ostinato.core.errors import ConfigError, DataError
from ostinato.interop.outgoing.described import Arrays, flat
from ostinato.runtime.archive import read
from ostinato.runtime.archive import write as write_archive
from ostinato.runtime.loading import whole_model

SUFFIX = ".npz"


def write(run: Run, options: Export, folder: Path, *, single: bool) -> Exported:
    """Write the file, and check what is loaded of it."""
    described = described_or_refused(run, "numpy")
    weights = {name: tensor.detach().numpy() for name, tensor in model_tensors(run.model).items()}
    path = folder / f"model{SUFFIX}"
    about = {"kind": described.kind, "task": run.config["task"], "model": run.config["model"], **described.about}
    write_archive(path, about, weights | described.arrays)
    try:
        loaded = whole_model(read(path))
    except ConfigError as error:
        raise DataError(
            f"--to numpy: {str(error).removeprefix(f'{path}: ')}; --to onnx has every cell; nothing is written"
        ) from None

    def answers(inputs: Arrays) -> list[Any]:
        return list(flat(loaded.numbers(**inputs)))

    checked, apart = apart_from_run(run, described, answers, "numpy", getattr(loaded, "write", None))
    files = [ExportedFile(file=path.name, bytes=path.stat().st_size)]
    task = run.config["task"]
    return Exported(run=options.run, task=task, to="numpy", files=files, checked=checked, difference=apart)
