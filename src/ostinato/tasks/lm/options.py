"""Options of `ostinato train lm`."""

from typing import Annotated, Any, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.cells.form import width_asked_for
from ostinato.config.checks import above_zero, at_least, share, valid_seed
from ostinato.config.fields import Config, File, Flag, Json, Out
from ostinato.config.model import ModelOptions
from ostinato.config.options import field, options
from ostinato.config.reading import EncodingOptions, ShardOptions
from ostinato.config.start import StartOptions
from ostinato.config.text import TextOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.lm.presets import LANGUAGE_MODEL
from ostinato.tasks.options import Takes, TrainFacts


@options
class RegularisationOptions:
    """What training disturbs or penalises, so that the model learns what holds elsewhere too; evaluation knows none
    of it."""

    input_dropout: float | None = None
    """Share of the embedding's features set to zero in training. By default as --dropout."""

    hidden_dropout: float | None = None
    """Share set to zero between layers. By default as --dropout."""

    output_dropout: float | None = None
    """Share set to zero before the output layer. By default as --dropout."""

    locked_dropout: bool = False
    """Set the same features to zero at every step of a piece, instead of others at each step: what is dropped then
    cannot be got back from the neighbouring steps (variational dropout; Gal, Ghahramani 2016)."""

    embedding_dropout: float = 0.0
    """Share of the vocabulary that a piece is read without: a word's embedding is zero at all of its places, so that
    no single word is leant on."""

    weight_drop: float = 0.0
    """Share of the recurrent weights set to zero in training, others for each piece (DropConnect; Merity et al.
    2018)."""

    ar: float = 0.0
    """Activation regularisation: this times the mean square of the last layer's outputs is added to the loss that is
    trained on, which keeps them small. Figures of the loss are without it."""

    tar: float = 0.0
    """The same for the change of outputs from one step to the next (temporal activation regularisation)."""

    random_steps: bool = False
    """Draw the length of each piece anew, about --steps, now and then half of it, so that pieces do not end at the same
    places in every epoch; the learning rate of a step goes with the length. No token is left out."""

    def __post_init__(self) -> None:
        share(input_dropout=self.input_dropout, hidden_dropout=self.hidden_dropout, output_dropout=self.output_dropout)
        share(embedding_dropout=self.embedding_dropout, weight_drop=self.weight_drop)
        at_least(ar=(self.ar, 0), tar=(self.tar, 0))

    def model_settings(self) -> dict[str, float | bool | None]:
        """The arguments of the model that they are."""
        names = ("input_dropout", "hidden_dropout", "output_dropout", "locked_dropout", "embedding_dropout")
        return {name: getattr(self, name) for name in (*names, "weight_drop")}


#: Share of the text that is trained on where no validation text is given.
TRAINED_SHARE = 0.9

#: What no document can end with.
UNKNOWN = "<unk>"

#: Least --steps for pieces of random length.
SHORTEST_RANDOM = 20


@options
class LmModelOptions(ModelOptions):
    """The stack of recurrent layers, and what stands before and behind it."""

    embed: int | None = None
    """Width of the embedding. By default as --hidden, of characters 128 at most."""

    tied: bool = False
    """Let the output layer use the embedding's weights. The last layer is then as wide as the embedding: --embed is as
    --hidden, or of two layers or more a width of its own."""


@options
class TrainLm(TrainFacts):
    """Train a language model on text, to continue it: one token after the other."""

    TASK = "lm"
    BFLOAT16: ClassVar[bool] = True
    SOURCES = "text"
    NAMING_DATA: ClassVar[tuple[str, ...]] = ("text",)
    PRESETS = LANGUAGE_MODEL
    LEARNED: ClassVar[frozenset[str]] = frozenset({"level", "vocab_size", "document_separator"})
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
    """Text to validate on. By default the last tenth of TEXT, which is then not trained on; of a text in shards at most
    its last 8 million characters."""

    test: File = None
    """Text to evaluate the best weights on at the end."""

    preset: Literal["hello", "char", "rnnlm", "better-rnnlm", "awd-lstm", "awd", "mogrifier"] | None = None
    """Named settings, which options and --config override."""

    config: Config = None

    adaptive: tuple[int, ...] = ()
    """Adaptive softmax (Grave et al. 2017), for large vocabularies at level word: the numbers of words, most frequent
    first, after which a cluster of rarer ones begins, such as 2000 20000. Rare words are scored only where their
    cluster is meant, by narrower matrices."""

    document_separator: str | None = None
    """What stands between the documents of a text, such as "<|endoftext|>": a token of its own, before which the state
    starts anew, in training as ever after. It stands between files too. <eos>: each file is a document, at level word
    each line. By default the state is carried on through all of a text."""

    shards: ShardOptions = field(default_factory=ShardOptions)
    tokens: TextOptions = field(default_factory=TextOptions)
    model: LmModelOptions = field(default_factory=LmModelOptions)
    regularisation: RegularisationOptions = field(default_factory=RegularisationOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)

    reading: EncodingOptions = field(default_factory=EncodingOptions)
    start: StartOptions = field(default_factory=StartOptions)
    json: Json = False

    def __post_init__(self) -> None:
        width = width_asked_for(self.model.cell, self.model.cell_settings()) or self.model.hidden
        if self.model.tied and self.model.layers == 1 and self.model.embed not in (None, width):
            raise ConfigError(
                f"--tied shares the embedding with the output layer: expected --embed {width} "
                f"(as wide as what the layer gives), got {self.model.embed}; or --layers 2 or more, the last then as "
                "wide as the embedding"
            )
        separator = self.document_separator
        if separator is not None and ((len(separator) != 1 and len(separator.split()) != 1) or separator == UNKNOWN):
            raise ConfigError(
                "--document-separator: expected one character, or several without white space, that are not "
                f"{UNKNOWN}, got {separator!r}"
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


@options
class AdaptingOptions:
    """Learn from the text, or remember it, while it is read. Each token is predicted from what lies before it alone."""

    dynamic: float = 0.0
    """Dynamic evaluation (Krause et al. 2018), with plain SGD at this learning rate: after each piece of the text the
    weights go down the gradient of its mean loss. 0.1 to 1 is common. 0 means off. The run's own weights stay."""

    dynamic_steps: int = 5
    """Tokens between two such steps, through which the gradient flows."""

    dynamic_decay: float = 0.0
    """Share of the way back to the run's weights that each step goes."""

    cache: int = 0
    """Neural cache (Grave et al. 2017): tokens back to look for moments when the model was in a like state; what came
    next then is made more probable. Some hundreds to some thousands are common. 0 means off."""

    cache_theta: float = 0.3
    """How much more a like state counts than an unlike one; 0 counts all alike."""

    cache_lambda: float = 0.1
    """Share of the probability that the cache has a say in."""

    def __post_init__(self) -> None:
        at_least(dynamic=(self.dynamic, 0), cache=(self.cache, 0), cache_theta=(self.cache_theta, 0))
        above_zero(dynamic_steps=self.dynamic_steps)
        share(dynamic_decay=self.dynamic_decay, cache_lambda=self.cache_lambda)

    def settings_in_use(self) -> dict[str, dict[str, Any]]:
        """What is on, for a result: empty where nothing is."""
        found: dict[str, dict[str, Any]] = {}
        if self.dynamic:
            found["dynamic"] = {"lr": self.dynamic, "steps": self.dynamic_steps, "decay": self.dynamic_decay}
        if self.cache:
            found["cache"] = {"window": self.cache, "theta": self.cache_theta, "lambda": self.cache_lambda}
        return found


@options
class SamplingOptions:
    """How the next token is chosen from the model's probabilities."""

    greedy: Flag = False
    """Always the most probable token."""

    temperature: float = 1.0
    """Below 1 more cautious, above 1 bolder; 0 is greedy."""

    top_k: int = 0
    """Choose among the k most probable tokens only. 0 means all."""

    top_p: float = 1.0
    """Choose among the most probable tokens that make up this share together. 1 means all."""

    seed: int | None = None
    """Of the random choice; the same seed writes the same text. By default another text each time."""

    def __post_init__(self) -> None:
        at_least(temperature=(self.temperature, 0))
        if self.temperature == float("inf"):
            raise ConfigError("--temperature: expected a finite number, got inf")
        if self.seed is not None:
            valid_seed(self.seed)
        at_least(top_k=(self.top_k, 0))
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"--top-p: expected more than 0 and at most 1, got {self.top_p}")


@options
class EvaluateLm:
    """What evaluating a language model takes."""

    adapting: AdaptingOptions = field(default_factory=AdaptingOptions)
    reading: EncodingOptions = field(default_factory=EncodingOptions)


@options
class GenerateLm:
    """What writing on takes."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)


OPTIONS = Takes(TrainLm, EvaluateLm, generate=GenerateLm)
