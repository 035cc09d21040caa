"""The runs that are served, by name. A name that comes from the net is looked up here; it never becomes a path."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from ostinato.api import Run, load
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.serving.bodies import Served
from ostinato.serving.problems import Problem
from ostinato.tasks.contract import Generates, Predicts


@dataclass
class ServedRun:
    """A run, loaded when it is first asked for, and again when its folder has another model.

    Attributes:
        name: by which requests call it.
        path: its folder, as the server was told.
        computing: held by whoever computes with it outside of a batch.
    """

    name: str
    path: Path
    computing: threading.Lock = field(default_factory=threading.Lock)
    _loading: threading.Lock = field(default_factory=threading.Lock)
    _run: Run | None = None
    _stamp: tuple[int, ...] = ()

    @property
    def run(self) -> Run:
        """The run as it was last loaded. May take long: never call it where requests are taken.

        Raises:
            OstinatoError: the folder is missing or damaged, and was never whole.
        """
        with self._loading:
            if self._run is None:
                stamp = _stamp(self.path)
                self._run, self._stamp = load(self.path), stamp
            return self._run

    def described(self, sessions: int = 0) -> Served:
        """What a client is told of it."""
        run = self.run
        return Served(
            name=self.name,
            task=run.config["task"],
            cell=str(run.config["model"].get("cell", "?")),
            parameters=max(1, sum(p.numel() for p in run.model.parameters())),
            generates=isinstance(run.task, Generates),
            answers=isinstance(run.task, Predicts),
            streams=False,
            model=run.config["model"],
            sessions=sessions,
        )


class Registry:
    """Runs by name.

    Args:
        paths: run folders; each goes by its last name.
        discover: names and folders of those that come and go, asked for whenever a name is not among `paths`.

    Raises:
        ConfigError: two of one name.
    """

    def __init__(
        self,
        paths: Iterable[str | PathLike[str]] = (),
        discover: Callable[[], dict[str, Path]] | None = None,
    ) -> None:
        self._discover, self._lock = discover, threading.Lock()
        self._runs: dict[str, ServedRun] = {}
        for path in paths:
            folder = Path(path)
            name = folder.name or folder.resolve().name
            if name in self._runs:
                raise ConfigError(f"RUN {path}: another run is called {name!r} already; rename one of the folders")
            self._runs[name] = ServedRun(name, folder)
        self._fixed = frozenset(self._runs)

    def __iter__(self) -> Iterator[ServedRun]:
        self._look()
        return iter(sorted(self._runs.values(), key=lambda run: run.name))

    def __getitem__(self, name: str) -> ServedRun:
        """The run of a name.

        Raises:
            Problem: 404, there is none.
        """
        found = self._runs.get(name)
        if found is None or name not in self._fixed:
            self._look()
            found = self._runs.get(name)
        if found is None:
            raise Problem(404, unknown_name("there is no run", name[:100], sorted(self._runs)))
        return found

    def load_all(self) -> None:
        """Load those that were named.

        Raises:
            OstinatoError: one is missing or damaged.
        """
        for name in sorted(self._fixed):
            _ = self._runs[name].run

    def _look(self) -> None:
        """Find out which of those that come and go are there."""
        if self._discover is None:
            return
        found = self._discover()
        with self._lock:
            for name in [name for name in self._runs if name not in self._fixed and name not in found]:
                del self._runs[name]
            for name, path in found.items():
                if name not in self._runs or (name not in self._fixed and self._runs[name].path != path):
                    self._runs[name] = ServedRun(name, path)


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a folder has another model; empty where that cannot be told."""
    found: list[int] = []
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        try:
            status = (path / name).stat()
        except OSError:
            continue
        found += [status.st_mtime_ns, status.st_size, status.st_ino]
    return tuple(found)


def any_json(value: Any) -> Any:
    """A value as JSON has it: NumPy's numbers and arrays as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value
