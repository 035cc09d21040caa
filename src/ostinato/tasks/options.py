"""What every task's options have in common."""

from typing import Any, ClassVar, Protocol

from ostinato.config.encoding import EncodingOptions
from ostinato.config.model import ModelOptions
from ostinato.config.start import StartOptions
from ostinato.config.training import TrainingOptions


class TrainOptions(Protocol):
    """Options of `ostinato train TASK`: a frozen dataclass, whose docstring's first line is its help.

    Attributes:
        TASK: the task's name, which its files in `config/tasks` and `api/tasks` bear.
        SOURCES: the field that takes the data from the command line: `tuple[str, ...]`, positional.
        NAMING_DATA: fields of which any names what to train on.
        FIXED: fields that cannot change when a run is resumed, though those of that name can in other tasks.
        PRESETS: named settings, options by name; empty where there are none.
        EARLIER: what runs went by that were made before there was such an option; it need not be there.
        UNUSED: fields of the shared groups that the task has no use for; they are refused, and help leaves them out.
        COMMON: fields that the first page of help shows, before those that it shows of every task.
    """

    TASK: ClassVar[str]
    SOURCES: ClassVar[str]
    NAMING_DATA: ClassVar[tuple[str, ...]]
    FIXED: ClassVar[frozenset[str]]
    PRESETS: ClassVar[dict[str, dict[str, Any]]]
    UNUSED: ClassVar[frozenset[str]]
    COMMON: ClassVar[tuple[str, ...]]

    @property
    def out(self) -> str:
        """The run folder."""

    @property
    def valid(self) -> str | None:
        """What to validate on, apart from the data."""

    @property
    def test(self) -> str | None:
        """What to evaluate the best weights on at the end."""

    @property
    def model(self) -> ModelOptions:
        """Sizes."""

    @property
    def training(self) -> TrainingOptions:
        """The loop's options."""

    @property
    def reading(self) -> EncodingOptions:
        """What the files do not say of themselves."""

    @property
    def start(self) -> StartOptions:
        """What becomes of a run that is there already."""

    @property
    def json(self) -> bool:
        """Whether the command ends with a JSON object."""
