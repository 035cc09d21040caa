"""Format int8: a run folder like the run's own, its matrices in 8 bits, which every command reads."""

from pathlib import Path

from ostinato.api.results import Exported, ExportedFile
from ostinato.api.run import Run, load
from ostinato.checkpoint import RunFolder
from ostinato.config.export import Export
from ostinato.core.errors import ConfigError
from ostinato.layers.eight_bits import INT8

SUFFIX = ""


def write(run: Run, options: Export, folder: Path, *, single: bool) -> Exported:
    """Write the folder, and open it as anyone will."""
    out = RunFolder(options.out)
    if out.is_run() and out.read_config().get("weights") != INT8:
        raise ConfigError(f"--out {options.out}: holds a run whose weights are not of 8 bits; choose another name")
    run.folder.copy_in_eight_bits(folder, run.model)
    try:
        load(folder)  # refuses a cell that there is no kernel for
    except ConfigError as error:
        raise ConfigError(f"--to int8: {error}; --to c --weights int8 takes every cell") from None
    there = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [ExportedFile(file=str(path.relative_to(folder)), bytes=path.stat().st_size) for path in there]
    return Exported(run=options.run, task=run.config["task"], to="int8", files=files)
