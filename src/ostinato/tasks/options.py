"""What every task's options have in common."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Protocol

from ostinato.config.encoding import EncodingOptions
from ostinato.config.model import ModelOptions
from ostinato.config.start import StartOptions
from ostinato.config.table import Decimal, Separator
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


@dataclass(frozen=True)
class ReadingOptions:
    """How the data are laid out, where otherwise than in training."""

    encoding: str | None = None
    """Of text files, where it is not UTF-8: cp949, shift_jis, gb18030, cp1252, any that Python knows."""

    decimal: Decimal | None = None
    """Of CSV: "," where numbers are written 1,5."""

    header: bool | None = None
    """Of CSV: whether the first line holds the columns' names."""

    comment: str | None = None
    """Of CSV: what lines begin with that are none of the table."""

    date_format: str | None = None
    """forecast, classify: how times are written, such as "%d/%m/%Y"."""

    text: str | None = None
    """classify: column of the texts."""

    label: str | None = None
    """classify: column of the labels."""

    id: str | None = None
    """classify, forecast: column that tells sequences of numbers apart."""

    time: str | None = None
    """classify, forecast: column to sort the rows of a sequence by."""

    values: str | None = None
    """classify: columns of the values, with commas between."""

    target: str | None = None
    """forecast: columns that were called otherwise in training, in the same order, with commas between."""

    past: str | None = None
    """forecast: the same."""

    future: str | None = None
    """forecast: the same."""

    static: str | None = None
    """forecast: the same."""

    column: str | None = None
    """tag: column of the tags, a name or a number from 1."""

    word_column: str | None = None
    """tag: column of the words, a name or a number from 1."""

    format: Literal["columns", "text"] | None = None
    """tag, predict: words in columns, or plain sentences, one a line. By default as the data look."""

    columns: str | None = None
    """translate: columns of sources and targets in a table, SOURCE,TARGET."""

    separator: Separator = None
    """Of CSV, where it is not a comma; translate: what stands between source and target in each line."""

    def given(self) -> dict[str, Any]:
        """What is set, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}
