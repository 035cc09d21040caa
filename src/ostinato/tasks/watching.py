"""What looking inside asks of a task besides: sequences that its model reads while somebody watches."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.inspection.observed import Batches, Observed, ObservedText, Typed
from ostinato.tasks.trained import Trained


@runtime_checkable
class Observes(Protocol):
    """A task whose model can be watched while it reads a sequence."""

    def observe(self, run: Trained, source: str | None, steps: int) -> Observed:
        """The first sequence of a file, of which so many steps at most; without one, of the data the run was validated
        on, where that can be found.

        Raises:
            DataError: data that cannot be used, or is not there any more.
            ConfigError: no source, where one is needed.
        """


@runtime_checkable
class ReadsTyped(Protocol):
    """A task whose model can be watched while somebody types what it reads."""

    def typed(self, run: Trained, text: str) -> Typed:
        """What the model reads of a text: of words, tags or numbers, as the run has them. Where it reads numbers, each
        step's stand on a line of their own.

        Raises:
            DataError: a text that cannot be read.
        """

    def example(self, run: Trained) -> str:
        """A text to begin with, empty where the task knows none."""


@runtime_checkable
class ReadsTypedOfPicture(Protocol):
    """One of these whose model sees a picture meanwhile."""

    def picture(self, run: Trained) -> Path | None:
        """The picture; None where it is known by its features alone.

        Raises:
            DataError: it is not there any more.
        """


@runtime_checkable
class Follows(Protocol):
    """A task that can follow gradients in several places of its data at once."""

    def follow(self, run: Trained, model: nn.Module, source: str | None, steps: int) -> Observed:
        """What a model, the run's or another with the same inputs, reads in these places of the data that
        `Observes.observe` reads; `pieces` may be empty."""


@runtime_checkable
class Batched(Protocol):
    """A task whose batches can be made again from a run, to measure their gradients."""

    def batches(self, run: Trained, source: str | None, count: int) -> Batches:
        """Batches as in training, `count` at most, of the data that `Observes.observe` reads."""


@runtime_checkable
class Predicting(Protocol):
    """A task that predicts each token of a text from those in front of it."""

    def read_text(self, run: Trained, source: str | None, limit: int) -> ObservedText:
        """The first tokens of the text that `Observes.observe` reads, `limit` at most."""


def required(source: str | None) -> str:
    """The file to look at.

    Raises:
        ConfigError: none was named.
    """
    if source is None:
        raise ConfigError("--data: expected a file to read, as evaluate and predict take it")
    return source
