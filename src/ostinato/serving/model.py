"""A run in memory: what a folder held when it was last read, and who computes with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ostinato.api import Run, load
from ostinato.config.serving import ServeLimits
from ostinato.serving.engine import Engine, Work
from ostinato.serving.metrics import Metrics
from ostinato.serving.problems import Problem
from ostinato.serving.sessions import Session
from ostinato.serving.stepping import AnswersToSteps, StepsJob
from ostinato.serving.texts import Place, TextJob, WritesTexts
from ostinato.tasks.stepping import AnswersSteps, Rows, WritesTogether

#: Files whose change makes another model.
_FILES = ("config.json", "model.safetensors", "tokenizer.json", "series.json")


class LoadedModel:
    """A run as it was loaded.

    Args:
        name: of the run.
        path: its folder.
        limits: how many texts are written side by side.
        metrics: of the server.

    Attributes:
        run: the run.
        rows: the sequences of one that writes, once its engine is there.
        computing: held by whoever computes with it besides writing texts.

    Raises:
        OstinatoError: the folder is missing or damaged.
    """

    rows: Rows

    def __init__(self, name: str, path: Path, limits: ServeLimits, metrics: Metrics) -> None:
        self.name, self._limits, self._metrics = name, limits, metrics
        self.stamp = stamp_of(path)  # first: what changes while it is read is then seen
        self.run: Run = load(path)
        self.computing = threading.Lock()
        self._making = threading.Lock()
        self._engine: Engine[Any] | None = None
        self._held, self._leaving = 0, False

    @property
    def writes(self) -> WritesTogether:
        """The task, where it writes.

        Raises:
            Problem: 409, it does not.
        """
        if not isinstance(self.run.task, WritesTogether):
            raise Problem(409, f"a run of task {self.run.config['task']!r} writes no text; /answer has its answers")
        return self.run.task

    @property
    def engine(self) -> Engine[TextJob]:
        """Who writes its texts; made when first asked for, which packs the weights.

        Raises:
            Problem: 409, a run that writes nothing.
        """
        return self._made(self._writing)

    @property
    def stepping(self) -> Engine[StepsJob]:
        """Who answers steps of sequences; made when first asked for.

        Raises:
            Problem: 409, a run that answers none.
            ConfigError: a model that has to see the end of a sequence first.
        """
        return self._made(self._answering)

    def make_ready(self, like: LoadedModel) -> None:
        """Make what another model of the run has, before anybody waits for it."""
        if like.ready:
            _ = self.engine if isinstance(self.run.task, WritesTogether) else self.stepping

    @property
    def ready(self) -> bool:
        """Whether its engine is there, so that asking for it takes no time."""
        return self._engine is not None

    @property
    def busy(self) -> int:
        """Jobs under way or waiting."""
        return 0 if self._engine is None else self._engine.busy

    @contextmanager
    def held(self) -> Iterator[None]:
        """Its engine goes on to take what comes, whether the run has another model or not."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._leaving:
                self.close()

    def close(self) -> None:
        """Finish what runs, and let go of the engine once nobody holds it."""
        self._leaving = True
        if self._engine is not None and not self._held:
            self._engine.close()

    def _made(self, work: Callable[[], Work[Any]]) -> Engine[Any]:
        with self._making:
            if self._engine is None:
                limits = self._limits
                self._engine = Engine(work(), limits.limit_active, limits.limit_queue, self._metrics, self.name)
            return self._engine

    def _writing(self) -> WritesTexts:
        self.rows = self.writes.rows(self.run, self._limits.limit_active)
        return WritesTexts(self.rows, self._metrics)

    def _answering(self) -> AnswersToSteps:
        task = self.run.task
        if not isinstance(task, AnswersSteps):
            raise Problem(409, f"a run of task {self.run.config['task']!r} does not take steps; use /answer")
        return AnswersToSteps(task.steps(self.run), self.computing)

    def begin(self) -> Place:
        """Where a text begins."""
        return Place(None, self.run.tokenizer.begin_id, "")

    def kept(self, place: Place) -> Session:
        """A place as a session keeps it."""
        state = None
        if place.state is not None:
            state = b"".join(field.contiguous().view(torch.uint8).numpy().tobytes() for field in place.state)
        return Session(self.name, state, place.token, place.after)

    def place(self, session: Session) -> Place:
        """Where a session stands.

        Raises:
            Problem: 409, its state was of a model of other sizes.
        """
        if session.state is None:
            return Place(None, session.token, session.after)
        fields, at = list[Tensor](), 0
        for shape, dtype in self.rows.form.values():
            size = torch.Size(shape).numel() * dtype.itemsize
            part = session.state[at : at + size]
            if len(part) < size:
                raise _other_model()
            fields.append(torch.frombuffer(bytearray(part), dtype=dtype).view(shape))
            at += size
        if at != len(session.state):
            raise _other_model()
        return Place(tuple(fields), session.token, session.after)

    def fits(self, other: LoadedModel) -> bool:
        """Whether states of another model can be read by this one: the same sizes and the same tokens."""
        mine, theirs = self.run.config, other.run.config
        same: bool = mine["task"] == theirs["task"] and mine["model"] == theirs["model"]
        return same and _tokens(self.run) == _tokens(other.run)


def _tokens(run: Run) -> Any:
    return getattr(getattr(run.codec, "tokenizer", None), "digest", None)


def _other_model() -> Problem:
    return Problem(409, "the run has a model of other sizes now: its sessions ended; begin a new one")


def stamp_of(path: Path) -> tuple[int, ...]:
    """What changes when a folder has another model."""
    found: list[int] = []
    for name in _FILES:
        try:
            status = (path / name).stat()
        except OSError:
            continue
        found += [status.st_mtime_ns, status.st_size, status.st_ino]
    return tuple(found)
