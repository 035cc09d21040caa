"""Options of `ostinato train transcribe`."""

from typing import Annotated, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import valid_beam
from ostinato.config.columns import names_in
from ostinato.config.fields import Beam, Column, Columns, Config, File, Json, NoPreset, Out
from ostinato.config.model import ModelOptions
from ostinato.config.options import field, options
from ostinato.config.reading import EncodingOptions, TableOptions
from ostinato.config.start import StartOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.options import ReadingRows, Takes, TrainFacts, require_id_beside_values, require_no_embedding

#: Width of the beam where no option says.
BEAM = 10


@options
class TranscriberTrainingOptions(TrainingOptions):
    """How long, how fast, and from which random numbers."""

    epochs: int | None = None
    """Passes over the data. By default 40. With --time-limit alone, as many as there is time for."""


@options(kw_only=True)
class TrainTranscribe(TrainFacts):
    """Train on sequences of numbers (frames of sound, of pen strokes, of lines of a picture) and what each says, to
    write that down: digits, letters, words. Nobody has to say which frame belongs to which symbol."""

    TASK = "transcribe"
    BFLOAT16: ClassVar[bool] = True
    UNUSED = frozenset({"steps", "tied", "embed", "vectors", "freeze_vectors"})
    LEARNED: ClassVar[frozenset[str]] = frozenset({"symbols"})
    COMMON: ClassVar[tuple[str, ...]] = ("out", "label", "id", "values", "valid", "test", "symbols")

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="DATA",
            help="Long tables (CSV, TSV, JSON, Parquet; packed or not) with a row for each frame, see --id and "
            "--values; or .ts files, whose labels are what the sequences say.",
        ),
    ]

    out: Out

    label: Column = None
    """Column of what a sequence says, the same in all of its rows."""

    id: Column = None
    """Column that tells the sequences apart."""

    time: Column = None
    """Column to sort a sequence's rows by. By default they stay as they are."""

    values: Columns = None
    """Columns of the numbers."""

    symbols: Literal["characters", "words"] = "characters"
    """What is written one by one: the characters of the labels, or their words."""

    valid: File = None
    """Data to validate on. By default a tenth of DATA, which is then not trained on."""

    test: File = None
    """Data to evaluate the best weights on at the end."""

    bidirectional: bool = True
    """Read in both directions."""

    preset: NoPreset = None
    config: Config = None
    model: ModelOptions = field(default_factory=lambda: ModelOptions(hidden=128, dropout=0.2))
    training: TranscriberTrainingOptions = field(
        default_factory=lambda: TranscriberTrainingOptions(lr=0.004, average=0.1)
    )

    reading: EncodingOptions = field(default_factory=EncodingOptions)
    table: TableOptions = field(default_factory=TableOptions)
    start: StartOptions = field(default_factory=StartOptions)
    json: Json = False

    def __post_init__(self) -> None:
        require_no_embedding(self.model, "transcriber")
        require_id_beside_values(self.values, self.id, "frame")
        if self.values and not self.label:
            raise ConfigError("--label: expected the column of what the sequences say")

    @property
    def value_columns(self) -> tuple[str, ...]:
        """`values`, one by one."""
        return tuple(name for name in names_in(self.values) if name)


@options
class ReadingTranscribe(ReadingRows):
    """How the data are laid out, where otherwise than in training."""

    label: Column = None
    """Column of the labels."""

    values: Columns = None
    """Columns of the values, with commas between."""


@options
class AskTranscribe:
    """What evaluating and predicting take."""

    beam: Beam = None
    reading: ReadingTranscribe = field(default_factory=ReadingTranscribe)

    def __post_init__(self) -> None:
        valid_beam(self.beam)


OPTIONS = Takes(TrainTranscribe, AskTranscribe, AskTranscribe)
