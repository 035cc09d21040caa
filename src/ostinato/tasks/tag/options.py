"""Options of `ostinato train tag`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import at_least
from ostinato.config.columns import names_in
from ostinato.config.fields import Column, Columns, Config, File, Flag, Json, NoPreset, Out
from ostinato.config.model import ModelOptions
from ostinato.config.options import field, options
from ostinato.config.reading import EncodingOptions, ShardOptions
from ostinato.config.start import StartOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.options import Takes, TrainFacts

#: How tags can be chosen: a file in `heads` is all that one more takes.
HEADS = tuple(sorted(file.stem for file in (Path(__file__).parent / "heads").glob("[!_]*.py")))

if TYPE_CHECKING:
    Head = str
else:
    Head = Literal[("auto", *HEADS)]


@options
class SpellingOptions:
    """How words are read: by themselves, and by their characters."""

    char_embed: int = 32
    """Width of the embedding of characters."""

    char_hidden: int = 128
    """Units of the layer over a word's characters, each direction. 0 leaves spelling out."""

    word_dropout: float = 1.0
    """How readily rare words are unknown in training, so that the spelling must serve: this, over this plus the
    number of times the word occurs."""

    vocab_size: int | None = None
    """Most words kept; the rarer ones are unknown. By default all."""

    max_length: int = 500
    """Words read at once, at most: longer sentences are cut into pieces."""

    def __post_init__(self) -> None:
        at_least(char_embed=(self.char_embed, 1), char_hidden=(self.char_hidden, 0), max_length=(self.max_length, 1))
        at_least(word_dropout=(self.word_dropout, 0))
        if self.vocab_size is not None:
            at_least(vocab_size=(self.vocab_size, 1))


@options
class TaggerTrainingOptions(TrainingOptions):
    """How long, how fast, and from which random numbers."""

    epochs: int | None = None
    """Passes over the data. By default 15. With --time-limit alone, as many as there is time for."""


@options
class TrainTag(TrainFacts):
    """Train a tagger on sentences of tagged words: parts of speech, names, anything that each word has one of."""

    TASK = "tag"
    BFLOAT16: ClassVar[bool] = True
    UNUSED = frozenset({"steps", "tied"})
    LEARNED: ClassVar[frozenset[str]] = frozenset({"vocab_size", "features"})
    COMMON: ClassVar[tuple[str, ...]] = ("out", "column", "valid", "test")

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="DATA",
            help="CoNLL-U, or one word a line in columns and a blank line between sentences; gzipped too, - for "
            "standard input.",
        ),
    ]

    out: Out

    valid: File = None
    """Sentences to validate on. By default a tenth of DATA, which is then not trained on."""

    test: File = None
    """Sentences to evaluate the best weights on at the end."""

    preset: NoPreset = None
    config: Config = None

    column: Column = None
    """Column of the tags: its name, or its number from 1. By default upos in CoNLL-U, elsewhere the last."""

    word_column: Column = None
    """Column of the words. By default form in CoNLL-U, elsewhere the first."""

    features: Columns = None
    """Other columns that are read along with the words, such as their parts of speech: names, or numbers from 1."""

    head: Head = "auto"
    """How tags are chosen: each by itself, or a sentence's together by a conditional random field. By default crf
    where the tags mark spans (BIO, IOBES, BILOU, BMES), else softmax."""

    spelling: SpellingOptions = field(default_factory=SpellingOptions)
    model: ModelOptions = field(default_factory=lambda: ModelOptions(hidden=200, embed=100, dropout=0.5))
    training: TaggerTrainingOptions = field(
        default_factory=lambda: TaggerTrainingOptions(lr=0.006, weight_decay=0.05, average=0.1)
    )

    shards: ShardOptions = field(default_factory=ShardOptions)
    reading: EncodingOptions = field(default_factory=EncodingOptions)
    start: StartOptions = field(default_factory=StartOptions)
    json: Json = False

    def __post_init__(self) -> None:
        if self.model.tied:
            raise ConfigError("--tied: a tagger's output has no embedding to share; leave the option out")

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """The columns of --features."""
        return names_in(self.features)


@options
class ReadingTag:
    """How the data are laid out, where otherwise than in training."""

    files: EncodingOptions = field(default_factory=EncodingOptions)

    column: Column = None
    """Column of the tags, a name or a number from 1."""

    word_column: Column = None
    """Column of the words, a name or a number from 1."""

    format: Literal["columns", "text"] | None = None
    """Words in columns, or plain sentences, one a line. By default as the data look."""


@options
class EvaluateTag:
    """What evaluating a tagger takes."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"format"})

    reading: ReadingTag = field(default_factory=ReadingTag)


@options
class PredictTag:
    """What its answers take."""

    WRITING: ClassVar[frozenset[str]] = frozenset({"labels"})

    labels: Flag = False
    """The tags of a sentence alone, in a line."""

    reading: ReadingTag = field(default_factory=ReadingTag)


OPTIONS = Takes(TrainTag, EvaluateTag, PredictTag, estimator="SequenceTagger")
