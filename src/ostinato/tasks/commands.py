"""The commands that ask a run's task: what each takes, with every option's meaning."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro
from tyro.conf import Positional

from ostinato.config.checks import at_least, at_most, valid_threads
from ostinato.config.fields import Beam, File, Flag, Json, Plugins, Precision, RunFolder, Threads
from ostinato.core.errors import ConfigError
from ostinato.tasks.caption.options import ViewOptions
from ostinato.tasks.forecast.ahead import ForecastOptions
from ostinato.tasks.lm.options import AdaptingOptions, SamplingOptions
from ostinato.tasks.options import ReadingOptions


@dataclass(frozen=True)
class Evaluate:
    """Measure a trained run on data it has not seen: perplexity, accuracy, whatever its task is judged by."""

    run: RunFolder

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="DATA", help="Files as train takes them, or - for standard input."),
    ]

    threads: Threads = 0
    precision: Precision = "highest"
    beam: Beam = None

    retrain: Flag = False
    """For each window train again, with the same options, on all rows before it: forecast."""

    output: File = None
    """Where to write what was forecast, beside what came: .csv, .tsv, .jsonl or .parquet: forecast."""

    adapting: AdaptingOptions = field(default_factory=AdaptingOptions)
    views: ViewOptions = field(default_factory=ViewOptions)
    reading: ReadingOptions = field(default_factory=ReadingOptions)

    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        valid_threads(threads=self.threads)
        if self.beam is not None:
            at_least(beam=(self.beam, 1))
            at_most(beam=(self.beam, 10_000))


@dataclass(frozen=True)
class Predict:
    """Let a trained run answer: a label, tags, a translation, a forecast or a caption for each input."""

    run: RunFolder

    data: Annotated[
        Positional[str],
        tyro.conf.arg(
            metavar="DATA",
            help="A file as train takes it, a text in quotation marks, or - for standard input, one text a line.",
        ),
    ]

    output: File = None
    """Where to write the answers; of forecasts and labels a table by its ending: .csv, .tsv, .jsonl, .parquet. By
    default standard output."""

    labels: Flag = False
    """The labels alone, one a line: classify; the tags of a sentence: tag."""

    threads: Threads = 0
    precision: Precision = "highest"
    beam: Beam = None
    ahead: ForecastOptions = field(default_factory=ForecastOptions)
    views: ViewOptions = field(default_factory=ViewOptions)
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        valid_threads(threads=self.threads)
        if self.beam is not None:
            at_least(beam=(self.beam, 1))
            at_most(beam=(self.beam, 10_000))


@dataclass(frozen=True)
class Plot:
    """Draw the forecasts of a trained run: how the series of a table go on, and how well their last rows were met."""

    run: RunFolder

    data: Annotated[Positional[str], tyro.conf.arg(metavar="DATA", help="A table as train takes it.")]

    out: Annotated[str, tyro.conf.arg(metavar="FILE", help="Picture to write, .png or .svg.")]

    series: Annotated[str | None, tyro.conf.arg(metavar="ID,..")] = None
    """Series to draw, by their ids. By default the first ones, as many as there is room for."""

    ahead: ForecastOptions = field(default_factory=ForecastOptions)
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    threads: Threads = 0
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        valid_threads(threads=self.threads)


@dataclass(frozen=True)
class Generate:
    """Let a trained language model write on, streamed as it is written."""

    run: RunFolder

    words: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="WORDS", help="The prompt, in place of --prompt: words with one blank between them."),
    ] = ()

    prompt: str = ""
    """Text to go on from; nothing means the beginning of a text."""

    prompts: File = None
    """A file of prompts, one a line, or - for standard input: a text is written for each."""

    samples: int = 1
    """Texts to write for each prompt: with --seed, the second by the next seed, and so on."""

    length: int = 200
    """Tokens to write: characters, words or BPE pieces, as the model was trained."""

    stop: str | None = None
    """Stop once this text has been written."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        at_least(length=(self.length, 0), samples=(self.samples, 1))
        if sum((bool(self.words), bool(self.prompt), self.prompts is not None)) > 1:
            raise ConfigError("expected one prompt: words behind RUN, --prompt or --prompts")

    @property
    def prompted(self) -> str:
        """The prompt, where it is not in a file."""
        return " ".join(self.words) or self.prompt
