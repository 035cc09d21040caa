"""A run, as its task sees it."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.core.errors import ConfigError
from ostinato.data.tables.layout import Layout


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


def each_of(run: Trained) -> tuple[Trained, ...]:
    """The runs that an ensemble consists of; a run that is none, itself."""
    return run.members or (run,)


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


#: A run that a method gives back with something changed.
AnyRun = TypeVar("AnyRun", bound=Trained)
