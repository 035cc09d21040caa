"""One class a command: what `ostinato --help` lists, with every option's meaning."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import above_zero, at_least, valid_seed
from ostinato.config.model import ModelOptions
from ostinato.config.text import TextOptions
from ostinato.config.training import TrainingOptions
from ostinato.core.errors import ConfigError

Flag = tyro.conf.FlagCreatePairsOff[bool]  # --json, without a --no-json beside it
Json = Annotated[Flag, tyro.conf.arg(help="End standard output with one JSON object; all else goes to standard error.")]
Plugins = Annotated[
    tuple[str, ...],
    tyro.conf.arg(metavar="FILE.py", help="Python files, or modules, that register cells of your own."),
]
RunFolder = Annotated[Positional[str], tyro.conf.arg(metavar="RUN", help="Run folder that train made.")]
Overwrite = Annotated[Flag, tyro.conf.arg(help="Replace what stands in --out.")]


@dataclass(frozen=True)
class TrainLm:
    """Train a language model on text, to continue it: one token after the other."""

    text: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="TEXT", help="UTF-8 text: files, plain or gzipped, folders of them, or - for standard input."
        ),
    ]

    out: Annotated[str, tyro.conf.arg(metavar="RUN", help="Folder to write the run to.")]

    valid: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Text to validate on. By default the last tenth of TEXT, which is then not trained on."""

    test: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Text to evaluate the best weights on at the end."""

    preset: Literal["hello", "char", "rnnlm", "better-rnnlm"] | None = None
    """Named settings, which options and --config override."""

    config: Annotated[str | None, tyro.conf.arg(metavar="FILE.toml")] = None
    """Options by name in a TOML file (hidden = 256); they override the preset."""

    tokens: TextOptions = field(default_factory=TextOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)

    resume: Flag = False
    """Go on from the last checkpoint in --out; starts afresh where there is none."""

    overwrite: Overwrite = False
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise ConfigError("--resume goes on with a run and --overwrite deletes it: give one of them")
        if self.model.tied and self.model.embed not in (None, self.model.hidden):
            raise ConfigError(
                f"--tied shares the embedding with the output layer: expected --embed {self.model.hidden} "
                f"(as --hidden), got {self.model.embed}"
            )


@dataclass(frozen=True)
class Evaluate:
    """Measure a trained run on data: for a language model perplexity and bits per character."""

    run: RunFolder

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="DATA", help="Files as train takes them, or - for standard input."),
    ]

    threads: int = 0
    """Threads to compute with. 0 means torch's own choice."""

    precision: Literal["highest", "high", "medium"] = "highest"
    """Of matrix products, as torch.set_float32_matmul_precision."""

    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        at_least(threads=(self.threads, 0))


@dataclass(frozen=True)
class SamplingOptions:
    """How the next token is chosen from the model's probabilities."""

    greedy: Flag = False
    """Always the most probable token."""

    temperature: float = 1.0
    """Below 1 more cautious, above 1 bolder."""

    top_k: int = 0
    """Choose among the k most probable tokens only. 0 means all."""

    top_p: float = 1.0
    """Choose among the most probable tokens that make up this share together. 1 means all."""

    seed: int | None = None
    """Of the random choice; the same seed writes the same text. By default another text each time."""

    def __post_init__(self) -> None:
        above_zero(temperature=self.temperature)
        if self.temperature == float("inf"):
            raise ConfigError("--temperature: expected a finite number, got inf")
        if self.seed is not None:
            valid_seed(self.seed)
        at_least(top_k=(self.top_k, 0))
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"--top-p: expected more than 0 and at most 1, got {self.top_p}")


@dataclass(frozen=True)
class Generate:
    """Let a trained language model write on, streamed as it is written."""

    run: RunFolder

    prompt: str = ""
    """Text to go on from; nothing means the beginning of a text."""

    length: int = 200
    """Tokens to write: characters, words or BPE pieces, as the model was trained."""

    stop: str | None = None
    """Stop once this text has been written."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        at_least(length=(self.length, 0))


@dataclass(frozen=True)
class Demo:
    """Train a character LSTM for two and a half minutes on text that every Python carries, and let it write."""

    out: Annotated[str, tyro.conf.arg(metavar="RUN", help="Folder to write the run to.")] = "runs/demo"

    time_limit: float = 150.0
    """Seconds to spend."""

    json: Json = False

    def __post_init__(self) -> None:
        above_zero(time_limit=self.time_limit)


@dataclass(frozen=True)
class Info:
    """Say what this installation has: versions, threads, and who runs each cell, and why."""

    plugin: Plugins = ()
    json: Json = False


@dataclass(frozen=True)
class Runs:
    """List the run folders in a folder, with their best figures."""

    folder: Annotated[Positional[str], tyro.conf.arg(metavar="DIR")] = "runs"
    """Where the runs are."""

    json: Json = False
