"""The files of a run, by name."""

from __future__ import annotations

import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.checkpoint import eight_bits
from ostinato.checkpoint.files import (
    read_json,
    read_shapes,
    read_tensors,
    unless,
    write_bytes,
    write_json,
    write_tensors,
)
from ostinato.checkpoint.lock import locked, locked_by_another
from ostinato.checkpoint.position import Position, SavedTraining
from ostinato.checkpoint.recorded import Tested
from ostinato.checkpoint.resume_point import ResumePoint, model_tensors
from ostinato.core.errors import RunFolderError
from ostinato.core.files import is_temporary, remove_left_over
from ostinato.core.results import builtins
from ostinato.core.visible import visible

if TYPE_CHECKING:  # what stands in a folder is said without torch
    from torch import Tensor, nn

#: Raised by one when an older version could not read a folder any more.
FORMAT = 1
_PROBE = ".write-test"
_NEW, _WHOLE = ".new", ".whole"  #: folders of a run that is to replace another: before it has a checkpoint, and after
_FOLDERS = (_NEW, _WHOLE, "checkpoint")
_FILES = ("config.json", "model.safetensors", "metrics.jsonl", "README.md", "test.json")
_BESIDES = re.compile(r"[\w-]+\.json")  #: names of what else a run begins with

_COURSE = "training.png"  #: a picture of any training's course


class RunFolder:
    """One training run on the disk. All that reads or writes it raises a RunFolderError that names what stands in the
    way, is missing, damaged, or not of this run, or cannot be written, moved or removed.

    Args:
        path: the folder; it need not exist.
        pictures: names, with *, of what tasks may have drawn in it: gone with a run that is replaced.

    Attributes:
        config: everything needed to build the model and to repeat the run.
        weights: the best weights; no date, path or duration in it.
        tokenizer: where there is text.
        metrics: one JSON object a line.
        resume_point: the last state of a training under way.
    """

    def __init__(self, path: str | Path, pictures: tuple[str, ...] = ()) -> None:
        self.path, self._pictures = Path(path), (*pictures, _COURSE)
        self.config = self.path / "config.json"
        self.weights = self.path / "model.safetensors"
        self.tokenizer = self.path / "tokenizer.json"
        self.metrics = self.path / "metrics.jsonl"
        self.card = self.path / "README.md"
        self.test = self.path / "test.json"
        self._made: list[Path] = []
        self.resume_point = ResumePoint(self.path / "checkpoint", like=self.config)

    @property
    def under_way(self) -> RunFolder:
        """The folder that a training here writes to for now: until its first checkpoint, one within this."""
        new = RunFolder(self.path / _NEW, self._pictures)
        return new if new.is_run() else self

    def is_run(self) -> bool:
        """Whether a run was started here."""
        return self.config.is_file()

    def claim(self, *, resume: bool, overwrite: bool) -> None:
        """Check, before any work, that a training may write here. Changes nothing but to make the folder."""
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"--out {self.path}: expected a folder, found a file; choose another name")
        if self.path.name in (_NEW, _WHOLE):
            raise RunFolderError(f"--out {self.path}: is a name that runs use in their folders; choose another name")
        self.require_own_files()
        if self._is_anothers():
            raise self._no_run("a config.json of another program")
        if self.is_run() and not (resume or overwrite):
            raise RunFolderError(
                f"--out {self.path}: holds a run already; go on with it by --resume, replace it by --overwrite, "
                "or choose another name"
            )
        begun = self.is_run() or (self.path / _WHOLE).is_dir()
        if not begun and self.path.is_dir() and any(not _left_by_a_kill(item) for item in self.path.iterdir()):
            raise self._no_run("no config.json")
        try:
            self._make()
            with tempfile.NamedTemporaryFile(dir=self.path, prefix=_PROBE):
                pass
        except OSError as error:
            raise RunFolderError(
                f"--out {self.path}: cannot be written: {error.strerror}; choose another place"
            ) from None

    def _no_run(self, why: str) -> RunFolderError:
        return RunFolderError(f"--out {self.path}: holds files that are not a run ({why}); choose another name")

    def start(self, config: dict[str, Any], files: Mapping[str, bytes] = MappingProxyType({})) -> RunFolder:
        """Begin a run: write the configuration and what else a run holds from its start.

        They are written to a folder within this one, to train in, so that what stands here stays until `settle`."""
        self.tidy()
        new = RunFolder(self.path / _NEW, self._pictures)
        with unless(new.path, "cannot be written"):
            new.path.mkdir()
        like = self.config if self.is_run() else None
        write_json(new.config, {"format": FORMAT, **config, "files": sorted(files)}, like=like)
        for name, content in files.items():
            write_bytes(new.path / name, content, like=new.config)
        return new

    @property
    def settled(self) -> RunFolder:
        """The folder of the run, where this is what `start` gave; else itself."""
        return RunFolder(self.path.parent, self._pictures) if self.path.name == _NEW else self

    @property
    def replaces(self) -> bool:
        """Whether this is what `start` gave, and another run stands where it belongs."""
        return self.settled is not self and self.settled.is_run()

    def settle(self) -> None:
        """Put what `start` gave, once it has a checkpoint, where it belongs; the run that stood there is gone then.

        After a kill in between, `tidy` brings it to its end."""
        place = self.settled
        if place is self:
            return
        with unless(place.path, "cannot be written"):
            self.path.rename(place.path / _WHOLE)  # from here on there is no way back
            place._move_in()

    def _move_in(self) -> None:
        """Replace the run by the one in the folder of whole ones; where that was begun before, go on with it."""
        new = RunFolder(self.path / _WHOLE)
        self.resume_point.clear(but=new.resume_point.values()["tensors"])
        if new.config.exists():  # it moves last
            old = [self.path / name for name in self.files() if name not in new.files()]
            pictures = [file for pattern in self._pictures for file in self.path.glob(pattern)]
            for file in (self.weights, self.card, self.test, *old, *pictures):
                file.unlink(missing_ok=True)
            for file in (*(new.path / name for name in new.files()), new.weights, new.metrics, new.config):
                with suppress(FileNotFoundError):  # moved already, or not there
                    file.replace(self.path / file.name)
        self.resume_point.take_over(new.resume_point)
        remove_left_over(new.path)
        with suppress(OSError):
            new.path.rmdir()

    def tidy(self) -> None:
        """Clear away what a process left that was killed; where it was about to replace a run, do that."""
        for folder in (self.path, self.resume_point.folder):
            remove_left_over(folder)
        with unless(self.path, "cannot be tidied up"):
            if RunFolder(self.path / _WHOLE).resume_point.exists():
                self._move_in()
            for new in (RunFolder(self.path / _NEW), RunFolder(self.path / _WHOLE)):
                new._discard()

    def _discard(self) -> None:
        """Remove what `start` gave; files of others stay."""
        if self.path.is_dir():
            self.resume_point.clear()
            for file in (*(self.path / name for name in self.files()), self.metrics, self.weights, self.config):
                file.unlink(missing_ok=True)
            remove_left_over(self.path)
            with suppress(OSError):  # where it holds something else
                self.path.rmdir()

    def amend(self, config: dict[str, Any]) -> None:
        """Note what may differ when a run is resumed: options, and the test data, as they would be for a new run."""
        then = self.read_config()
        data = then["data"] | {name: config["data"][name] for name in ("test",) if name in config["data"]}
        now = then | {"options": config["options"], "data": data}
        if now != then:
            write_json(self.config, now)

    def begin_again(self) -> None:
        """Remove what a run has once it is finished, as it is now to go on."""
        for file in (self.card, self.test):
            file.unlink(missing_ok=True)

    def save_test(self, data: str, figures: dict[str, Any], fingerprint: str | None = None) -> None:
        """Write the figures on the test data: what `--test` said, and the fingerprint of the files it named."""
        tested = Tested(data=data, fingerprint=fingerprint, figures=figures)
        write_json(self.test, msgspec.to_builtins(tested), like=self.config)

    def test_figures(self, data: str | None = None, fingerprint: str | None = None) -> dict[str, Any] | None:
        """The figures on the test data; None where there are none, or of other data, unless None takes any."""
        if not self.test.exists():
            return None
        try:
            found = msgspec.convert(read_json(self.test), Tested)
        except msgspec.ValidationError as error:
            raise RunFolderError(f"{self.test}: damaged, it holds no figures: {error}") from None
        then = found.fingerprint
        other = data not in (None, found.data) or (None not in (then, fingerprint) and then != fingerprint)
        return None if other else found.figures

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other trainings out of the folder, until the end of this one or of its process.

        Before and after, what a killed process left is cleared away; a folder that `claim` made and that is still empty
        then goes.

        Raises:
            RunFolderError: another is at work here.
        """
        try:
            with locked(self.path):
                self.tidy()
                try:
                    yield
                finally:
                    self.tidy()
        finally:
            for folder in reversed(self._made):
                with suppress(OSError):  # it holds something
                    folder.rmdir()

    def in_use(self) -> bool:
        """Whether a process is training here; False where a file system has no locks to tell by."""
        return locked_by_another(self.path)

    def _make(self) -> None:
        """Make the folder and those above it, and remember which."""
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        self._made = missing[::-1]

    def _is_anothers(self) -> bool:
        """Whether config.json is whole and says nothing that a run's does."""
        with suppress(RunFolderError):
            return self.is_run() and not {"format", "task"} & read_json(self.config).keys()
        return False

    def require_own_files(self) -> None:
        """That nothing that a run writes leads elsewhere: no link or the like bears a name of its."""
        for folder in (self.path, self.resume_point.folder):
            for path in folder.iterdir() if folder.is_dir() else ():
                status = path.lstat()
                expected = stat.S_ISDIR if path.name in _FOLDERS else stat.S_ISREG
                if (folder is not self.path or self._is_own(path.name)) and not expected(status.st_mode):
                    what = f"a link to {path.readlink()}" if stat.S_ISLNK(status.st_mode) else "of another kind"
                    raise RunFolderError(
                        f"{self.path}: {path.relative_to(self.path)} is {what}; a run's files must be its own: "
                        "put the file itself there, or choose another name"
                    )

    def _is_own(self, name: str) -> bool:
        """Whether it is the name of something that a run writes."""
        return name in (*_FOLDERS, *_FILES, *self.files()) or any(fnmatch(name, pattern) for pattern in self._pictures)

    def files(self) -> list[str]:
        """Names of the files that a run began with, besides its configuration."""
        try:
            found = read_json(self.config).get("files")
        except RunFolderError:
            return []
        names = found if isinstance(found, list) else []
        return [name for name in names if isinstance(name, str) and _BESIDES.fullmatch(name) and name not in _FILES]

    def read_config(self, task: str | None = None) -> dict[str, Any]:
        """The configuration, by this version; of a task, or of any where None is asked for."""
        if not self.path.is_dir():
            raise RunFolderError(f"{self.path}: no such run folder")
        if not self.is_run():
            raise RunFolderError(f"{self.path}: not a run folder, it has no config.json")
        for item in self.path.iterdir():
            if item.exists() and not (item.is_file() or item.is_dir()):  # a pipe would be waited for
                raise RunFolderError(f"{item}: expected a file, found something else; a run's files are plain ones")
        config = read_json(self.config)
        if config.get("format") != FORMAT:
            raise RunFolderError(
                f"{self.config}: expected format {FORMAT}, got {config.get('format')!r}: made by another version?"
            )
        if task is not None and config.get("task") != task:
            raise RunFolderError(f"{self.path}: expected a run of task {task!r}, found one of {config.get('task')!r}")
        return config

    def save_resume_point(self, tensors: dict[str, Tensor], position: Position, schedule: dict[str, Any]) -> None:
        """Write where training stands, and how much of metrics.jsonl belongs to it."""
        size = self.metrics.stat().st_size if self.metrics.exists() else 0
        where = SavedTraining(position=position, schedule=schedule, metrics_bytes=size)
        self.resume_point.save(tensors, builtins(where))

    def save_weights(self, model: nn.Module) -> None:
        """Write the best weights."""
        write_tensors(self.weights, model_tensors(model), like=self.config)

    def copy_in_eight_bits(self, to: Path, model: nn.Module) -> None:
        """Write the run to another folder, there and empty, its matrices in 8 bits: with its metrics and where its
        training stood, but neither what that would go on from nor figures of the weights as they were.

        Args:
            to: the folder.
            model: with the run's weights.
        """
        copy = RunFolder(to)
        write_json(copy.config, self.read_config() | {"weights": "int8"}, like=self.config)
        for name in (*self.files(), *(file.name for file in (self.metrics,) if file.is_file())):
            with unless(self.path / name, "cannot be read"):
                content = (self.path / name).read_bytes()
            write_bytes(to / name, content, like=self.config)
        write_tensors(copy.weights, eight_bits.encoded(model_tensors(model)), like=self.config)
        if self.resume_point.exists():
            self.resume_point.copy_position(copy.resume_point)

    def require_fitting(self, model: nn.Module) -> None:
        """Check, by the header of the weights alone, that they are a model's.

        It may be on any device, "meta" as well: before memory is asked for that config.json says is needed.
        """
        point = self.resume_point
        if not self.weights.exists() and point.exists() and not point.position().best_step:
            raise RunFolderError(
                f"{self.path}: holds no weights yet, its training was stopped before the first validation; "
                f"go on with ostinato train ... --out {self.path} --resume"
            )
        there, expected = self._shapes(), model_tensors(model)
        unfit = f"{self.weights}: does not fit config.json:"
        if missing := sorted(set(expected) ^ set(there)):
            raise RunFolderError(f"{unfit} {', '.join(missing)} in one of them only")
        for name, tensor in expected.items():
            kind, shape = there[name]
            if shape != tuple(tensor.shape):
                raise RunFolderError(f"{unfit} expected {name} of shape {tuple(tensor.shape)}, got {shape}")
            if tensor.is_floating_point() != kind.startswith(("F", "BF")) or kind.startswith("F8"):
                raise RunFolderError(f"{unfit} expected {name} as {tensor.dtype}, got {kind}")

    def _shapes(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        there = read_shapes(self.weights)
        try:
            return eight_bits.restored_shapes(there)
        except RunFolderError as error:
            raise RunFolderError(f"{self.weights}: damaged: {error}") from None

    def load_weights(self, model: nn.Module) -> None:
        """Read the best weights into a model; they have to be finite."""
        import torch

        self.require_fitting(model)
        tensors = eight_bits.restored(read_tensors(self.weights))
        for name, tensor in model_tensors(model).items():
            if not bool(tensors[name].isfinite().all()):
                raise RunFolderError(
                    f"{self.weights}: damaged, {name} holds numbers that are not finite; copy it again, or train again"
                )
            with torch.no_grad():
                tensor.copy_(tensors[name])

    def write_card(self, text: str) -> None:
        """Write the short model card; names in it may hold anything."""
        write_bytes(self.card, visible(text).encode(), like=self.config)


def _left_by_a_kill(path: Path) -> bool:
    """Whether this is a file that was being written when the process was killed, even before config.json was there."""
    return path.name.startswith(_PROBE) or path.name in (_NEW, _WHOLE) or is_temporary(path)
