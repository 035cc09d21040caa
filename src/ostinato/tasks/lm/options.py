"""Options of `ostinato train lm`."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.encoding import EncodingOptions
from ostinato.config.fields import Config, File, Json, Out
from ostinato.config.model import ModelOptions
from ostinato.config.regularisation import RegularisationOptions
from ostinato.config.start import StartOptions
from ostinato.config.text import TextOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.lm.presets import LANGUAGE_MODEL

#: Least --steps for pieces of random length.
SHORTEST_RANDOM = 20


@dataclass(frozen=True)
class TrainLm:
    """Train a language model on text, to continue it: one token after the other."""

    TASK: ClassVar[str] = "lm"
    SOURCES: ClassVar[str] = "text"
    NAMING_DATA: ClassVar[tuple[str, ...]] = ("text",)
    FIXED: ClassVar[frozenset[str]] = frozenset()
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = LANGUAGE_MODEL
    UNUSED: ClassVar[frozenset[str]] = frozenset()
    COMMON: ClassVar[tuple[str, ...]] = ("out", "valid", "test", "level", "preset")

    text: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="TEXT",
            help="Text: files, plain or packed (gzip, bzip2, xz, zip), folders of them, or - for standard input.",
        ),
    ]

    out: Out

    valid: File = None
    """Text to validate on. By default the last tenth of TEXT, which is then not trained on."""

    test: File = None
    """Text to evaluate the best weights on at the end."""

    preset: Literal["hello", "char", "rnnlm", "better-rnnlm", "awd-lstm"] | None = None
    """Named settings, which options and --config override."""

    config: Config = None

    adaptive: tuple[int, ...] = ()
    """Adaptive softmax (Grave et al. 2017), for large vocabularies at level word: the numbers of words, most frequent
    first, after which a cluster of rarer ones begins, such as 2000 20000. Rare words are scored only where their
    cluster is meant, by narrower matrices."""

    tokens: TextOptions = field(default_factory=TextOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    regularisation: RegularisationOptions = field(default_factory=RegularisationOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)

    reading: EncodingOptions = field(default_factory=EncodingOptions)
    start: StartOptions = field(default_factory=StartOptions)
    json: Json = False

    def __post_init__(self) -> None:
        width = self.model.projected or self.model.hidden
        if self.model.tied and self.model.layers == 1 and self.model.embed not in (None, width):
            raise ConfigError(
                f"--tied shares the embedding with the output layer: expected --embed {width} "
                f"(as wide as what the layer gives), got {self.model.embed}; or --layers 2 or more, the last then as "
                "wide as the embedding"
            )
        if self.adaptive and self.tokens.level != "word":
            raise ConfigError(
                "--adaptive needs tokens in the order of their frequency: expected --level word, "
                f"got {self.tokens.level}"
            )
        if self.adaptive and self.model.tied:
            raise ConfigError(
                "--adaptive has narrower matrices of its own for rare words, --tied the embedding: give one"
            )
        if self.regularisation.random_steps and self.training.steps < SHORTEST_RANDOM:
            raise ConfigError(
                f"--random-steps draws lengths about --steps, with a standard deviation of 5: expected --steps of at "
                f"least {SHORTEST_RANDOM}, got {self.training.steps}"
            )


OPTIONS = TrainLm
