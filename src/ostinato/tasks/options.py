"""What every task's options have in common."""

from typing import Any, ClassVar, NamedTuple, Protocol

from ostinato.config.columns import separator_of
from ostinato.config.fields import Column
from ostinato.config.model import ModelOptions
from ostinato.config.options import field, options
from ostinato.config.reading import Decimal, EncodingOptions, Separator
from ostinato.config.start import StartOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError


class TrainFacts(Protocol):
    """What a task's options say of themselves; most say little.

    Attributes:
        TASK: the task's name, which its folder bears.
        SOURCES: the field that takes the data from the command line: `tuple[str, ...]`, positional.
        NAMING_DATA: fields of which any names what to train on.
        FIXED: fields that cannot change when a run is resumed, though those of that name can in other tasks.
        PRESETS: named settings, options by name.
        EARLIER: what runs went by that were made before there was such an option.
        UNUSED: fields of the shared groups that the task has no use for; they are refused, and help leaves them out.
        LEARNED: fields that say how what reads the data is learned of them; a training that begins with a run's weights
            has these as that run has them.
        FRESH: fields of the task's own that such a training does not take over.
        SPACE: what a search draws besides what it draws of every task, options by name, as --space has them.
        BFLOAT16: whether --precision auto may multiply in bfloat16: a table over three seeds shows the same figures
            (benchmarks/results/precision.md, by scripts/precision_table.py).
        COMMON: fields that the first page of help shows, before those that it shows of every task.
    """

    TASK: ClassVar[str]
    SOURCES: ClassVar[str] = "data"
    NAMING_DATA: ClassVar[tuple[str, ...]] = ("data",)
    FIXED: ClassVar[frozenset[str]] = frozenset()
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}
    EARLIER: ClassVar[dict[str, Any]] = {}
    UNUSED: ClassVar[frozenset[str]] = frozenset()
    LEARNED: ClassVar[frozenset[str]] = frozenset()
    FRESH: ClassVar[frozenset[str]] = frozenset()
    SPACE: ClassVar[dict[str, dict[str, Any]]] = {}
    BFLOAT16: ClassVar[bool] = False
    COMMON: ClassVar[tuple[str, ...]]


class TrainOptions(TrainFacts, Protocol):
    """Options of `ostinato train TASK`: a frozen dataclass of `TrainFacts`; its docstring's first line is its help."""

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


class Takes(NamedTuple):
    """What a task takes, by command: frozen dataclasses of options and of groups of them; None: it has no such command.

    Those but of `train` may name in `UNUSED` fields of shared groups that the task has no use for, and in `WRITING`
    fields that say what becomes of the answers, which whoever writes them looks at. All have a group `reading`: how
    data are laid out otherwise than in training. Its own fields go to `Reads.reading`. An option that several tasks
    take has the same type in all of them.
    `pictures` are names, with *, of what a finished run holds besides, so that `--overwrite` removes them.
    `estimator` is the class of `ostinato.sklearn` that trains it: the folder then has a module `estimator`, as
    `ostinato.tasks.estimators` says.
    """

    train: type[TrainOptions]
    evaluate: type[Any]
    predict: type[Any] | None = None
    generate: type[Any] | None = None
    plot: type[Any] | None = None
    pictures: tuple[str, ...] = ()
    estimator: str = ""


@options
class OtherTableOptions:
    """How a table is laid out, where otherwise than in training."""

    separator: Separator = None
    """Of CSV, where it is not a comma: ";" or TAB."""

    decimal: Decimal | None = None
    """Of CSV: "," where numbers are written 1,5."""

    header: bool | None = None
    """Of CSV: whether the first line holds the columns' names."""

    comment: str | None = None
    """Of CSV: what lines begin with that are none of the table."""

    date_format: str | None = None
    """How times are written, such as "%d/%m/%Y"."""

    def __post_init__(self) -> None:
        separator_of(self.separator)


@options
class ReadingRows:
    """How data are laid out where otherwise than in training: files, tables, a sequence's rows in one."""

    files: EncodingOptions = field(default_factory=EncodingOptions)
    table: OtherTableOptions = field(default_factory=OtherTableOptions)

    id: Column = None
    """Column that tells sequences of numbers apart."""

    time: Column = None
    """Column to sort the rows of a sequence by."""


def require_no_embedding(model: ModelOptions, who: str) -> None:
    """Raise a ConfigError where options ask for an embedding of one who reads numbers."""
    if model.tied or model.embed is not None:
        option = "--tied" if model.tied else "--embed"
        raise ConfigError(f"{option}: a {who} reads numbers and has no embedding; leave the option out")


def require_id_beside_values(values: str | None, id: str | None, row: str) -> None:
    """Raise a ConfigError where one is given without the other; `row` says what a row of such a table is."""
    if bool(values) != bool(id):
        raise ConfigError(
            f"--values and --id belong together: a table of numbers has one row a {row}, "
            "and --id says of which sequence"
        )
