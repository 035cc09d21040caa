"""A trained run: what `ostinato.train` returns and `ostinato.load` finds again."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.config.checks import at_least, of_names
from ostinato.config.table import TableOptions
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.data.sources.encodings import read_as, text_encoding
from ostinato.data.sources.memory import given
from ostinato.data.tables.layout import Layout, laid_out, layout_of
from ostinato.tasks import TABLES, find
from ostinato.tasks.caption.options import ViewOptions
from ostinato.tasks.contract import (
    Adapts,
    Backtests,
    Forecasts,
    Generates,
    Labels,
    Plots,
    Predicts,
    Progress,
    Reads,
    ReadsTexts,
    Sees,
    Task,
    no_beam,
)
from ostinato.tasks.forecast.ahead import ForecastOptions
from ostinato.tasks.lm.options import AdaptingOptions
from ostinato.tasks.options import ReadingOptions


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
    """

    def __init__(self, folder: RunFolder, config: dict[str, Any], model: nn.Module, codec: Any) -> None:
        self.folder, self.config, self.model, self.codec = folder, config, model, codec
        self.task: Task[Any, Any] = find(config["task"])
        self.test: dict[str, Any] | None = None
        self.details: dict[str, Any] = {}
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
    def evaluate(
        self,
        *sources: Any,
        progress: Progress | None = None,
        beam: int | None = None,
        retrain: bool = False,
        **adapting: Any,
    ) -> dict[str, Any]:
        """Measure the model on data it has not seen.

        Args:
            *sources: what `ostinato evaluate` takes: files, or "-" for standard input; or data in memory: a data frame,
                a dict of columns, a list of dicts as rows.
            progress: told what is done, and all there is to do.
            beam: width of a beam search, where the task decodes; None is its default.
            retrain: train again for each window, on all that lies before it: forecast.
            **adapting: for a language model dynamic, cache and what belongs to them; see `AdaptingOptions`.

        Returns:
            Figures by name: for a language model tokens, loss (nats a token), perplexity and, at level char,
            bits_per_character.

        Raises:
            DataError: data that cannot be read.
            ConfigError: an option that there is not, that is out of range, or that the task has no use for: a beam
                where nothing is decoded, `retrain` but of a forecaster, `dynamic` and `cache` but of a language model;
                what belongs to these two (`dynamic_steps`, ...) says nothing while both are off.
        """
        data = given(sources)
        options = of_names(AdaptingOptions, adapting)
        if options.named() and not isinstance(self.task, Adapts):
            raise ConfigError(
                f"--dynamic, --cache: a run of task {self.config['task']!r} does not predict one token after "
                "the other; leave them out"
            )
        if retrain and not isinstance(self.task, Backtests):
            raise ConfigError(f"--retrain: a run of task {self.config['task']!r} is trained once; leave the option out")
        with data.within(), read_as(self.encoding), laid_out(self.layout):
            if options.named() and isinstance(self.task, Adapts):
                no_beam(self.config["task"], beam)
                return self.task.evaluate_adapting(self, data.names, progress, options)
            if retrain and isinstance(self.task, Backtests):
                return self.task.backtest(self, data.names, progress)
            return self.task.evaluate(self, data.names, progress, beam=beam)

    def predict(
        self, source: Any, *, progress: Progress | None = None, beam: int | None = None, **ahead: Any
    ) -> list[Any]:
        """Answer each input.

        Args:
            source: what `ostinato predict` takes: a file, a text, or "-" for standard input, one text a line. Or data
                in memory: a list (or a series) of texts, of lists of tokens, or of arrays of numbers `[T, D]`; a data
                frame, a dict of columns, or a list of dicts as rows.
            progress: told what is done, and all there is to do.
            beam: width of a beam search, where the task decodes; None is its default.
            **ahead: of a forecast levels, such as (50, 80, 95), and steps; see `ForecastOptions`.

        Returns:
            An answer an input, in order.

        Raises:
            DataError: data that cannot be read.
            RunFolderError: a run that answers nothing, of a language model: `generate` lets it write.
            ConfigError: an option that there is not, that is out of range, or that the task has no use for.
        """
        return list(self.answers(source, progress=progress, beam=beam, **ahead))

    def answers(
        self, source: Any, *, progress: Progress | None = None, beam: int | None = None, **ahead: Any
    ) -> Iterator[Any]:
        """As `predict`, one after the other as they come.

        What `predict` raises about data is raised when the first answer is asked for, or later.
        """
        task, options = self._predicts(), forecast_options(ahead)
        data = given([source], texts=isinstance(task, ReadsTexts) and task.reads_texts(self))
        found: Iterator[Any] | None = None
        done = object()
        while True:
            # for each step anew: what the caller does in between is none of ours
            with data.within(), read_as(self.encoding), laid_out(self.layout), torch.no_grad():
                found = found or self._found(task, data.names[0], progress, beam, options)
                answer = next(found, done)
            if answer is done:
                return
            yield answer

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
        **options: Any,
    ) -> Iterator[str]:
        """Write on from a prompt, or from each of several: a language model.

        Args:
            prompt: where to go on from; empty means the beginning of a text.
            length: tokens to write.
            stop: end once this text has been written.
            samples: texts to write for each prompt, each by a seed of its own: the one given, the next, and so on.
            **options: greedy, temperature, top_k, top_p, seed; see `SamplingOptions`.

        Returns:
            An iterator over pieces of text, as they are written: `"".join(...)` is all of it, without the prompt. Where
            prompts are a list, or there are several samples, over whole texts: those of the first prompt first.

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
        written = [
            task.generate(self, one, length, stop=stop, seed=None if seed is None else seed + number, **options)
            for one in prompts
            for number in range(samples)
        ]
        return written[0] if isinstance(prompt, str) and samples == 1 else ("".join(pieces) for pieces in written)

    def inspect(self, view: str, out: str | PathLike[str], **options: Any) -> dict[str, Any]:
        """Look inside: write pictures, pages and numbers of one view to a folder. Plain arrays: `ostinato.inspection`.

        Args:
            view: "gates", "gradients", "units", "loss" or "training"; which of them a run has depends on its task.
            out: folder to write to.
            **options: data, beside, tokens, read, steps, units, unit, top; see `InspectOptions`.

        Returns:
            What `ostinato inspect --json` prints.

        Raises:
            ConfigError: an unknown view or option, one out of range, or a view that a run of this task does not have.
            DataError: data that cannot be read or is not there any more, or a folder that cannot be written.
            RunFolderError: a run that has not been trained as far as the view needs.
        """
        from ostinato.api.inspecting import inspect

        return inspect(self, view, out, **options)

    @torch.no_grad()
    def plot(
        self, source: Any, out: str | PathLike[str], *, series: Sequence[str] = (), **ahead: Any
    ) -> dict[str, Any]:
        """Draw what `predict` answers, beside what was: a forecaster.

        Args:
            source: what `predict` takes.
            out: picture to write, .png or .svg.
            series: ids of those to draw; by default the first ones.
            **ahead: levels and steps; see `ForecastOptions`.

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
        from ostinato.plots.style import require

        require()
        data = given([source])
        with data.within(), read_as(self.encoding):
            try:
                return self.task.plot(self, data.names[0], picture, forecast_options(ahead), series)
            except OSError as error:
                raise DataError(f"--out {out}: cannot be written: {error.strerror}; choose another place") from None

    def seeing(self, images: str | PathLike[str] | None = None, features: str | PathLike[str] | None = None) -> Run:
        """The same run, its pictures elsewhere than in training: `run.seeing(images="new").predict("names.txt")`.

        Args:
            images: folder of the pictures, of a run that was trained on pictures.
            features: file of the pictures' features, of a run that was trained on features.

        Raises:
            ConfigError: both, the wrong one, or a run that sees no pictures.
        """
        if images is None and features is None:
            return self
        views = ViewOptions(*(None if place is None else str(place) for place in (images, features)))
        if not isinstance(self.task, Sees):
            raise ConfigError(
                f"--images, --features: a run of task {self.config['task']!r} sees no pictures; leave them out"
            )
        return self.task.seeing(self, views)

    def reading(self, **options: Any) -> Run:
        """The same run, reading data laid out otherwise than in training: `run.reading(text="body").evaluate(...)`.

        Args:
            **options: see `ReadingOptions`.

        Raises:
            ConfigError: an option that there is not, or that the task has no use for.
        """
        wanted = of_names(ReadingOptions, options)
        laid = {item.name for item in fields(TableOptions)} if self.config["task"] in TABLES else set()
        known = {"encoding", *laid, *(self.task.READING if isinstance(self.task, Reads) else ())}
        for name in wanted.given():
            if name not in known:
                option = "--" + name.replace("_", "-")
                raise ConfigError(f"{option}: a run of task {self.config['task']!r} has no use for it; leave it out")
        there = self.task.reading(self, wanted) if isinstance(self.task, Reads) else copy.copy(self)
        there.encoding = self.encoding if wanted.encoding is None else text_encoding(wanted.encoding)
        there.layout = layout_of(self.config["options"] | wanted.given()) if laid else self.layout
        return there

    def _found(
        self, task: Predicts, name: str, progress: Progress | None, beam: int | None, options: ForecastOptions
    ) -> Iterator[Any]:
        if options == ForecastOptions():
            return task.predict(self, name, progress, beam=beam)
        if not isinstance(task, Forecasts):
            raise ConfigError(
                f"--levels, --steps: a run of task {self.config['task']!r} forecasts nothing; leave them out"
            )
        no_beam(self.config["task"], beam)
        return task.predict_ahead(self, name, progress, options)

    def _predicts(self) -> Predicts:
        if not isinstance(self.task, Predicts):
            raise RunFolderError(
                f"{self.folder.path}: a run of task {self.config['task']!r} answers nothing; generate lets it write"
            )
        return self.task

    def __repr__(self) -> str:
        return f"Run({str(self.folder.path)!r}, task={self.config['task']!r})"


def forecast_options(given: dict[str, Any]) -> ForecastOptions:
    """Options by name, levels also as numbers."""
    levels = given.get("levels")
    if levels is not None and not isinstance(levels, str):
        levels = ",".join(map(str, levels)) if isinstance(levels, Iterable) else str(levels)
    return of_names(ForecastOptions, {**given, "levels": levels})
