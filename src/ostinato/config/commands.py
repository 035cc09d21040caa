"""One class a command: what `ostinato --help` lists, with the meaning of options that no task has of its own."""

from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import above_zero, at_least, valid_threads
from ostinato.config.fields import Accelerator, File, Flag, Json, Out, Overwrite, Plugins, Precision, RunFolder, Threads
from ostinato.config.options import options
from ostinato.core.errors import ConfigError


@options
class Evaluate:
    """Measure a trained run on data it has not seen: perplexity, accuracy, whatever its task is judged by."""

    run: RunFolder

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="[RUN...] DATA",
            help="Files as train takes them, or - for standard input. Further run folders in front of them make an "
            "ensemble: all answer as one.",
        ),
    ]

    threads: Threads = 0
    precision: Precision = "highest"
    accelerator: Accelerator = "auto"
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        valid_threads(threads=self.threads)


@options
class Predict:
    """Let a trained run answer each input: as its task does, with a label, a number, or a text."""

    run: RunFolder

    data: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="[RUN...] DATA",
            help="A file as train takes it, a text in quotation marks, or - for standard input, one text a line. "
            "Further run folders in front of it make an ensemble: all answer as one.",
        ),
    ]

    output: File = None
    """Where to write the answers; where they are a table, one by its ending: .csv, .tsv, .jsonl, .parquet. By default
    standard output."""

    threads: Threads = 0
    precision: Precision = "highest"
    accelerator: Accelerator = "auto"
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        valid_threads(threads=self.threads)


@options
class Plot:
    """Draw the answers of a trained run: how the series of a table go on, and how well their last rows were met."""

    run: RunFolder

    data: Annotated[Positional[str], tyro.conf.arg(metavar="DATA", help="A table as train takes it.")]

    out: Annotated[str, tyro.conf.arg(metavar="FILE", help="Picture to write, .png or .svg.")]

    series: Annotated[str | None, tyro.conf.arg(metavar="ID,..")] = None
    """Series to draw, by their ids. By default the first ones, as many as there is room for."""

    threads: Threads = 0
    accelerator: Accelerator = "auto"
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        valid_threads(threads=self.threads)


@options
class Generate:
    """Let a trained run write on, streamed as it is written."""

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

    weights: Literal["float32", "int8"] | None = None
    """int8: those of recurrent and large linear layers in 8 bits, with a scale for a row. One text is written up to
    twice as fast, by scores a little off. By default as in the run."""

    accelerator: Accelerator = "auto"
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


@options
class Demo:
    """Train a character LSTM for two and a half minutes on text that every Python carries, and let it write."""

    out: Out = "runs/demo"

    time_limit: float = 150.0
    """Seconds to spend."""

    json: Json = False

    def __post_init__(self) -> None:
        above_zero(time_limit=self.time_limit)


@options
class Info:
    """Say what this installation has: versions, threads, and who runs each cell, and why."""

    plugin: Plugins = ()
    json: Json = False


@options
class CheckCell:
    """Say how a cell of your own is compiled, how fast it is, and whether its numbers are right.

    A compiled cell has one of three forms. fused: one product with the state before it, as in an LSTM; what follows is
    computed while the sums are in registers. scan: no such product; a step costs a few operations a unit. phases:
    products or reductions that wait for each other, as many as are listed. A cell that cannot be compiled runs on the
    reference, the loop over its step, and the report names the operation and its line. Outputs, states and all
    gradients are compared with the reference in float64, and time is measured beside the reference in float32.
    """

    file: Annotated[
        Positional[str],
        tyro.conf.arg(metavar="FILE.py", help="Python file with the cell, or the name of one that is registered."),
    ]

    cell: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Which of the file's cells. By default all of them."""

    input_size: Annotated[int | None, tyro.conf.arg(metavar="D")] = None
    """Features of an input. By default as many as there are units."""

    hidden_size: Annotated[int, tyro.conf.arg(metavar="H")] = 64
    """Units of the cell."""

    cell_options: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE", help="Options of the cell itself, such as heads=2.")
    ] = ()

    batch: int = 16
    """Sequences at once, for the speed."""

    steps: int = 100
    """Steps of each, for the speed."""

    seconds: float = 1.0
    """Time to measure for, at least; three turns of each side are always taken."""

    threads: Threads = 0
    json: Json = False

    def __post_init__(self) -> None:
        at_least(hidden_size=(self.hidden_size, 1), input_size=(self.input_size, 1))
        at_least(batch=(self.batch, 1), steps=(self.steps, 1))
        above_zero(seconds=self.seconds)
        valid_threads(threads=self.threads)


@options
class Runs:
    """List the run folders in a folder, with their best figures."""

    folder: Annotated[Positional[str], tyro.conf.arg(metavar="DIR")] = "runs"
    """Where the runs are."""

    json: Json = False


@options
class Trim:
    """Remove what only going on with a training needs from finished runs, most of their size; the models stay."""

    runs: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="RUN", help="Run folders of trainings that are finished and are not to be lengthened."),
    ]

    json: Json = False


@options
class Import:
    """Make a run of a model that another program trained: PyTorch, Keras, TensorFlow 1, ONNX, or the book's pickles."""

    source: Annotated[
        Positional[str],
        tyro.conf.arg(
            metavar="SOURCE",
            help="File of weights: .pt, .pth, .bin, .safetensors, .keras, .h5, .weights.h5, .onnx, .npz, .pkl.",
        ),
    ]

    out: Annotated[str | None, tyro.conf.arg(metavar="RUN")] = None
    """Folder to write the run to. Without it what the file holds is said, and nothing is written."""

    task: str | None = None
    """What the model is for. By default as its shapes say: a language model scores its own vocabulary."""

    vocabulary: Annotated[str | None, tyro.conf.arg(metavar="FILE | SOURCE,TARGET")] = None
    """What the ids stand for: tokens, one a line, or JSON, a list or an object of ids by token. Of an encoder and a
    decoder with a vocabulary each, two files with a comma between."""

    text: Annotated[tuple[str, ...], tyro.conf.arg(metavar="TEXT")] = ()
    """In place of --vocabulary, the text that was trained on: words have their ids in the order of their first
    occurrence, with <eos> for each line's end, or characters theirs sorted; of pairs, characters in the order of their
    first occurrence."""

    level: Literal["word", "char"] | None = None
    """Whether tokens are words or characters. By default what fits."""

    eos: str | None = None
    """The token of the vocabulary that ends a line or a text. By default <eos> or a like one."""

    unk: str | None = None
    """The token that stands for unknown ones. By default <unk> or a like one."""

    bos: str | None = None
    """The token that a decoder starts with, where it is not the one that ends a text."""

    reverse: Flag = False
    """The encoder has learned sources turned round."""

    pad: int = 0
    """Characters that sources were padded to with blanks in training, as the book's are."""

    max_length: int = 256
    """Tokens that a decoder writes at most; the book's writes as many as its answers have."""

    labels: File = None
    """Names of a classifier's labels, or of a tagger's tags, one a line. By default their numbers."""

    pooling: Literal["last", "mean", "max"] | None = None
    """How a classifier makes one vector of all steps. By default as the file says, else last."""

    cell: str | None = None
    """The recurrent cell, where weights look alike: rnn_relu, or gru_reset_before."""

    forget_bias: float | None = None
    """Of TensorFlow 1's BasicLSTMCell, which keeps it outside of its weights. By default 1, as there."""

    map: Annotated[str | None, tyro.conf.arg(aliases=("--mapping",), metavar="FILE.toml")] = None
    """Names of the file's parts to ours, as "encoder" = "embedding", "rnn" = "recurrent", "decoder" = "output"."""

    overwrite: Overwrite = False
    json: Json = False

    def __post_init__(self) -> None:
        at_least(pad=(self.pad, 0), max_length=(self.max_length, 1))
        if self.vocabulary is not None and self.text:
            raise ConfigError("--vocabulary and --text both say what ids stand for: give one of them")
