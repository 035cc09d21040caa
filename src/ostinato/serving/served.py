"""The runs that are served, by name. A name that comes from the net is looked up here; it never becomes a path."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path

from ostinato.api import Run
from ostinato.config.serving import ServeLimits
from ostinato.core.errors import ConfigError, OstinatoError, unknown_name
from ostinato.serving.bodies import Served
from ostinato.serving.metrics import Metrics
from ostinato.serving.model import LoadedModel, stamp_of
from ostinato.serving.problems import Problem
from ostinato.tasks.contract import Generates, Predicts
from ostinato.tasks.stepping import AnswersSteps

_log = logging.getLogger("ostinato.serving")


class ServedRun:
    """A run, loaded when it is first asked for, and again when its folder has another model.

    Args:
        name: by which requests call it.
        path: its folder, as the server was told.
        limits: of the server.
        metrics: of the server.
    """

    def __init__(self, name: str, path: Path, limits: ServeLimits, metrics: Metrics) -> None:
        self.name, self.path, self._limits, self._metrics = name, path, limits, metrics
        self._loading = threading.Lock()
        self._model: LoadedModel | None = None
        self._refused: tuple[int, ...] = ()  # of a folder that could not be loaded

    @property
    def model(self) -> LoadedModel:
        """The model as it was last loaded. May take long: never call it where requests are taken.

        Raises:
            OstinatoError: the folder is missing or damaged, and was never whole.
        """
        with self._loading:
            if self._model is None:
                self._model = LoadedModel(self.name, self.path, self._limits, self._metrics)
            return self._model

    @property
    def loaded(self) -> LoadedModel | None:
        """The model, where it is loaded."""
        return self._model

    def ready_model(self) -> LoadedModel:
        """The model, ready to write.

        Raises:
            Problem: 409, it writes nothing.
        """
        model = self.model
        _ = model.engine
        return model

    def renew(self) -> tuple[LoadedModel, LoadedModel] | None:
        """Take another model, where the folder has one; texts under way are written to their end by the old one.

        A folder that is damaged, or being written, leaves the old one in place.

        Returns:
            The old and the new, where there is a new one.
        """
        old, stamp = self._model, stamp_of(self.path)
        if old is None or stamp in (old.stamp, self._refused):
            return None
        try:
            new = LoadedModel(self.name, self.path, self._limits, self._metrics)
        except OstinatoError as error:
            self._refused = stamp
            self._metrics.reloads.labels("refused").inc()
            _log.warning("run not taken anew", extra={"run": self.name, "why": str(error)})
            return None
        new.make_ready(old)
        with self._loading:
            self._model = new
        old.close()
        self._metrics.reloads.labels("taken").inc()
        _log.info("run taken anew", extra={"run": self.name})
        return old, new

    def described(self, sessions: int = 0) -> Served:
        """What a client is told of it."""
        run = self.model.run
        return Served(
            name=self.name,
            task=run.config["task"],
            cell=str(run.config["model"].get("cell", "?")),
            parameters=max(1, sum(p.numel() for p in run.model.parameters())),
            generates=isinstance(run.task, Generates),
            answers=isinstance(run.task, Predicts),
            streams=_streams(run),
            model=run.config["model"],
            sessions=sessions,
        )


def _streams(run: Run) -> bool:
    """Whether a run takes steps of a sequence."""
    if not isinstance(run.task, AnswersSteps):
        return False
    try:
        run.task.steps(run)
    except ConfigError:
        return False
    return True


class Registry:
    """Runs by name.

    Args:
        paths: run folders; each goes by its last name.
        discover: names and folders of those that come and go, asked for whenever a name is not among `paths`.
        limits: of the server.
        metrics: of the server.

    Raises:
        ConfigError: two of one name.
    """

    def __init__(
        self,
        paths: Iterable[str | PathLike[str]],
        discover: Callable[[], dict[str, Path]] | None,
        limits: ServeLimits,
        metrics: Metrics,
    ) -> None:
        self._discover, self._lock, self._limits, self._metrics = discover, threading.Lock(), limits, metrics
        self._runs: dict[str, ServedRun] = {}
        for path in paths:
            folder = Path(path)
            name = folder.name or folder.resolve().name
            if name in self._runs:
                raise ConfigError(f"RUN {path}: another run is called {name!r} already; rename one of the folders")
            self._runs[name] = ServedRun(name, folder, limits, metrics)
        self._fixed = frozenset(self._runs)
        self._old: list[LoadedModel] = []

    def __iter__(self) -> Iterator[ServedRun]:
        self._look()
        return iter(sorted(self._runs.values(), key=lambda run: run.name))

    def __getitem__(self, name: str) -> ServedRun:
        """The run of a name.

        Raises:
            Problem: 404, there is none.
        """
        if name not in self._fixed:
            self._look()
        found = self._runs.get(name)
        if found is None:
            raise Problem(404, unknown_name("there is no run", name[:100], sorted(self._runs)))
        return found

    def loaded(self) -> list[LoadedModel]:
        """The models that are in memory; of those that runs had before, the ones that still write."""
        with self._lock:
            self._old = [model for model in self._old if model.busy]
            return [run.loaded for run in self._runs.values() if run.loaded is not None] + self._old

    def load_all(self) -> None:
        """Load those that were named.

        Raises:
            OstinatoError: one is missing or damaged.
        """
        for name in sorted(self._fixed):
            _ = self._runs[name].model

    def renew(self) -> list[tuple[LoadedModel, LoadedModel]]:
        """Take other models where folders have them; the old and the new of each."""
        found = [pair for run in list(self._runs.values()) if (pair := run.renew()) is not None]
        with self._lock:
            self._old += [old for old, _ in found]
        return found

    def _look(self) -> None:
        """Find out which of those that come and go are there."""
        if self._discover is None:
            return
        found = self._discover()
        with self._lock:
            for name in [name for name in self._runs if name not in self._fixed and name not in found]:
                if (model := self._runs.pop(name).loaded) is not None:
                    model.close()
                    self._old.append(model)
            for name, path in found.items():
                if name not in self._runs or (name not in self._fixed and self._runs[name].path != path):
                    self._runs[name] = ServedRun(name, path, self._limits, self._metrics)
