"""A run in memory: what a folder held when it was last read, and who computes with it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ostinato.api import Run, load
from ostinato.config.serving import ServeLimits
from ostinato.serving.engine import Engine, Place
from ostinato.serving.metrics import Metrics
from ostinato.serving.problems import Problem
from ostinato.serving.sessions import Session
from ostinato.tasks.stepping import WritesTogether

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
        computing: held by whoever computes with it outside of the engine.

    Raises:
        OstinatoError: the folder is missing or damaged.
    """

    def __init__(self, name: str, path: Path, limits: ServeLimits, metrics: Metrics) -> None:
        self.name, self._limits, self._metrics = name, limits, metrics
        self.stamp = stamp_of(path)  # first: what changes while it is read is then seen
        self.run: Run = load(path)
        self.computing = threading.Lock()
        self._making = threading.Lock()
        self._engine: Engine | None = None

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
    def engine(self) -> Engine:
        """Who writes its texts; made when first asked for, which packs the weights.

        Raises:
            Problem: 409, a run that writes nothing.
        """
        with self._making:
            if self._engine is None:
                rows = self.writes.rows(self.run, self._limits.limit_active)
                limits = self._limits
                self._engine = Engine(rows, limits.limit_active, limits.limit_queue, self._metrics, self.name)
            return self._engine

    @property
    def ready(self) -> bool:
        """Whether its engine is there, so that asking for it takes no time."""
        return self._engine is not None

    @property
    def busy(self) -> int:
        """Texts under way or waiting."""
        return 0 if self._engine is None else self._engine.busy

    def close(self) -> None:
        """Finish what runs, and let go of the engine."""
        if self._engine is not None:
            self._engine.close()

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
        for shape, dtype in self.engine.rows.form.values():
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
