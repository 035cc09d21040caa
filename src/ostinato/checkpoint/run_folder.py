"""The files of a run, by name."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ostinato.checkpoint.files import read_json, read_tensors, write_bytes, write_json, write_tensors
from ostinato.checkpoint.resume_point import ResumePoint, model_tensors
from ostinato.core.errors import RunFolderError

if sys.platform != "win32":
    import fcntl

#: Raised by one when an older version could not read a folder any more.
FORMAT = 1
_PROBE = ".write-test"

#: Names of what tasks draw of a finished run.
_PICTURES = ("confusion.png", "forecast.png", "alignment-*.png", "training.png")


class RunFolder:
    """One training run on the disk.

    Args:
        path: the folder; it need not exist.

    Attributes:
        config: everything needed to build the model and to repeat the run.
        weights: the best weights; no date, path or duration in it.
        tokenizer: where there is text.
        metrics: one JSON object a line.
        resume_point: the last state of a training under way.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.weights = self.path / "model.safetensors"
        self.tokenizer = self.path / "tokenizer.json"
        self.metrics = self.path / "metrics.jsonl"
        self.card = self.path / "README.md"
        self.test = self.path / "test.json"
        self.resume_point = ResumePoint(self.path / "checkpoint")

    def is_run(self) -> bool:
        """Whether a run was started here."""
        return self.config.is_file()

    def claim(self, *, resume: bool, overwrite: bool) -> None:
        """Check, before any work, that a training may write here. Changes nothing but to make the folder.

        Raises:
            RunFolderError: something stands in the way, or the place cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"--out {self.path}: expected a folder, found a file; choose another name")
        if self._is_anothers():
            raise RunFolderError(
                f"--out {self.path}: holds files that are not a run (a config.json of another program); choose another "
                "name"
            )
        if self.is_run() and not (resume or overwrite):
            raise RunFolderError(
                f"--out {self.path}: holds a run already; go on with it by --resume, replace it by --overwrite, "
                "or choose another name"
            )
        if not self.is_run() and self.path.is_dir() and any(not _left_by_a_kill(item) for item in self.path.iterdir()):
            raise RunFolderError(
                f"--out {self.path}: holds files that are not a run (no config.json); choose another name"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / _PROBE
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunFolderError(
                f"--out {self.path}: cannot be written: {error.strerror}; choose another place"
            ) from None

    def start(self, config: dict[str, Any], files: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """Begin a run: clear away an old one, then write the configuration and what else a run holds from its start.

        The old configuration is replaced last, so that a kill in between leaves a folder that is still known as a run.
        """
        self.resume_point.clear()
        old = [self.path / Path(name).name for name in self._files()]
        pictures = [file for pattern in _PICTURES for file in self.path.glob(pattern)]
        for file in (self.weights, self.metrics, self.tokenizer, self.card, self.test, *old, *pictures):
            file.unlink(missing_ok=True)
        write_json(self.config, {"format": FORMAT, **config, "files": sorted(files)})
        for name, content in files.items():
            write_bytes(self.path / name, content)

    def amend(self, config: dict[str, Any]) -> None:
        """Note what may differ when a run is resumed: options, and the test data.

        Args:
            config: as it would be for a new run.
        """
        then = self.read_config()
        data = then["data"] | {name: config["data"][name] for name in ("test",) if name in config["data"]}
        now = then | {"options": config["options"], "data": data}
        if now != then:
            write_json(self.config, now)

    def begin_again(self) -> None:
        """Remove what a run has once it is finished, as it is now to go on."""
        for file in (self.card, self.test):
            file.unlink(missing_ok=True)

    def save_test(self, data: str, figures: dict[str, Any]) -> None:
        """Write the figures on the test data.

        Args:
            data: what `--test` said.
            figures: by name.
        """
        write_json(self.test, {"data": data, "figures": figures})

    def tested(self, data: str) -> dict[str, Any] | None:
        """The figures on the test data; None where there are none, or of other data.

        Args:
            data: what `--test` says.
        """
        found = read_json(self.test) if self.test.exists() else {}
        figures = found.get("figures") if found.get("data") == data else None
        return figures if isinstance(figures, dict) else None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other trainings out of the folder, until the end of this one or of its process.

        Raises:
            RunFolderError: another is at work here.
        """
        if sys.platform == "win32":
            yield
            return
        folder = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunFolderError(
                    f"--out {self.path}: another process is training here; wait for its end, or choose another name"
                ) from None
            except OSError:  # a file system without locks
                pass
            yield
        finally:
            os.close(folder)

    def _is_anothers(self) -> bool:
        """Whether config.json is whole and says nothing that a run's does."""
        with suppress(RunFolderError):
            return self.is_run() and not {"format", "task"} & read_json(self.config).keys()
        return False

    def _files(self) -> list[str]:
        """Names of the files that an old run began with."""
        try:
            found = read_json(self.config).get("files")
        except RunFolderError:
            return []
        return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []

    def read_config(self, task: str | None = None) -> dict[str, Any]:
        """The configuration.

        Args:
            task: what it is needed for; None takes any.

        Raises:
            RunFolderError: missing, damaged, of a newer version or of another task.
        """
        if not self.path.is_dir():
            raise RunFolderError(f"{self.path}: no such run folder")
        if not self.is_run():
            raise RunFolderError(f"{self.path}: not a run folder, it has no config.json")
        config = read_json(self.config)
        if config.get("format") != FORMAT:
            raise RunFolderError(
                f"{self.config}: expected format {FORMAT}, got {config.get('format')!r}: made by another version?"
            )
        if task is not None and config.get("task") != task:
            raise RunFolderError(f"{self.path}: expected a run of task {task!r}, found one of {config.get('task')!r}")
        return config

    def save_weights(self, model: nn.Module) -> None:
        """Write the best weights."""
        write_tensors(self.weights, model_tensors(model))

    def load_weights(self, model: nn.Module) -> None:
        """Read the best weights into a model.

        Raises:
            RunFolderError: missing, damaged, or not of this model.
        """
        point = self.resume_point
        if not self.weights.exists() and point.exists() and not point.position().get("best_step"):
            raise RunFolderError(
                f"{self.path}: holds no weights yet, its training was stopped before the first validation; "
                f"go on with ostinato train ... --out {self.path} --resume"
            )
        tensors = read_tensors(self.weights)
        expected = model_tensors(model)
        if missing := sorted(set(expected) ^ set(tensors)):
            raise RunFolderError(f"{self.weights}: does not fit config.json: {', '.join(missing)} in one of them only")
        for name, tensor in expected.items():
            if tensor.shape != tensors[name].shape:
                raise RunFolderError(
                    f"{self.weights}: does not fit config.json: expected {name} of shape {tuple(tensor.shape)}, "
                    f"got {tuple(tensors[name].shape)}"
                )
            with torch.no_grad():
                tensor.copy_(tensors[name])

    def write_card(self, text: str) -> None:
        """Write the short model card."""
        write_bytes(self.card, text.encode(errors="backslashreplace"))


def _left_by_a_kill(path: Path) -> bool:
    """Whether this is a file that was being written when the process was killed, even before config.json was there."""
    return path.name == _PROBE or (path.name.startswith(".") and path.name.endswith(".tmp"))
