"""A trained run: what `ostinato.train` returns and `ostinato.load` finds again."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ostinato.api.compute import placed
from ostinato.api.loading import open_folder
from ostinato.checkpoint import RunFolder
from ostinato.config.checks import at_least
from ostinato.config.merge import flatten
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.core.results import builtins
from ostinato.data.sources.encodings import read_as, text_encoding
from ostinato.data.sources.memory import Given, given
from ostinato.data.tables.layout import Layout, laid_out, layout_of
from ostinato.tasks import TABLES, find
from ostinato.tasks.commands import asked, reading_given
from ostinato.tasks.contract import Ensembles, Generates, Labels, Plots, Predicts, Progress, Reads, ReadsTexts, Task
from ostinato.tasks.trained import Trained, each_of, require_alike


class Run:
    """The best weights of a training, with all it takes to use them.

    Attributes:
        folder: the files.
        config: what config.json says.
        model: a torch module with the best weights, in eval mode.
        codec: what reads data for the model and makes sense of its answers: tokenizers, labels, scales.
        task: what the model is for.
        test: figures on the test data, where training was given some.
        details: what the last evaluation found besides its figures, such as a confusion matrix.
        encoding: of the files it is given, where that is said.
        layout: of the tables it is given: as in training, where `reading` does not say.
        members: the runs it consists of, where it is an ensemble.
    """

    def __init__(self, folder: RunFolder, config: dict[str, Any], model: nn.Module, codec: Any) -> None:
        self.folder, self.config, self.model, self.codec = folder, config, model, codec
        self.task: Task[Any, Any] = find(config["task"])
        self.test: dict[str, Any] | None = None
        self.details: dict[str, Any] = {}
        self.members: tuple[Trained, ...] = ()
        self.encoding: str | None = None
        self.layout = layout_of(config.get("options", {})) if config["task"] in TABLES else Layout()

    @property
    def tokenizer(self) -> Any:
        """Text to token ids and back; None for a classifier of numbers.

        Raises:
            AttributeError: a tagger or a forecaster, whose codec has none.
        """
        return self.codec.tokenizer

    @torch.no_grad()
    def evaluate(self, *sources: Any, progress: Progress | None = None, **options: Any) -> dict[str, Any]:
        """Measure the model on data it has not seen.

        Args:
            *sources: what `ostinato evaluate` takes: files, or "-" for standard input; or data in memory: a data frame,
                a dict of columns, a list of dicts as rows.
            progress: told what is done, and all there is to do.
            **options: those of `ostinato evaluate` that the run's task takes, with underscores: `beam=3`,
                `dynamic=0.1`, `text="body"`.

        Returns:
            Figures by name: for a language model tokens, loss (nats a token), perplexity and, at level char,
            bits_per_character.

        Raises:
            DataError: data that cannot be read.
            ConfigError: an option that there is not, that is out of range, or that the task has no use for.
        """
        there, wanted = self._asked("evaluate", options)
        data = given(sources)
        with data.within(), read_as(there.encoding), laid_out(there.layout):
            return builtins(there.task.evaluate(there, data.names, wanted, progress))

    def predict(self, source: Any, *, progress: Progress | None = None, **options: Any) -> list[Any]:
        """Answer each input.

        Args:
            source: what `ostinato predict` takes: a file, a text, or "-" for standard input, one text a line. Or data
                in memory: a list (or a series) of texts, of lists of tokens, or of arrays of numbers `[T, D]`; a data
                frame, a dict of columns, or a list of dicts as rows.
            progress: told what is done, and all there is to do.
            **options: those of `ostinato predict` that the run's task takes, with underscores: `beam=3`,
                `levels=(50, 80, 95)`, `text="body"`.

        Returns:
            An answer an input, in order.

        Raises:
            DataError: data that cannot be read.
            RunFolderError: a run that answers nothing, of a language model: `generate` lets it write.
            ConfigError: an option that there is not, that is out of range, or that the task has no use for.
        """
        return list(self.answers(source, progress=progress, **options))

    def answers(self, source: Any, *, progress: Progress | None = None, **options: Any) -> Iterator[Any]:
        """As `predict`, one after the other as they come.

        What `predict` raises about data is raised when the first answer is asked for, or later.
        """
        task = self._predicts()
        there, wanted = self._asked("predict", options)
        data = self._given(source)

        def work() -> Iterator[Any]:
            return task.answer(there, task.read(there, data.names[0]), wanted, progress)

        yield from there._steps(work, data)

    def read(self, source: Any) -> Iterator[Any]:
        """The examples that `predict` would answer, for `answer`; what one is, the run's task says.

        Args:
            source: what `predict` takes. `reading` says how it is laid out, where that is otherwise than in training.

        Raises:
            DataError: data that cannot be read.
            RunFolderError: a run that answers nothing.
        """
        task, data = self._predicts(), self._given(source)
        return self._steps(lambda: iter(task.read(self, data.names[0])), data)

    def answer(self, examples: Iterable[Any], *, progress: Progress | None = None, **options: Any) -> Iterator[Any]:
        """The answers to examples in memory, one after the other as they come; `predict` reads and answers.

        Args:
            examples: what `read` gives.
            progress: told what is done, and all there is to do.
            **options: as of `predict`.

        Raises:
            DataError: an example that the model cannot read.
            RunFolderError: a run that answers nothing.
            ConfigError: as of `predict`.
        """
        task = self._predicts()
        there, wanted = self._asked("predict", options)
        return there._steps(lambda: task.answer(there, examples, wanted, progress))

    def _given(self, source: Any) -> Given:
        task = self.task
        return given([source], texts=isinstance(task, ReadsTexts) and task.reads_texts(self))

    def _steps(self, work: Callable[[], Iterator[Any]], data: Given | None = None) -> Iterator[Any]:
        """What some work gives, step by step: what the caller does in between is none of ours."""
        found: Iterator[Any] | None = None
        done = object()
        while True:
            within = nullcontext() if data is None else data.within()
            with within, read_as(self.encoding), laid_out(self.layout), torch.no_grad():
                found = work() if found is None else found
                item = next(found, done)
            if item is done:
                return
            yield item

    def predicted_lines(self, source: Any, *, labels: bool = False, **asked: Any) -> Iterator[str]:
        """As `predict`, in the lines that `ostinato predict` writes, or the labels alone."""
        self._predicts()
        return self.lines(self.answers(source, **asked), labels=labels)

    def lines(self, answers: Iterable[Any], *, labels: bool = False) -> Iterator[str]:
        """Answers as the lines that `ostinato predict` writes, or `ostinato predict --labels`.

        Raises:
            ConfigError: labels of a task that has none.
        """
        task = self._predicts()
        if not labels:
            return task.lines(self, answers)
        if not isinstance(task, Labels):
            raise ConfigError(f"--labels: a run of task {self.config['task']!r} gives no labels; leave the option out")
        return task.labels(self, answers)

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        length: int = 200,
        *,
        stop: str | None = None,
        samples: int = 1,
        progress: Progress | None = None,
        **options: Any,
    ) -> Iterator[str]:
        """Write on from a prompt, or from each of several: a language model.

        Args:
            prompt: where to go on from; empty means the beginning of a text.
            length: tokens to write.
            stop: end once this text has been written.
            samples: texts to write for each prompt, each by a seed of its own: the one given, the next, and so on.
            progress: of several texts, called with the tokens written and those to write.
            **options: those of `ostinato generate` that the run's task takes: greedy, temperature, top_k, top_p, seed.

        Returns:
            An iterator over pieces of text, as they are written: `"".join(...)` is all of it, without the prompt. Where
            prompts are a list, or there are several samples, over whole texts: those of the first prompt first. They
            are written side by side, and each is what it would be alone.

        Raises:
            DataError: a prompt has characters that the model does not know; names them. Words that it does not know are
                read as `<unk>`, with a warning.
            ConfigError: an option out of range, or prompts that are no texts.
            RunFolderError: not a run of a language model.
        """
        task = self.task
        if not isinstance(task, Generates):
            raise RunFolderError(
                f"{self.folder.path}: a run of task {self.config['task']!r} writes no text; predict has its answers"
            )
        at_least(samples=(samples, 1))
        prompts = [prompt] if isinstance(prompt, str) or not isinstance(prompt, Iterable) else list(prompt)
        for one in prompts:
            if not isinstance(one, str):
                raise ConfigError(f"prompt: expected a text, or a list of texts, got {one!r:.60}")
        seed = options.pop("seed", None)
        ways = [
            asked(self.config["task"], "generate", options | {"seed": None if seed is None else seed + number})
            for number in range(samples)
        ]
        if isinstance(prompt, str) and samples == 1:
            return task.generate(self, prompt, length, ways[0], stop=stop)
        asked_for = [(one, way) for one in prompts for way in ways]
        return task.generate_all(self, asked_for, length, stop=stop, progress=progress)

    def inspect(self, view: str, out: str | PathLike[str] | None = None, **options: Any) -> Any:
        """Look inside: at arrays, or at pictures, pages and numbers of one view that are written to a folder.

        Args:
            view: "gates", "gradients", "units", "loss" or "training"; which of them a run has depends on its task.
            out: folder to write to; None writes nothing.
            **options: data, encoding, beside, tokens, read, steps, units, unit, of, top; see `InspectOptions`.

        Returns:
            What `ostinato inspect --json` prints, a dict. Without `out` the arrays: a `GatesView`, `GradientsView`,
            `UnitsView`, `LossView` or `TrainingView` of `ostinato.inspection`, whose `facts()` are what is printed.

        Raises:
            ConfigError: an unknown view or option, one out of range, or a view that a run of this task does not have.
            DataError: data that cannot be read or is not there any more, or a folder that cannot be written.
            RunFolderError: a run that has not been trained as far as the view needs.
        """
        from ostinato.api.inspecting import inspect

        if self.members:
            raise ConfigError("inspect looks into one run, and this is an ensemble of several: load one of them")
        return inspect(self, view, out, load=load, **options)

    @torch.no_grad()
    def plot(
        self, source: Any, out: str | PathLike[str], *, series: Sequence[str] = (), **options: Any
    ) -> dict[str, Any]:
        """Draw what `predict` answers, beside what was: a forecaster.

        Args:
            source: what `predict` takes.
            out: picture to write, .png or .svg.
            series: ids of those to draw; by default the first ones.
            **options: those of `ostinato plot` that the run's task takes: levels, steps, and how data are laid out.

        Returns:
            `series`, the ids of those drawn.

        Raises:
            ConfigError: a run of another task, another ending, or an option that cannot be used.
            DataError: data that cannot be read, or a picture that cannot be written.
        """
        if not isinstance(self.task, Plots):
            raise ConfigError(
                f"a run of task {self.config['task']!r} forecasts nothing that could be drawn; "
                "`ostinato inspect` looks inside"
            )
        picture = Path(out)
        if picture.suffix.lower() not in (".png", ".svg"):
            raise ConfigError(f"--out {out}: expected the name of a picture that ends with .png or .svg")
        from ostinato.plots.style import require_matplotlib

        require_matplotlib()
        there, wanted = self._asked("plot", options)
        data = given([source])
        with data.within(), read_as(there.encoding), laid_out(there.layout):
            try:
                return self.task.plot(there, data.names[0], picture, wanted, series)
            except OSError as error:
                raise DataError(f"--out {out}: cannot be written: {error.strerror}; choose another place") from None

    @contextmanager
    def computing(self, accelerator: str = "auto") -> Iterator[torch.device]:
        """Within it the run computes on a GPU, or where it is told to: `with run.computing("cuda"): run.evaluate(...)`.

        Args:
            accelerator: "auto", a GPU where torch can use one; "cpu", "cuda" or "mps".

        Yields:
            The device. Weights of 8 bits stay on the CPU, for which their kernels are.

        Raises:
            ConfigError: torch cannot use it here.
        """
        with placed([self.model, *(one.model for one in each_of(self))], accelerator) as device:
            yield device

    def seeing(self, images: str | PathLike[str] | None = None, features: str | PathLike[str] | None = None) -> "Run":
        """The same run, its pictures elsewhere than in training: `run.seeing(images="new").predict("names.txt")`.

        Args:
            images: folder of the pictures, of a run that was trained on pictures.
            features: file of the pictures' features, of a run that was trained on features.

        Raises:
            ConfigError: both, the wrong one, or a run that sees no pictures.
        """
        return self.reading(images=images, features=features)

    def reading(self, **options: Any) -> "Run":
        """The same run, reading data laid out otherwise than in training: `run.reading(text="body").evaluate(...)`.

        Args:
            **options: those of `ostinato evaluate` and `predict` that say how data are laid out.

        Raises:
            ConfigError: an option that there is not, or that the task has no use for.
        """
        task = self.config["task"]
        wanted, own = reading_given(task, options)
        there = copy.copy(self)
        if own and isinstance(self.task, Reads):
            there = self.task.reading(self, {name: wanted[name] for name in own})
        there.encoding = self.encoding if wanted.get("encoding") is None else text_encoding(wanted["encoding"])
        there.layout = layout_of(asdict(self.layout) | wanted) if task in TABLES else self.layout
        return there

    def _asked(self, command: str, options: dict[str, Any]) -> tuple["Run", Any]:
        """The run, reading data as the options say, and what its task is asked."""
        wanted = asked(self.config["task"], command, options)
        laid = {name: value for name, value in flatten(wanted.reading).items() if value is not None}
        return self.reading(**laid) if laid else self, wanted

    def _predicts(self) -> Predicts:
        if not isinstance(self.task, Predicts):
            raise RunFolderError(
                f"{self.folder.path}: a run of task {self.config['task']!r} answers nothing; generate lets it write"
            )
        return self.task

    def __repr__(self) -> str:
        folders = ", ".join(repr(str(one.folder.path)) for one in each_of(self))
        return f"Run({folders}, task={self.config['task']!r})"


def load(path: str | PathLike[str], *others: str | PathLike[str], weights: str | None = None) -> Run:
    """Open a run folder. No code from the folder is run.

    Args:
        path: what `out` was in training.
        *others: further run folders of the same task: all of them answer as one, an ensemble. Probabilities, values or
            quantiles are averaged; how answers are made (`beam`, what is written where) is as the first run has it.
        weights: what those of recurrent layers and of large linear ones are: "float32", or "int8": of 8 bits, with a
            scale for a row, so that a quarter of the memory is read; without gradients. By default as in the folder.

    Raises:
        RunFolderError: missing, damaged, or of a task this version does not know.
        ConfigError: it uses a cell that is not registered, or one that there is no kernel for with such weights; or
            runs that do not read and answer alike.
    """
    if others:
        return _together([load(one, weights=weights) for one in (path, *others)])
    *parts, test = open_folder(path, weights)
    run = Run(*parts)
    run.test = test
    return run


def _together(runs: Sequence[Run]) -> Run:
    """An ensemble."""
    first = runs[0]
    require_alike("the task", [run.config["task"] for run in runs])
    if not isinstance(first.task, Ensembles):
        raise ConfigError(f"runs of task {first.config['task']!r} make no ensemble")
    made = Run(first.folder, first.config, first.task.together(runs).eval(), first.codec)
    made.members = tuple(runs)
    return made
