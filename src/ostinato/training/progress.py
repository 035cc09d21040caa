"""What a training shows while it runs: a bar where someone watches, plain lines where not."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from ostinato.checkpoint.position import Position
from ostinato.core.figures import shown
from ostinato.core.visible import visible


class Progress:
    """Reports on standard error; a context manager.

    Args:
        figure: name and formula of a figure people read, from a mean loss, where there is one.
        epochs: the last epoch; None where only the clock ends training.
        about: a line to begin with.
        shown: False for all processes but the first.
        unit: what speed is counted in.
        measured: what validations measure, in a word.
        smoothed: whether the training loss is none that `figure` says something of.
    """

    #: Seconds between plain lines.
    PACE = 5.0

    def __init__(
        self,
        figure: tuple[str, Callable[[float], float]] | None,
        epochs: int | None,
        *,
        about: str = "",
        shown: bool = True,
        unit: str = "tokens",
        measured: str = "validation",
        smoothed: bool = False,
    ) -> None:
        self._measured = measured
        self._figure, self._unit = None if smoothed else figure, unit
        self._epochs, self._about, self._shown = epochs, about, shown
        self._began, self._first_progress, self._last_line = time.monotonic(), 0.0, 0.0
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        self._began, self._first_progress = time.monotonic(), -1.0
        console = Console(stderr=True)
        if self._shown and console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
            self._bar = Bar(*columns, TextColumn("{task.fields[figures]}"), console=console, transient=True)
            self._bar.add_task("training", total=1.0, figures="")
            self._show(self._bar.start)
        if self._shown and self._about:
            self._print(self._about)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._show(self._bar.stop)

    def _show(self, work: Callable[[], object]) -> None:
        """Do something with the display; without it (a terminal that was closed, a full disk), training goes on."""
        try:
            work()
        except OSError:
            self._shown = False

    def trained(self, at: Position, loss: float, rate: float, speed: float, at_most: float = math.inf) -> None:
        """An interval of training is over; the clock ends it in `at_most` seconds."""
        if not self._shown:
            return
        extra = {} if self._figure is None else {self._figure[0]: self._figure[1](loss)}
        figures = f"{_figures({'loss': loss} | extra)}  {speed:,.0f} {self._unit}/s  {self._left(at.progress, at_most)}"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=at.progress, description=self._epoch(at), figures=figures)
        elif time.monotonic() - self._last_line > self.PACE:
            self._last_line = time.monotonic()
            self._print(f"{self._epoch(at)}  step {at.step}  {figures}")

    def validated(self, at: Position, figures: Mapping[str, float], improved: bool) -> None:
        """A validation is over."""
        if self._shown:
            mark = "  best so far" if improved else ""
            where = f"epoch {at.epoch + (at.piece > 0)}  step {at.step}"
            self._print(f"{where}  {self._measured}: {_figures(figures)}{mark}")

    def _epoch(self, at: Position) -> str:
        number = at.epoch + (at.piece > 0)
        return f"epoch {number}" + (f" of {self._epochs}" if self._epochs else "")

    def _left(self, progress: float, at_most: float) -> str:
        if self._first_progress < 0:
            self._first_progress, self._began = progress, time.monotonic()
        done, spent = progress - self._first_progress, time.monotonic() - self._began
        seconds = spent * (1 - progress) / done if done > 0 else math.nan
        if math.isnan(seconds):
            return ""
        minutes, seconds = divmod(int(max(0.0, min(seconds, at_most)) + 0.5), 60)
        return f"{minutes}:{seconds:02d} left" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h left"

    def _print(self, line: str) -> None:
        if self._bar is not None:
            console = self._bar.console
            self._show(lambda: console.print(visible(line), highlight=False, markup=False))
        else:
            self._show(lambda: print(visible(line), file=sys.stderr, flush=True))


def _figures(figures: Mapping[str, float]) -> str:
    return "  ".join(
        f"{name.replace('_', ' ')} {shown(value, 3) if name == 'loss' else f'{value:.4g}'}"
        for name, value in figures.items()
    )
