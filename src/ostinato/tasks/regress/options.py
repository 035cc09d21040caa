"""Options of `ostinato train regress`."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import share
from ostinato.config.columns import names_in
from ostinato.config.encoding import EncodingOptions
from ostinato.config.fields import Columns, Config, File, Json, NoPreset, Out
from ostinato.config.start import StartOptions
from ostinato.config.table import TableOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.options import Takes, TrainFacts
from ostinato.tasks.sequence_options import (
    ReadingSequences,
    SequenceColumns,
    SequenceModelOptions,
    SequenceOptions,
    SequenceTextOptions,
    SequenceTrainingOptions,
    check_learned,
)


@dataclass(frozen=True)
class RegressOptions:
    """What is learned of the targets."""

    loss: Literal["mse", "huber"] = "mse"
    """Squared error: the answer is the mean of what can be expected. Huber: beyond one standard deviation the error
    itself, so that a few targets far out count for less."""


@dataclass(frozen=True)
class TrainRegress(TrainFacts):
    """Train regression: a text, or a sequence of numbers, in; one or several real numbers out."""

    TASK = "regress"
    UNUSED = frozenset({"steps", "tied"})
    COMMON: ClassVar[tuple[str, ...]] = ("out", "text", "target", "valid", "test", "level")

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="DATA",
            help="Tables (CSV, TSV, JSON, Parquet; packed or not), .ts files of series with targets, a folder with a "
            "folder of texts for each number, or TEXTS,NUMBERS: two files whose lines belong together.",
        ),
    ]

    out: Out

    target: Columns = None
    """Columns of the numbers to learn. A .ts file has its own in place."""

    columns: SequenceColumns = field(default_factory=SequenceColumns)

    valid: File = None
    """Data to validate on. By default some of DATA, drawn by the seed: see --hold-out."""

    hold_out: float | None = None
    """Share of the examples that is held out to validate on, where there is no --valid; 0 holds none out. By default a
    tenth; of fewer than 300 examples none, as a tenth of them says too little to give them up for."""

    test: File = None
    """Data to evaluate the best weights on at the end."""

    preset: NoPreset = None
    config: Config = None
    regress: RegressOptions = field(default_factory=RegressOptions)
    sequence: SequenceOptions = field(default_factory=SequenceOptions)
    tokens: SequenceTextOptions = field(default_factory=SequenceTextOptions)
    model: SequenceModelOptions = field(default_factory=SequenceModelOptions)
    training: SequenceTrainingOptions = field(default_factory=SequenceTrainingOptions)

    reading: EncodingOptions = field(default_factory=EncodingOptions)
    table: TableOptions = field(default_factory=TableOptions)
    start: StartOptions = field(default_factory=StartOptions)
    json: Json = False

    def __post_init__(self) -> None:
        share(hold_out=self.hold_out or 0.0)
        check_learned(self, "target")
        targets = names_in(self.target)
        if "" in targets or len(set(targets)) < len(targets):
            raise ConfigError(f"--target {self.target}: expected different columns, with commas between")
        read = {self.columns.id, self.columns.time, *names_in(self.columns.text), *self.columns.value_columns}
        if both := [name for name in targets if name in read]:
            raise ConfigError(f"--target {both[0]}: that column is read, so it cannot be what is learned")


@dataclass(frozen=True)
class ReadingRegress(ReadingSequences):
    """How the data are laid out, where otherwise than in training."""

    target: Columns = None
    """Columns of the numbers learned, where they were called otherwise in training: in the same order."""


@dataclass(frozen=True)
class EvaluateRegress:
    """What evaluating takes."""

    reading: ReadingRegress = field(default_factory=ReadingRegress)


@dataclass(frozen=True)
class PredictRegress:
    """What its answers take."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"target"})

    reading: ReadingRegress = field(default_factory=ReadingRegress)


OPTIONS = Takes(TrainRegress, EvaluateRegress, PredictRegress)
