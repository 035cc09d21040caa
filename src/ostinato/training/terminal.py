"""What a training shows while it runs: a bar where someone watches, plain lines where not."""

import math
import sys
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from ostinato.core.advice import NOT_FINITE, Advice
from ostinato.core.figures import shown
from ostinato.core.visible import visible
from ostinato.training.events import Advised, Begun, Ended, Event, Trained, Validated


class TerminalProgress:
    """Observes a training: reports on standard error."""

    #: Seconds between plain lines.
    PACE = 5.0

    def __init__(self) -> None:
        self._measured, self._unit = "validation", "tokens"
        self._epochs: int | None = None
        self._since, self._last_line = time.monotonic(), 0.0
        self._first_progress: float | None = None  # when the first interval was over, `_since`
        self._bar: Bar | None = None
        self._works = True
        self._waited, self._watched, self._seconds = 0.0, 0.0, 0.0  # for other processes, of how long, until when

    def __call__(self, event: Event) -> None:
        """Something has happened."""
        match event:
            case Begun():
                self._begin(event)
            case Trained():
                self._trained(event)
            case Validated():
                self._validated(event)
            case Advised(advice=advice, still=still):
                if advice.name != NOT_FINITE:  # the error that it ends with says it
                    self._advised(advice, still=still)
            case Ended():
                if self._watched:
                    self._print(
                        f"processes waited for each other {100 * self._waited / self._watched:.1f} % of the time"
                    )
                if self._bar is not None:
                    self._try(self._bar.stop)

    def _begin(self, event: Begun) -> None:
        self._measured, self._unit, self._epochs = event.measured, event.unit, event.epochs
        self._seconds = event.at.seconds
        console = Console(stderr=True)
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
            self._bar = Bar(*columns, TextColumn("{task.fields[figures]}"), console=console, transient=True)
            self._bar.add_task("training", total=1.0, figures="")
            self._try(self._bar.start)
        if event.about:
            self._print(event.about)

    def _try(self, work: Callable[[], object]) -> None:
        """Do something with the display; without it (a terminal that was closed, a full disk), training goes on."""
        try:
            work()
        except OSError:
            self._works = False

    def _trained(self, event: Trained) -> None:
        if event.waiting is not None:
            spent, self._seconds = event.at.seconds - self._seconds, event.at.seconds
            self._waited, self._watched = self._waited + event.waiting * spent, self._watched + spent
        if not self._works:
            return
        left = self._left(event.at.progress, math.inf if event.seconds_left is None else event.seconds_left)
        figures = f"{_figures(event.figures)}  {event.speed:,.0f} {self._unit}/s  {left}"
        epoch = f"epoch {event.at.epoch}" + (f" of {self._epochs}" if self._epochs else "")
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=event.at.progress, description=epoch, figures=figures)
        elif time.monotonic() - self._last_line > self.PACE:
            self._last_line = time.monotonic()
            self._print(f"{epoch}  step {event.at.step}  {figures}")

    def _validated(self, event: Validated) -> None:
        if self._works:
            mark = "  best so far" if event.best else ""
            where = f"epoch {event.at.epoch}  step {event.at.step}"
            self._print(f"{where}  {self._measured}: {_figures(event.figures)}{mark}")

    def _advised(self, advice: Advice, *, still: bool) -> None:
        """A line on what is seen, those on what it means and what to do; at the end one line."""
        seen, *rest = advice.lines()
        if still:
            self._print(f"at the end still: {seen}; {rest[-1]}")
            return
        self._print(f"! {seen}")
        for line in rest:
            self._print(line, indented=2)

    def _left(self, progress: float, at_most: float) -> str:
        if self._first_progress is None:
            self._first_progress, self._since = progress, time.monotonic()
        done, spent = progress - self._first_progress, time.monotonic() - self._since
        seconds = spent * (1 - progress) / done if done > 0 else math.nan
        if math.isnan(seconds):
            return ""
        minutes, seconds = divmod(int(max(0.0, min(seconds, at_most)) + 0.5), 60)
        return f"{minutes}:{seconds:02d} left" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h left"

    def _print(self, line: str, indented: int = 0) -> None:
        if self._bar is not None:
            console, padded = self._bar.console, Padding(Text(visible(line)), (0, 0, 0, indented))
            self._try(lambda: console.print(padded, highlight=False, markup=False))
        else:
            self._try(lambda: print(" " * indented + visible(line), file=sys.stderr, flush=True))


def _figures(figures: Mapping[str, float]) -> str:
    return "  ".join(
        f"{name.replace('_', ' ')} {shown(value, 3) if name == 'loss' else f'{value:.4g}'}"
        for name, value in figures.items()
    )
