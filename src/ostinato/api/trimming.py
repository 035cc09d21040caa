"""Finished runs without what only going on with their training needs."""

from os import PathLike

from ostinato.api.results import Trimmed
from ostinato.checkpoint import RunFolder
from ostinato.core.errors import RunFolderError
from ostinato.tasks import PICTURES


def trim(path: str | PathLike[str]) -> Trimmed:
    """Remove the optimiser's state of a finished run, most of what it takes on the disk; weights and figures stay.

    It can then not be trained on.

    Args:
        path: the run folder.

    Raises:
        RunFolderError: no run folder, or damaged; it is not finished, or being trained in.
    """
    run = RunFolder(str(path), PICTURES)
    run.read_config()
    run.require_own_files()
    with run.locked():
        point = run.resume_point
        if point.exists() and not (point.position().finished and run.weights.is_file()):
            raise RunFolderError(
                f"{run.path}: its training is not finished: --resume goes on from its checkpoint, which therefore stays"
            )
        freed = point.trim() if point.exists() else 0
    size = sum(file.lstat().st_size for file in run.path.rglob("*") if file.is_file())
    return Trimmed(run=str(run.path), freed_bytes=freed, bytes=size)
