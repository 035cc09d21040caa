"""Options of `ostinato train regress`."""

from typing import Annotated, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.columns import names_in
from ostinato.config.fields import Columns
from ostinato.config.options import field, options
from ostinato.core.errors import ConfigError
from ostinato.tasks.options import Takes
from ostinato.tasks.sequence_options import ReadingSequences, TrainSequences


@options
class RegressOptions:
    """What is learned of the targets."""

    loss: Literal["mse", "huber"] = "mse"
    """Squared error: the answer is the mean of what can be expected. Huber: beyond one standard deviation the error
    itself, so that a few targets far out count for less."""


@options(kw_only=True)
class TrainRegress(TrainSequences):
    """Train regression: a text, or a sequence of numbers, in; one or several real numbers out."""

    TASK = "regress"
    BFLOAT16: ClassVar[bool] = True
    COMMON: ClassVar[tuple[str, ...]] = ("out", "text", "target", "valid", "test", "level")

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="DATA",
            help="Tables (CSV, TSV, JSON, Parquet; packed or not), .ts files of series with targets, a folder with a "
            "folder of texts for each number, or TEXTS,NUMBERS: two files whose lines belong together.",
        ),
    ]

    target: Columns = None
    """Columns of the numbers to learn. A .ts file has its own in place."""

    regress: RegressOptions = field(default_factory=RegressOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_learned("target")
        targets = names_in(self.target)
        if "" in targets or len(set(targets)) < len(targets):
            raise ConfigError(f"--target {self.target}: expected different columns, with commas between")
        read = {self.columns.id, self.columns.time, *names_in(self.columns.text), *self.columns.value_columns}
        if both := [name for name in targets if name in read]:
            raise ConfigError(f"--target {both[0]}: that column is read, so it cannot be what is learned")


@options
class ReadingRegress(ReadingSequences):
    """How the data are laid out, where otherwise than in training."""

    target: Columns = None
    """Columns of the numbers learned, where they were called otherwise in training: in the same order."""


@options
class EvaluateRegress:
    """What evaluating takes."""

    reading: ReadingRegress = field(default_factory=ReadingRegress)


@options
class PredictRegress:
    """What its answers take."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"target"})

    reading: ReadingRegress = field(default_factory=ReadingRegress)


OPTIONS = Takes(TrainRegress, EvaluateRegress, PredictRegress, estimator="SequenceRegressor")
