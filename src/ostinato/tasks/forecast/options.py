"""Options of `ostinato train forecast`."""

from typing import Annotated, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import at_least
from ostinato.config.columns import names_in
from ostinato.config.fields import Columns, Config, File, Flag, Json, NoPreset, Out
from ostinato.config.model import ModelOptions
from ostinato.config.options import field, options
from ostinato.config.reading import EncodingOptions, TableOptions
from ostinato.config.start import StartOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.forecast.ahead import ForecastOptions, Head, percents
from ostinato.tasks.options import ReadingRows, Takes, TrainFacts, require_no_embedding


@options
class ForecasterTrainingOptions(TrainingOptions):
    """How long, how fast, and from which random numbers."""

    patience: int | None = None
    """Stop after this many validations without improvement; 0 means never. By default never, but after 10 where
    --time-limit alone says how long."""


@options
class TrainForecast(TrainFacts):
    """Train on time series, to say how they go on, and how surely."""

    TASK = "forecast"
    UNUSED = frozenset({"steps", "tied", "embed", "vectors", "freeze_vectors"})
    LEARNED: ClassVar[frozenset[str]] = frozenset(
        ("target", "time", "id", "past", "future", "static", "wide", "window", "horizon", "season", "transform")
    ) | {"floor"}
    FRESH: ClassVar[frozenset[str]] = frozenset({"refit", "interval"})
    COMMON: ClassVar[tuple[str, ...]] = (
        "out",
        "target",
        "window",
        "horizon",
        "time",
        "id",
        "season",
        "past",
        "future",
        "wide",
        "refit",
    )

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="DATA", help="A table of one series or many: CSV, TSV, JSON lines or Parquet."),
    ]

    out: Out

    window: Annotated[int, tyro.conf.arg(metavar="W", help="Rows to look back on.")]

    horizon: Annotated[int, tyro.conf.arg(metavar="H", help="Rows to forecast.")]

    target: Columns = None
    """Columns to forecast. With --wide by default all that nothing else is said of."""

    wide: Flag = False
    """Each of the columns to forecast is a series of its own."""

    season: Annotated[int | str, tyro.conf.arg(metavar="M[,M]")] = 1
    """Rows of a season: 12 for months, 24 for hours; or of several, 24,168 for the day and the week, of which the first
    is what errors are measured by. The forecast starts from what was one season and more ago."""

    time: Columns = None
    """Columns that say when: one, or several that belong together, such as year,month,day,hour. Without, every row
    is one step after the row before."""

    id: Columns = None
    """Columns that together tell the series of a table apart."""

    past: Columns = None
    """Columns that help and are known up to the moment of forecasting, such as the weather."""

    future: Columns = None
    """Columns that are known beyond it too, such as prices and holidays."""

    static: Columns = None
    """Columns that are the same in all rows of a series, such as its region."""

    head: Head = "quantile"
    """What is said of each step: a number; quantiles from 2.5 to 97.5 %; or a normal or Student's t distribution."""

    interval: Annotated[str | None, tyro.conf.arg(metavar="P[,P]")] = None
    """Probabilities of intervals, such as 0.8,0.95, that held-out windows see to: intervals are made as wide as it
    takes to hold that share of what came there (split conformal prediction). As many rows are held out as that takes,
    up to two in five. Of any head, point too. By default intervals are what the head says."""

    decoding: Literal["direct", "autoregressive"] = "direct"
    """Forecast all steps at once, or feed each step the forecast of the step before."""

    transform: Literal["auto", "log", "none"] = "auto"
    """Of the targets: auto takes the logarithm where none is negative and they vary the more the higher they are."""

    floor: Literal["auto", "zero", "none"] = "auto"
    """What no forecast and no interval goes below: auto is zero where no target is negative and either the logarithm is
    taken or all are whole numbers, as counts are."""

    valid: File = None
    """Table to validate on, where its rows lie after those of DATA. By default each series' last tenth, which is then
    not trained on."""

    refit: Flag = False
    """Once the best weights are known, train again for as many steps on all rows, those held out too, and keep these
    weights. Of a time limit either training gets half."""

    test: File = None
    """Table to evaluate the best weights on at the end."""

    preset: NoPreset = None
    config: Config = None

    model: ModelOptions = field(default_factory=lambda: ModelOptions(hidden=32, dropout=0.2))
    training: ForecasterTrainingOptions = field(default_factory=lambda: ForecasterTrainingOptions(batch=64, lr=0.003))

    reading: EncodingOptions = field(default_factory=EncodingOptions)
    table: TableOptions = field(default_factory=TableOptions)
    start: StartOptions = field(default_factory=StartOptions)
    json: Json = False

    def __post_init__(self) -> None:
        require_no_embedding(self.model, "forecaster")
        if self.target is None and not self.wide:
            raise ConfigError("--target: expected the columns to forecast; or --wide, where each column is a series")
        if self.wide and (self.id or self.static):
            raise ConfigError(
                f"--{'id' if self.id else 'static'}: in a --wide table each column is a series, and its name the id; "
                "leave the option out"
            )
        if self.refit and self.valid is not None:
            raise ConfigError(
                "--refit learns from rows held out of DATA, but with --valid none are: give one of the two"
            )
        _ = self.interval_levels
        at_least(window=(self.window, 2), horizon=(self.horizon, 1))
        _ = self.seasons
        for name in ("target", "time", "id", "past", "future", "static"):
            if "" in self.columns(name):
                raise ConfigError(
                    f"--{name}: expected names of columns with commas between, got {getattr(self, name)!r}"
                )

    @property
    def seasons(self) -> tuple[int, ...]:
        """`season` as numbers, in their order; 1 alone for none.

        Raises:
            ConfigError: one is no whole number of rows, or there twice.
        """
        parts = str(self.season).split(",")
        if not all(part.strip().isdecimal() and int(part) for part in parts):
            raise ConfigError(
                f"--season: expected at least 1, or numbers of rows with commas between, such as 24,168, "
                f"got {self.season}"
            )
        found = tuple(int(part) for part in parts)
        if len(found) > 1 and (1 in found or len(set(found)) < len(found)):
            raise ConfigError(f"--season {self.season}: expected different seasons of 2 rows or more")
        return found

    @property
    def interval_levels(self) -> tuple[float, ...]:
        """`interval` in percent, ascending; none where it is not said.

        Raises:
            ConfigError: one is no number between 0 and 1.
        """
        return () if self.interval is None else percents("--interval", self.interval, 1)

    def columns(self, role: str) -> tuple[str, ...]:
        """The columns that an option names."""
        return names_in(getattr(self, role))


@options
class ReadingForecast(ReadingRows):
    """How the data are laid out, where otherwise than in training."""

    target: Columns = None
    """Columns to forecast, where they were called otherwise in training: in the same order, with commas between."""

    past: Columns = None
    """Columns known of the past alone, likewise."""

    future: Columns = None
    """Columns known in advance, likewise."""

    static: Columns = None
    """Columns that say something of a whole series, likewise."""


@options
class EvaluateForecast:
    """What evaluating a forecaster takes."""

    WRITING: ClassVar[frozenset[str]] = frozenset({"output"})

    retrain: Flag = False
    """For each window train again, with the same options, on all rows before it."""

    output: File = None
    """Where to write what was forecast, beside what came: .csv, .tsv, .jsonl or .parquet."""

    reading: ReadingForecast = field(default_factory=ReadingForecast)


@options
class AskForecast:
    """What predicting and drawing take."""

    ahead: ForecastOptions = field(default_factory=ForecastOptions)
    reading: ReadingForecast = field(default_factory=ReadingForecast)


OPTIONS = Takes(
    TrainForecast,
    EvaluateForecast,
    AskForecast,
    plot=AskForecast,
    pictures=(
        "forecast.png",
        "intervals.json",
    ),
    estimator="Forecaster",
)
