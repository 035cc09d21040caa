"""What the tasks' summaries of a training have in common."""

from typing import Any, TypeVar

from ostinato.checkpoint.position import Position
from ostinato.core.errors import RunFolderError
from ostinato.core.results import Result
from ostinato.data.text.unknown_words import unknown_figures
from ostinato.tasks.trained import Trained

Summary = TypeVar("Summary", bound=Result)


def best_loss(run: Trained) -> float:
    """The lowest validation loss, of a task whose weights are chosen by it.

    Raises:
        RunFolderError: there was no validation yet, or the folder is damaged.
    """
    best = run.folder.resume_point.position().best
    if best is None:
        raise RunFolderError(f"{run.folder.path}: its training was stopped before the first validation")
    return best


def summed_up(kind: type[Summary], run: Trained, **own: Any) -> Summary:
    """A summary of figures of the task's own, of the best validation's as `valid_` each, as far as the type has them,
    and of the shares of unknown tokens that the run records.

    Raises:
        RunFolderError: the folder is damaged: a figure is missing.
    """
    position: Position = run.folder.resume_point.position()
    best = {f"valid_{name}": value for name, value in position.best_figures.items()}
    best = {name: value for name, value in best.items() if name in kind.__struct_fields__}
    try:
        return kind(**best | unknown_figures(run.config["data"]) | own)
    except TypeError as error:
        raise RunFolderError(f"{run.folder.path}: damaged, it does not say how good its weights are: {error}") from None
