"""Options of `ostinato train caption`."""

from typing import Annotated, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import at_least, at_most, share, valid_beam
from ostinato.config.fields import Beam, Config, File, Json, NoPreset, Out
from ostinato.config.model import ModelOptions
from ostinato.config.options import field, options
from ostinato.config.reading import EncodingOptions, TableOptions
from ostinato.config.start import StartOptions
from ostinato.config.text import TextOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.options import OtherTableOptions, Takes, TrainFacts

#: Width of the beam where no option says.
BEAM = 5


@options
class TrainCaption(TrainFacts):
    """Train a model that writes what a picture shows, from pictures or from features of them."""

    TASK = "caption"
    FIXED = frozenset({"test", "valid"})  # a list of names says which captions are not trained on
    UNUSED = frozenset({"steps"})
    LEARNED: ClassVar[frozenset[str]] = frozenset({"level", "vocab_size"})
    FRESH: ClassVar[frozenset[str]] = frozenset({"images", "features"})
    COMMON: ClassVar[tuple[str, ...]] = ("out", "images", "features", "valid", "test")

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="DATA",
            help="A table with the columns image and caption, a row for each caption; or a file like "
            "Flickr8k.token.txt. UTF-8, plain or gzipped.",
        ),
    ]

    out: Out

    images: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the pictures; a small convolutional encoder is trained along."""

    features: Annotated[str | None, tyro.conf.arg(metavar="FILE.safetensors")] = None
    """Features computed before, instead of pictures: a vector or a grid under each picture's name."""

    picture_size: int = 64
    """Height and width that pictures are brought to: a multiple of 16."""

    valid: File = None
    """Pictures to validate on: a list of names, or captions as DATA. By default a tenth of the pictures."""

    test: File = None
    """Pictures to evaluate the best weights on at the end; a list of names is not trained on."""

    preset: NoPreset = None
    config: Config = None

    attention: Literal["general", "dot", "additive", "none"] = "general"
    """How the decoder looks at the places of the picture; none: it is started from the picture and sees no more of
    it."""

    max_length: int = 64
    """Tokens of a caption at most: longer ones are not trained on, and no longer one is written."""

    label_smoothing: float = 0.0
    """Share of the probability that is expected of all other tokens."""

    length_penalty: float = 1.0
    """Of the beam search: 0 compares hypotheses by probability alone, higher values favour longer ones."""

    tokens: TextOptions = field(default_factory=lambda: TextOptions(level="word"))
    model: ModelOptions = field(default_factory=lambda: ModelOptions(hidden=256, embed=128, dropout=0.3, tied=True))
    training: TrainingOptions = field(default_factory=lambda: TrainingOptions(lr=0.003, average=0.1))

    reading: EncodingOptions = field(default_factory=EncodingOptions)
    table: TableOptions = field(default_factory=TableOptions)
    start: StartOptions = field(default_factory=StartOptions)
    json: Json = False

    def __post_init__(self) -> None:
        at_least(max_length=(self.max_length, 1), length_penalty=(self.length_penalty, 0))
        share(label_smoothing=self.label_smoothing)
        if (self.images is None) == (self.features is None):
            raise ConfigError("expected either --images DIR or --features FILE")
        at_most(picture_size=(self.picture_size, 2048))
        if self.picture_size < 16 or self.picture_size % 16:
            raise ConfigError(f"--picture-size: expected a multiple of 16, got {self.picture_size}")


@options
class ReadingCaption:
    """How the data are laid out, where otherwise than in training."""

    images: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the pictures, where they are elsewhere now, of a run that was trained on pictures."""

    features: Annotated[str | None, tyro.conf.arg(metavar="FILE.safetensors")] = None
    """File of the pictures' features, of a run that was trained on features."""

    files: EncodingOptions = field(default_factory=EncodingOptions)
    table: OtherTableOptions = field(default_factory=OtherTableOptions)

    def __post_init__(self) -> None:
        if self.images is not None and self.features is not None:
            raise ConfigError("--images and --features: a run sees pictures or features of them; give one")


@options
class AskCaption:
    """What evaluating and predicting take."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"decimal", "date_format"})

    beam: Beam = None
    reading: ReadingCaption = field(default_factory=ReadingCaption)

    def __post_init__(self) -> None:
        valid_beam(self.beam)


OPTIONS = Takes(TrainCaption, AskCaption, AskCaption)
