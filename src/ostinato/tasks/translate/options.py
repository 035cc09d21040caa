"""Options of `ostinato train translate`."""

from dataclasses import field, fields
from typing import Annotated, Any, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import at_least, share, valid_beam
from ostinato.config.fields import Beam, Config, File, Json, NoPreset, Out
from ostinato.config.model import ModelOptions
from ostinato.config.options import options
from ostinato.config.reading import EncodingOptions, Separator, ShardOptions
from ostinato.config.start import StartOptions
from ostinato.config.text import Level, TextOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.options import Takes, TrainFacts

#: Sizes where no option says: characters need less, and what is spelt by a rule no dropout.
_BY_LEVEL: dict[str, dict[str, Any]] = {
    "char": {"hidden": 256, "embed": 64, "dropout": 0.0},
    "word": {"hidden": 512, "embed": 256, "dropout": 0.3},
    "bpe": {"hidden": 512, "embed": 256, "dropout": 0.3},
}
_SMOOTHING = {"char": 0.0, "word": 0.1, "bpe": 0.1}

#: Width of the beam where no option says.
BEAM = 5


@options
class Seq2SeqOptions(ModelOptions):
    """Encoder and decoder: sizes, and how the decoder sees what the encoder read."""

    hidden: int | None = None  # type: ignore[assignment]
    """Units of each layer; the encoder's two directions have half of them each. By default 256 for characters, else
    512."""

    embed: int | None = None
    """Width of the embeddings. By default 64 for characters, else 256."""

    dropout: float | None = None  # type: ignore[assignment]
    """Share set to zero in training: after embeddings, between layers, behind the encoder and before the output. By
    default 0 for characters, else 0.3."""

    tied: bool = True
    """Let the output layer use the target embedding's weights."""

    attention: Literal["general", "dot", "additive", "none"] = "general"
    """How the decoder looks at what the encoder read: Luong's general or dot score, Bahdanau's additive one, or not."""

    bidirectional: bool = True
    """Let the encoder read from both ends."""

    reverse: bool = False
    """Let the encoder read from the end."""

    peeky: bool = False
    """Show the encoder's last h to the decoder at each step."""

    input_feeding: bool = False
    """Let each step of the decoder read what attention gave at the step before. Trains step by step, which is slow."""

    copy: bool = False
    """Let the decoder copy words of the source, those too that the vocabulary lacks (a pointer-generator)."""

    coverage: float = 0.0
    """Weight of a loss for looking again at what was looked at; attention then sees what that was. Trains step by step,
    which is slow. 0 means none."""

    def __post_init__(self) -> None:
        self.at_level("bpe")  # checks
        at_least(coverage=(self.coverage, 0))
        if self.input_feeding and self.attention == "none":
            raise ConfigError("--input-feeding passes on what attention gave: choose an --attention as well")
        if (self.copy or self.coverage) and self.attention == "none":
            what = "--copy copies what attention looks" if self.copy else "--coverage is of what attention looks"
            raise ConfigError(f"{what} at: choose an --attention as well")

    def at_level(self, level: Level) -> ModelOptions:
        """The options that every model has, with this level's sizes where none were given."""
        given = {item.name: getattr(self, item.name) for item in fields(ModelOptions)}
        return ModelOptions(**given | {name: size for name, size in _BY_LEVEL[level].items() if given[name] is None})


@options
class TrainTranslate(TrainFacts):
    """Train an encoder and a decoder on pairs of texts, to write one from the other: translate, answer, convert."""

    TASK = "translate"
    BFLOAT16: ClassVar[bool] = True
    NAMING_DATA: ClassVar[tuple[str, ...]] = ("data", "source")
    UNUSED = frozenset({"steps"})
    COMMON: ClassVar[tuple[str, ...]] = ("out", "separator", "source", "target", "valid", "test", "level")

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="DATA",
            help="A text file, or - for standard input: in each line source, separator, target. Or a table, see "
            "--columns; or none, but --source and --target.",
        ),
    ]

    LEARNED: ClassVar[frozenset[str]] = frozenset({"level", "vocab_size", "vocabularies"})

    out: Out

    source: File = None
    """A file of sources, one a line, whose targets are in --target."""

    target: File = None
    """The file of targets: each line belongs to the same line of --source."""

    separator: str | None = None
    """What stands between source and target in each line of DATA, or between the columns of a CSV file. By default a
    TAB, or a comma."""

    columns: Annotated[str | None, tyro.conf.arg(metavar="SOURCE,TARGET")] = None
    """DATA is a table (CSV, TSV, JSON lines, Parquet): columns of sources and targets. By default the two that a .csv,
    .json, .jsonl or .parquet file has."""

    valid: Annotated[str | None, tyro.conf.arg(metavar="FILE | SOURCE,TARGET")] = None
    """Pairs to validate on: a file as DATA, or two files with a comma between. By default a tenth of the
    pairs."""

    test: Annotated[str | None, tyro.conf.arg(metavar="FILE | SOURCE,TARGET")] = None
    """Pairs to evaluate the best weights on at the end."""

    preset: NoPreset = None
    config: Config = None

    vocabularies: Literal["shared", "separate"] | None = None
    """One vocabulary and one embedding for both sides, or two. By default shared for BPE, else separate."""

    from_side: Literal["source", "target"] = "source"
    """Whose vocabulary, embedding and layers those of a language model are that --from names. With one vocabulary both
    sides have them."""

    max_length: int = 256
    """Tokens of a source or target at most: longer pairs are not trained on, and no longer target is written."""

    label_smoothing: float | None = None
    """Share of the probability that is expected of all other tokens. By default 0 for characters, else 0.1."""

    scheduled_sampling: float = 0.0
    """Probability, reached after ten epochs, that the decoder reads in training what it wrote itself. Trains step by
    step, which is slow."""

    length_penalty: float = 1.0
    """Of the beam search: 0 compares hypotheses by probability alone, higher values favour longer ones."""

    tokens: TextOptions = field(default_factory=lambda: TextOptions(level="bpe"))
    model: Seq2SeqOptions = field(default_factory=Seq2SeqOptions)
    training: TrainingOptions = field(default_factory=lambda: TrainingOptions(lr=0.003, average=0.1))
    shards: ShardOptions = field(default_factory=ShardOptions)

    reading: EncodingOptions = field(default_factory=EncodingOptions)
    start: StartOptions = field(default_factory=StartOptions)
    json: Json = False

    def __post_init__(self) -> None:
        at_least(max_length=(self.max_length, 1), length_penalty=(self.length_penalty, 0))
        share(scheduled_sampling=self.scheduled_sampling, label_smoothing=self.label_smoothing or 0.0)
        if self.separator == "":
            raise ConfigError("--separator: expected at least one character, such as a TAB")
        if (self.source is None) != (self.target is None):
            raise ConfigError("--source and --target belong together: expected both or none")
        if self.model.copy and self.tokens.level == "bpe" and not self.one_vocabulary:
            raise ConfigError(
                "--copy: with --level bpe and --vocabularies separate a word is cut into other pieces on either side, "
                "so that none can be copied; choose --vocabularies shared, or --level word or char"
            )
        if self.model.copy and self.scheduled_sampling:
            raise ConfigError("--copy: goes by the true words before; leave --scheduled-sampling out")

    @property
    def smoothing(self) -> float:
        """`label_smoothing`, or the level's default."""
        return _SMOOTHING[self.tokens.level] if self.label_smoothing is None else self.label_smoothing

    @property
    def one_vocabulary(self) -> bool:
        """Whether both sides share one: `vocabularies`, or the level's default."""
        return self.tokens.level == "bpe" if self.vocabularies is None else self.vocabularies == "shared"


@options
class ReadingTranslate:
    """How the data are laid out, where otherwise than in training."""

    files: EncodingOptions = field(default_factory=EncodingOptions)

    columns: Annotated[str | None, tyro.conf.arg(metavar="SOURCE,TARGET")] = None
    """Columns of sources and targets in a table."""

    separator: Separator = None
    """What stands between source and target in each line."""


@options
class AskTranslate:
    """What evaluating and predicting take."""

    beam: Beam = None
    reading: ReadingTranslate = field(default_factory=ReadingTranslate)

    def __post_init__(self) -> None:
        valid_beam(self.beam)


OPTIONS = Takes(TrainTranslate, AskTranslate, AskTranslate, pictures=("alignment-*.png",))
