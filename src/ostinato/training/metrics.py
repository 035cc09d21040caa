"""metrics.jsonl: one line an interval, a validation, a piece of advice."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.recorded import AdviceLine, LineEnd, LineStart, TrainingLine, ValidationLine
from ostinato.core.advice import Advice
from ostinato.core.files import append_bytes, replacing
from ostinato.core.results import Result, builtins
from ostinato.training.events import Advised, Begun, Event, Moved, Trained, Validated, Where


class MetricsLog:
    """Appends JSON lines. A run that goes on from a checkpoint, to which `size` bytes of the file belong, first drops
    the lines written after it."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        before = path.read_bytes()[:size] if size else b""
        with replacing(path, like=path.with_name("config.json")) as file:  # a new one: the old may have other names
            file.write(before)

    def write(self, line: dict[str, Any]) -> None:
        """Add a line, at once on the disk."""
        append_bytes(self._path, (json.dumps(line) + "\n").encode())


class MetricsFile:
    """Observes a training: writes down every interval and validation in the run folder."""

    def __init__(self) -> None:
        self._log: MetricsLog | None = None
        self._unit = "tokens"

    def __call__(self, event: Event) -> None:
        """Something has happened."""
        match event:
            case Begun(folder=folder, unit=unit):
                run, self._unit = RunFolder(folder), unit
                self._log = MetricsLog(run.metrics, run.resume_point.metrics_bytes())
            case Moved(folder=folder):
                metrics = RunFolder(folder).metrics
                self._log = MetricsLog(metrics, metrics.stat().st_size)
            case Trained():
                waiting = UNSET if event.waiting is None else round(event.waiting, 4)
                steps = TrainingLine(
                    lr=event.lr, gradient_norm=event.gradient_norm, clipped=event.clipped, waiting=waiting
                )
                speed = {f"{self._unit}_per_second": round(event.speed, 1)}
                self._write(event.at, event.figures, steps, speed)
            case Validated(at=at, figures=figures, kept=kept):
                self._write(at, {f"valid_{name}": value for name, value in figures.items()}, ValidationLine(best=kept))

            case Advised(at=at, advice=advice, still=False):
                self._write(at, AdviceLine(advice=advice))

    def _write(self, at: Where, *line: Result | dict[str, float]) -> None:
        assert self._log is not None
        where, spent = LineStart(step=at.step, epoch=at.epoch), LineEnd(seconds=round(at.seconds, 2))
        self._log.write(builtins(where, {self._unit: at.seen}, *line, spent))


def said_in(metrics: Path) -> list[Advice]:
    """The advice that a metrics.jsonl holds, in its order; none where there is no such file."""
    try:
        lines = metrics.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        if b'"advice"' in line:
            with suppress(ValueError, KeyError):  # of what is damaged nothing more is said here
                found.append(msgspec.convert(json.loads(line)["advice"], Advice))
    return found
