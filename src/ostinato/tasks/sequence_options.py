"""Options that tasks from a sequence to one answer share."""

from typing import Annotated, ClassVar, Literal

import tyro

from ostinato.config.cells import CELL_NAMES, DEFAULT_CELL, DEFAULT_CELL_OF_NUMBERS
from ostinato.config.checks import above_zero, at_least, at_most, share
from ostinato.config.columns import names_in
from ostinato.config.fields import Column, Columns, Config, File, Json, NoPreset, Out
from ostinato.config.model import ModelOptions
from ostinato.config.options import field, options
from ostinato.config.reading import EncodingOptions, ShardOptions, TableOptions
from ostinato.config.start import StartOptions
from ostinato.config.text import Level, TextOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.options import ReadingRows, TrainFacts, require_id_beside_values

#: Convolutions, each of which halves the steps: behind so many a thousand steps are one.
MOST_CONVOLUTIONS = 10


@options
class SequenceColumns:
    """Columns of a table that are read: of texts, or of numbers."""

    text: Column = None
    """Column of the texts; several, with commas between, are put together."""

    id: Column = None
    """Numbers, one row a moment: column that tells the sequences apart."""

    time: Column = None
    """Numbers: column to sort a sequence's rows by. By default they stay as they are."""

    values: Columns = None
    """Numbers: columns of the values."""

    def __post_init__(self) -> None:
        if self.text and (self.values or self.id or self.time):
            raise ConfigError(
                "--text names a column of texts, --values, --id and --time columns of numbers: give either"
            )
        require_id_beside_values(self.values, self.id, "moment")

    @property
    def value_columns(self) -> tuple[str, ...]:
        """`values`, one by one."""
        return tuple(name for name in names_in(self.values) if name)


@options
class ReadingSequences(ReadingRows):
    """How the data are laid out, where otherwise than in training."""

    text: Column = None
    """Column of the texts."""

    values: Columns = None
    """Columns of the values, with commas between."""


@options
class SequenceOptions:
    """How a sequence is read and becomes one vector."""

    bidirectional: bool = True
    """Read in both directions."""

    pooling: Literal["last", "mean", "max", "attention", "concat"] | None = None
    """How a sequence becomes one vector: the state after its last step, or the mean, the largest value of each unit,
    or a weighted mean of all steps; or the first three side by side (concat). By default the weighted mean (attention)
    of texts, the largest value of numbers."""

    max_length: int | None = None
    """Steps kept of a sequence: of a longer one the first and the last halves. By default 1,000 words or BPE pieces,
    4,000 characters; numeric sequences are kept whole."""

    word_dropout: float | None = None
    """Share of the steps whose whole input is set to zero in training. By default 0.3 of texts of 100 tokens and more,
    less of shorter ones, where each token says more; none of numbers."""

    convolutions: int | None = None
    """Numbers: convolutions over time in front of the recurrent layers, each of which halves the steps. By default 2 of
    a classifier that reads in both directions; else none."""

    warp: float | None = None
    """Numbers: how much sequences are warped while training: a window of each is stretched to its length at an uneven
    pace, otherwise every time, so that few examples become many. By default 1 for a classifier with fewer than 1,000
    examples, of 50 steps and more on average; else 0, which leaves them as they are."""

    word_vectors: Literal["auto", "texts", "random"] = "auto"
    """What the embedding starts from: vectors made of which words stand near each other in DATA, so that rare words
    are like those they are used like; or random numbers. By default the texts, where they have 100,000 words or pieces
    and are not read by characters."""

    lowercase: bool = True
    """Words: take capitals for small letters."""

    def __post_init__(self) -> None:
        share(word_dropout=self.word_dropout or 0.0)
        at_least(convolutions=(self.convolutions, 0), warp=(self.warp, 0))
        at_most(convolutions=(self.convolutions or 0, MOST_CONVOLUTIONS))
        if self.max_length is not None:
            at_least(max_length=(self.max_length, 1))


@options
class SequenceTextOptions(TextOptions):
    """Tokens of the texts."""

    level: Literal["auto", "char", "word", "bpe"] = "auto"  # type: ignore[assignment]
    """What a token is: a character, a word, or a piece learned by byte-level BPE. By default a word; but where more
    than three in ten words held out are unknown, as in languages that build long words, a piece, and a character of
    texts of one word or two."""

    vocab_size: int | None = None
    """Most tokens kept; the rarer ones become <unk>. By default all characters, 20,000 words, 4,000 BPE pieces."""

    def at_level(self, level: Level) -> TextOptions:
        """The same, with a level that is chosen."""
        return TextOptions(level=level, vocab_size=self.vocab_size)


@options
class SequenceModelOptions(ModelOptions):
    """Between what is read and what is said of it."""

    cell: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="NAME",
            help=f"Recurrent cell: {', '.join(CELL_NAMES)}, or one from --plugin. By default {DEFAULT_CELL} for "
            f"texts, {DEFAULT_CELL_OF_NUMBERS} for numbers.",
        ),
    ] = None  # type: ignore[assignment]

    hidden: int = 128
    """Units of each layer."""

    dropout: float = 0.5
    """Share set to zero in training: after the embedding, between layers and before the output."""


@options
class SequenceTrainingOptions(TrainingOptions):
    """How long, how fast, and from which random numbers."""

    epochs: int | None = None
    """Passes over the data. By default 2 to 20, the fewer the more examples and tokens there are; more where they are
    few. With --time-limit alone, as many as there is time for."""

    batch: int | None = None
    """Sequences side by side, over all processes together. By default 32; of fewer than 1,600 examples fewer, down to
    8, so that an epoch has 50 steps."""

    lr: float | None = None  # type: ignore[assignment]
    """Learning rate: the highest that the schedule reaches. By default 0.0015 for texts, 0.004 for numbers."""

    average: float = 0.1
    """Validate and keep an average of the weights over about this share of the steps so far: 0.1 of them make it less
    noisy than the weights of any one step. 0 means the weights as they are."""


@options(kw_only=True)
class TrainSequences(TrainFacts):
    """What training takes, besides what is to be learned."""

    UNUSED = frozenset({"steps", "tied"})
    LEARNED: ClassVar[frozenset[str]] = frozenset({"level", "vocab_size", "lowercase", "max_length"})
    FRESH: ClassVar[frozenset[str]] = frozenset({"hold_out", "unlabelled", "pretrain_epochs"})

    data: tuple[str, ...]
    out: Out
    columns: SequenceColumns = field(default_factory=SequenceColumns)

    valid: File = None
    """Data to validate on. By default some of DATA, drawn by the seed: see --hold-out."""

    hold_out: float | None = None
    """Share of the examples, of every class alike, that is held out to validate on, where there is no --valid; 0 holds
    none out. By default a tenth; of fewer than 300 examples none, as a tenth of them says too little to give them up
    for."""

    unlabelled: Annotated[tuple[str, ...], tyro.conf.arg(metavar="TEXT")] = ()
    """Text without labels, as train lm takes it: a language model of it is trained first, into the folder RUN.lm, and
    the run then begins with its vocabulary and layers, as by --from. Of pieces (bpe) unless --level says otherwise."""

    pretrain_epochs: int | None = None
    """With --unlabelled: passes of the language model over it. By default as many as it takes to read 40 million
    characters, 1 to 20; with --time-limit, of which it gets half, as many as there is time for."""

    test: File = None
    """Data to evaluate the best weights on at the end."""

    preset: NoPreset = None
    config: Config = None
    sequence: SequenceOptions = field(default_factory=SequenceOptions)
    tokens: SequenceTextOptions = field(default_factory=SequenceTextOptions)
    model: SequenceModelOptions = field(default_factory=SequenceModelOptions)
    training: SequenceTrainingOptions = field(default_factory=SequenceTrainingOptions)
    shards: ShardOptions = field(default_factory=ShardOptions)

    reading: EncodingOptions = field(default_factory=EncodingOptions)
    table: TableOptions = field(default_factory=TableOptions)
    start: StartOptions = field(default_factory=StartOptions)
    json: Json = False

    def __post_init__(self) -> None:
        share(hold_out=self.hold_out or 0.0)
        above_zero(pretrain_epochs=self.pretrain_epochs)
        if self.unlabelled and (self.columns.values or self.start.vectors):
            other = "--values are numbers" if self.columns.values else "--vectors give the embedding"
            raise ConfigError(f"--unlabelled is text to learn the embedding and the layers of, but {other}: give one")
        if self.unlabelled or self.columns.text:
            self.require_numbers()

    def require_numbers(self) -> None:
        """Check, once it is known that texts are read, that nothing is wanted which takes numbers.

        Raises:
            ConfigError: convolutions or warping.
        """
        if wanted := [name for name in ("convolutions", "warp") if getattr(self.sequence, name)]:
            raise ConfigError(f"--{wanted[0]} is for sequences of numbers; these are texts")

    def check_learned(self, said: str) -> None:
        """Check that the option `said` names what is to be learned, where columns are read.

        Raises:
            ConfigError: it does not; or --tied.
        """
        if self.model.tied:
            raise ConfigError(
                "--tied shares the embedding with an output layer over words: a model of one answer a sequence has none"
            )
        if (self.columns.text or self.columns.values) and not getattr(self, said):
            raise ConfigError(f"--{said}: expected the column of the {said}s")
