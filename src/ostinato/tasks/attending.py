"""Tasks that write from something, and can say what attention looked at."""

from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from ostinato.tasks.trained import Trained


class Alignment(NamedTuple):
    """What a model wrote, and what it looked at meanwhile.

    Attributes:
        source: `[S]` pieces of what was read; of a picture empty.
        target: `[T]` tokens written, `<eos>` last.
        weights: `[T, S]` of attention.
    """

    source: list[str]
    target: list[str]
    weights: Tensor


@runtime_checkable
class Aligns(Protocol):
    """A task that writes a text from another, and can say what attention looked at."""

    def align(self, run: Trained, text: str, beam: int | None = None) -> Alignment:
        """Answer a text.

        Raises:
            ConfigError: the model has no attention.
        """


@runtime_checkable
class Looks(Protocol):
    """A task that writes a text from a picture."""

    def look(self, run: Trained, picture: Path, beam: int | None = None) -> Alignment:
        """Answer a picture; the places looked at are those of a square grid, row by row.

        Raises:
            DataError: no picture.
            ConfigError: the model has no attention, or was trained on something else than pictures.
        """
