"""A run, as its task sees it, and what its summary says."""

import copy
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.core.errors import ConfigError, RunFolderError
from ostinato.core.results import Result
from ostinato.data.tables.layout import Layout
from ostinato.data.text.unknown_words import unknown_figures


class Trained(Protocol):
    """The best weights of a training, with all it takes to use them: what `ostinato.Run` is.

    Attributes:
        folder: the files.
        config: what config.json says.
        model: with the best weights, in eval mode.
        codec: what the task's `codec` gave.
        test: figures on the test data, where training was given some.
        details: what the last evaluation found besides its figures.
        encoding: of the files it is given, where that is said.
        layout: of the tables it is given.
        members: the runs it consists of, where it is an ensemble.
    """

    folder: RunFolder
    config: dict[str, Any]
    model: nn.Module
    codec: Any
    test: dict[str, Any] | None
    details: dict[str, Any]
    encoding: str | None
    layout: Layout
    members: tuple["Trained", ...]

    @property
    def tokenizer(self) -> Any:
        """The codec's."""


#: A run that is given back with something changed.
AnyRun = TypeVar("AnyRun", bound=Trained)


def each_of(run: Trained) -> tuple[Trained, ...]:
    """The runs that an ensemble consists of; a run that is none, itself."""
    return run.members or (run,)


def changed(run: AnyRun, **fields: Any) -> AnyRun:
    """The run as it is, but for these."""
    there = copy.copy(run)
    there.__dict__.update(fields)
    return there


def require_alike(what: str, theirs: Sequence[Any]) -> None:
    """That the runs of an ensemble have the same of something.

    Raises:
        ConfigError: they have not; names those that differ.
    """
    for number, own in enumerate(theirs):
        if own != theirs[0]:
            raise ConfigError(
                f"an ensemble needs runs that read and answer alike: {what} of run {number + 1} differs from that of "
                "run 1"
            )


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
    best = {f"valid_{name}": value for name, value in run.folder.resume_point.position().best_figures.items()}
    best = {name: value for name, value in best.items() if name in kind.__struct_fields__}
    try:
        return kind(**best | unknown_figures(run.config["data"]) | own)
    except TypeError as error:
        raise RunFolderError(f"{run.folder.path}: damaged, it does not say how good its weights are: {error}") from None
