"""A run, as its task sees it."""

from typing import Any, Protocol, TypeVar

from torch import nn

from ostinato.checkpoint import RunFolder
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
    """

    folder: RunFolder
    config: dict[str, Any]
    model: nn.Module
    codec: Any
    test: dict[str, Any] | None
    details: dict[str, Any]
    encoding: str | None
    layout: Layout

    @property
    def tokenizer(self) -> Any:
        """The codec's."""


#: A run that a method gives back with something changed.
AnyRun = TypeVar("AnyRun", bound=Trained)
