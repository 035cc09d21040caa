"""What a task is: everything that training, evaluating and predicting need to know of it.

A task is found by its name, that of its folder: there `options.py` says what it takes, as `OPTIONS`, and `task.py` has
this, as `TASK`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

from numpy.random import Generator
from torch import Tensor, nn

from ostinato.checkpoint import RunFolder
from ostinato.config.commands import Import
from ostinato.core.results import Result
from ostinato.data.labelled.examples import Raw
from ostinato.interop import Found
from ostinato.interop.outgoing import c
from ostinato.interop.outgoing.described import Described
from ostinato.interop.outgoing.graphs import Graph
from ostinato.tasks.card import CardFacts
from ostinato.tasks.trained import AnyRun, Trained
from ostinato.training import ALONE, Job, Processes

#: Called with what is done and with all there is to do.
Progress: TypeAlias = Callable[[int, int], None]

Options = TypeVar("Options", contravariant=True)  # the task's class in config
PreparedData = TypeVar("PreparedData")  # data made ready; pickled where several processes train, so keep it small


class Task(Protocol[Options, PreparedData]):
    """One topology, from raw files to figures."""

    #: What config.json must say for the task, besides what all tasks say: types by name, "decoding.max_length" for one
    #: within another.
    RECORDED: Mapping[str, Any]

    def prepare(self, options: Options, progress: Progress | None = None, codec: Any = None) -> PreparedData:
        """Read all data, the test data included, so that what is wrong with it shows before anything is written.

        Args:
            options: of the command.
            progress: told how far it is.
            codec: of the run whose weights are begun with, as `codec` gives it: data are read with it. None: one is
                learned of them.

        Raises:
            DataError: data that cannot be used.
            ConfigError: options that do not go with the data, or with each other.
        """

    def configuration(self, options: Options, prepared: PreparedData) -> dict[str, Any]:
        """The task's part of config.json.

        Returns:
            `model`, the arguments of the model's class, `cell` among them; `data`, with a record of `train` and of
            `valid` (each with `files` and `sha256`) and whether the latter was `held_out`; and whatever else loading
            the run takes, such as labels.
        """

    def files(self, prepared: PreparedData) -> Mapping[str, bytes]:
        """Content of the files that a run holds from its start, by name: tokenizers."""

    def build(self, config: Mapping[str, Any]) -> nn.Module:
        """A model from config.json, with random weights.

        Raises:
            KeyError, TypeError: the configuration lacks something.
            ConfigError: an unknown cell.
        """

    def job(self, options: Options, model: nn.Module, prepared: PreparedData, processes: Processes = ALONE) -> Job:
        """What the loop needs, for one process of several."""

    def describe(self, model: nn.Module, prepared: PreparedData) -> str:
        """One line on what is about to be trained, and on what it is validated."""

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> Any:
        """What reads data for a run's model and makes sense of its answers: tokenizers, labels, scales.

        Raises:
            RunFolderError, DataError: a file is missing or damaged.
            KeyError, TypeError, AttributeError: the configuration lacks something.
        """

    def evaluate(self, run: Trained, sources: Iterable[str], options: Any, progress: Progress | None = None) -> Result:
        """The figures of `ostinato evaluate` on `sources`, files or names of data in memory: the task's `Figures`. The
        options are of the class that `OPTIONS.evaluate` names.

        Raises:
            DataError: data that cannot be used.
            ConfigError: an option that a run of this kind has no use for.
        """

    def summary(self, run: Trained) -> Result:
        """What a training's result holds of the task's own: its `Summary`, with the best figures as `valid_*`."""

    def card(self, run: Trained) -> CardFacts:
        """What the model card in the run folder says."""


class Adopted(NamedTuple):
    """A model of another program as a run of a task.

    Attributes:
        config: the task's part of config.json, as `Task.configuration`, without `data`.
        data: what `data.train` and `data.valid` say besides files, and `data` besides these two.
        options: of the command `train`, by plain name, that differ from the task's defaults.
        files: that a run holds from its start.
        weights: by the names of the task's model.
    """

    config: dict[str, Any]
    data: tuple[dict[str, Any], dict[str, Any]]
    options: dict[str, Any]
    files: Mapping[str, bytes]
    weights: Mapping[str, Any]


@runtime_checkable
class Draws(Protocol):
    """A task whose finished runs hold pictures."""

    def finish(self, run: Trained, prepared: Any) -> None:
        """Write them."""


@runtime_checkable
class Adopts(Protocol):
    """A task that can take over a model of another program."""

    #: The options of `import` that it has a use for, besides those that are everybody's.
    ADOPTING: frozenset[str]

    def adopt(self, found: Found, asked: Import) -> Adopted:
        """The run that a file's layers make.

        Raises:
            DataError: layers that are not a model of the task, or a vocabulary that is not theirs.
            ConfigError: an option that does not go with them.
        """


@runtime_checkable
class Exports(Protocol):
    """A task whose models can be written for other programs."""

    def metadata(self, run: Trained) -> Mapping[str, Any]:
        """What whoever feeds the model without us has to know, by name, of JSON's types: vocabulary, labels, scales."""

    def graphs(self, run: Trained) -> Mapping[str, Graph]:
        """The model as graphs by name: one, called "model", or one that reads and one that takes a step.

        Raises:
            DataError: a model that is no graph.
        """


@runtime_checkable
class Describes(Protocol):
    """A task whose models can be written whole, to be built again by what knows nothing of tasks."""

    def described(self, run: Trained) -> Described:
        """Which kind of model it is, what it reads and answers, and random inputs of it.

        Raises:
            DataError: a model that is of no such kind.
        """


@runtime_checkable
class ExportsC(Protocol):
    """A task whose models can be written in C."""

    def program(self, run: Trained, name: str, weights: c.Weights) -> c.Program:
        """The files, whose names begin with `name`.

        Raises:
            ConfigError: a model, or a cell, that has no form in C.
        """

    def sample(self, run: Trained, random: Generator, count: int) -> c.Sample:
        """So many random inputs, as the program's driver reads them, and what the run makes of them."""


@runtime_checkable
class Predicts(Protocol):
    """A task that answers inputs, in three steps: it reads them into examples, answers examples, and writes answers.

    What an example is, each task says: all that it takes to answer it, and to write the answer as the input was.
    """

    def read(self, run: Trained, source: str) -> Iterable[Any]:
        """Examples of a file, or of data in memory by their name, one after the other as they are read.

        Raises:
            DataError: data that cannot be used.
        """

    def answer(
        self, run: Trained, examples: Iterable[Any], options: Any, progress: Progress | None = None
    ) -> Iterator[Any]:
        """The answers to examples, which `read` gave or which are made of something else, in order: one to each, or a
        row for each step of what it says of one. The options are of the class that `OPTIONS.predict` names.

        Raises:
            DataError: an example that the model cannot read.
            ConfigError: an option that a run of this kind has no use for.
        """

    def lines(self, run: Trained, answers: Iterable[Any]) -> Iterator[str]:
        """Answers as the lines that `ostinato predict` writes, without their ends."""


@runtime_checkable
class Labels(Protocol):
    """A task whose answers are labels, with something about them."""

    def labels(self, run: Trained, answers: Iterable[Any]) -> Iterator[str]:
        """The labels alone, as the lines that `ostinato predict --labels` writes."""


@runtime_checkable
class ReadsTexts(Protocol):
    """A task some of whose runs answer texts, so that `predict` takes a text in place of a file."""

    def reads_texts(self, run: Trained) -> bool:
        """Whether this one does."""


@runtime_checkable
class Tabulates(Protocol):
    """A task whose answers are a table."""

    def rows(self, run: Trained, answers: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
        """Answers as rows: the cells by column, the same columns in all of them."""


@runtime_checkable
class Plots(Protocol):
    """A task that draws what it answers."""

    def plot(self, run: Trained, source: str, out: Path, options: Any, series: Sequence[str]) -> dict[str, Any]:
        """Draw the answers to a file's data to `out`, PNG or SVG by its ending: of these series, or of as many as there
        is room for where none are named. Returns what was drawn: `series`."""


@runtime_checkable
class Ensembles(Protocol):
    """A task of whose runs several can answer as one."""

    def together(self, runs: Sequence[Trained]) -> nn.Module:
        """The model of all of them; where each run reads and answers by itself (`each_of`), the list of theirs.

        Raises:
            ConfigError: runs that do not read or answer alike; says in what.
        """


@runtime_checkable
class Refits(Protocol):
    """A task that can train once more, when it is known for how long."""

    def refit(self, options: Any, prepared: Any, folder: RunFolder, started: float, *, shown: bool) -> None:
        """Train again on all that is there, where the options ask for it, and keep these weights. The time limit counts
        from `started`, when the command began by `time.monotonic()`."""


@runtime_checkable
class Backtests(Protocol):
    """A task whose evaluation makes forecasts that can be written."""

    def backtested(self, run: Trained) -> Iterator[Mapping[str, Any]]:
        """The answers that the run's last figures were computed from, beside what came: rows of a table."""


@runtime_checkable
class Reads(Protocol):
    """A task whose data may be laid out otherwise than in training."""

    def reading(self, run: AnyRun, given: Mapping[str, Any]) -> AnyRun:
        """The run as it is, reading data of another layout.

        Raises:
            ConfigError: columns that a run of this kind does not have.
        """


@runtime_checkable
class Generates(Protocol):
    """A task that writes on."""

    def generate(self, run: Trained, prompt: str, length: int, options: Any, *, stop: str | None) -> Iterator[str]:
        """Pieces of text, as they are written.

        Raises:
            DataError: a prompt that the model cannot read.
            ConfigError: an option that there is not, or out of range.
        """

    def generate_all(
        self,
        run: Trained,
        asked: Sequence[tuple[str, Any]],
        length: int,
        *,
        stop: str | None,
        progress: Progress | None = None,
    ) -> Iterator[str]:
        """Whole texts, in the order of their prompts and options: each as `generate` would write it alone."""


@runtime_checkable
class Validated(Protocol):
    """A task that finds again what a run was validated on, and reads files alike."""

    def labelled(self, run: Trained, sources: Sequence[str]) -> Raw:
        """The examples of files, with what is to be learned of each.

        Raises:
            DataError: data that cannot be used, or in which nothing is to be learned.
        """

    def validated(self, run: Trained) -> Raw:
        """Those that the run was validated on.

        Raises:
            DataError: they are not there any more, or not what they were.
        """


def record(files: Iterable[str | Path], digest: str, **more: Any) -> dict[str, Any]:
    """What `configuration` says of a part of the data: its files, its content's SHA-256, and more."""
    return {"files": [str(file) for file in files], "sha256": digest, **more}


class Alignment(NamedTuple):
    """What a model wrote, and what it looked at meanwhile.

    Attributes:
        source: `[S]` pieces of what was read; of a picture empty.
        target: `[T]` tokens written, `<eos>` last.
        weights: `[T, S]` of attention.
    """

    source: list[str]
    target: list[str]
    weights: Tensor


@runtime_checkable
class Aligns(Protocol):
    """A task that writes a text from another, and can say what attention looked at."""

    def align(self, run: Trained, text: str, beam: int | None = None) -> Alignment:
        """Answer a text.

        Raises:
            ConfigError: the model has no attention.
        """


@runtime_checkable
class Looks(Protocol):
    """A task that writes a text from a picture."""

    def look(self, run: Trained, picture: Path, beam: int | None = None) -> Alignment:
        """Answer a picture; the places looked at are those of a square grid, row by row.

        Raises:
            DataError: no picture.
            ConfigError: the model has no attention, or was trained on something else than pictures.
        """
