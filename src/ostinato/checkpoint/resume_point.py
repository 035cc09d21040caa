"""Where training stands: everything it takes to go on to the last bit."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.checkpoint.files import read_json, read_tensors, unless, write_json, write_tensors
from ostinato.checkpoint.position import Position, SavedTensors
from ostinato.core.errors import RunFolderError
from ostinato.core.files import remove_left_over
from ostinato.core.results import builtins

if TYPE_CHECKING:  # where training stands is said without torch
    import torch
    from torch import Tensor, nn

#: Names of tensor files.
_STATE = re.compile(r"state-[0-9a-f]{8}\.safetensors")


class ResumePoint:
    """The folder `checkpoint/`: a tensor file, and `latest.json`, which names it.

    The JSON file is replaced last and in one step, so it always names a whole tensor file; older ones go afterwards.
    Of a finished run the tensors may have been removed: `latest.json` then still says where it ended. All that reads or
    writes it raises a RunFolderError that names what is missing, damaged, or cannot be written or removed.

    Args:
        folder: where; it need not exist.
        like: a file whose permissions new ones get.
    """

    def __init__(self, folder: Path, like: Path | None = None) -> None:
        self.folder, self._like = folder, like
        self._latest = folder / "latest.json"

    def exists(self) -> bool:
        """Whether anything is saved."""
        return self._latest.exists()

    def clear(self, *, but: str | None = None) -> None:
        """Remove what is saved, so that nobody goes on from it; files of others stay, and the tensors called `but`."""
        if not self.folder.exists():
            return
        self._require_folder()
        with unless(self.folder, "cannot be removed"):
            self._latest.unlink(missing_ok=True)  # first: without it the rest is nothing
            for old in self._states(but):
                old.unlink()
        remove_left_over(self.folder)
        with suppress(OSError):  # where it holds something else
            self.folder.rmdir()

    def save(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Write both; a kill in between leaves what was there."""
        self._require_folder()
        name = f"state-{secrets.token_hex(4)}.safetensors"
        write_tensors(self.folder / name, tensors, like=self._like)
        latest = builtins(SavedTensors(tensors=name, layout=_layout(tensors)), values)
        write_json(self._latest, latest, like=self._like)
        for old in self._states(but=name):
            with suppress(OSError):  # it takes some room, no more
                old.unlink()

    def take_over(self, new: ResumePoint) -> None:
        """Put what another has saved in the place of what is saved here; after a kill, it can be done again."""
        name = new.values()["tensors"]
        self.clear(but=name)
        with unless(self.folder, "cannot be written"):
            self.folder.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # moved already
                (new.folder / name).replace(self.folder / name)
            (new.folder / new._latest.name).replace(self._latest)
        new.clear()

    def trim(self) -> int:
        """Remove the tensors, but not where training stood; returns the bytes they took."""
        self._require_folder()
        write_json(self._latest, self.values() | {"tensors": None})
        freed = 0
        for old in self._states():
            size = old.lstat().st_size
            with unless(old, "cannot be removed"):
                old.unlink()
            freed += size
        return freed

    def copy_position(self, to: ResumePoint) -> None:
        """Say elsewhere too where training stood, without the tensors."""
        to.folder.mkdir()
        write_json(to._latest, self.values() | {"tensors": None}, like=self._latest)

    def tensor_bytes(self) -> int:
        """What the tensors take on the disk; 0 where they were removed."""
        name = self.values()["tensors"]
        with suppress(OSError):
            return 0 if name is None else (self.folder / name).stat().st_size
        return 0

    def require_tensors(self) -> None:
        """Check, before any work, that there is something to go on from: `trim` leaves nothing."""
        if self.values()["tensors"] is None:
            raise RunFolderError(
                f"{self.folder}: was trimmed, the optimiser's state that training would go on from is gone; leave the "
                "run as it is, or train another one"
            )

    def values(self) -> dict[str, Any]:
        """The JSON part alone."""
        values = read_json(self._latest)
        name = values.get("tensors", "")
        if name is not None and not (isinstance(name, str) and _STATE.fullmatch(name)):
            raise RunFolderError(f"{self._latest}: damaged, it names no tensor file of this folder")
        return values

    def metrics_bytes(self) -> int:
        """How much of metrics.jsonl belongs to what is saved; 0 where nothing is."""
        size = self.values().get("metrics_bytes") if self.exists() else 0
        if not isinstance(size, int) or size < 0:
            raise RunFolderError(f"{self._latest}: damaged, it does not say what belongs to it of metrics.jsonl")
        return size

    def _states(self, but: str | None = None) -> list[Path]:
        """The tensor files, those of earlier checkpoints included."""
        found = self.folder.iterdir() if self.folder.exists() else ()
        return [path for path in found if _STATE.fullmatch(path.name) and path.name != but]

    def _require_folder(self) -> None:
        if self.folder.is_symlink():
            raise RunFolderError(f"{self.folder}: is a link; expected a folder of the run's own")

    def position(self) -> Position:
        """Where training stood; what earlier versions did not write is as at the beginning."""
        position = self.values().get("position")
        if not isinstance(position, dict) or not {"epoch", "step", "tokens", "best", "finished"} <= position.keys():
            raise RunFolderError(f"{self._latest}: damaged, it does not say where training stood")
        try:
            return msgspec.convert(position, Position)
        except msgspec.ValidationError as error:
            raise RunFolderError(f"{self._latest}: damaged, it does not say where training stood: {error}") from None

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Both parts."""
        self.require_tensors()
        values = self.values()
        file = self.folder / values.pop("tensors")
        tensors = read_tensors(file)
        if values.pop("layout", None) not in (None, _layout(tensors)):  # earlier versions did not write it
            raise RunFolderError(f"{file}: damaged, or of another checkpoint than {self._latest.name} says")
        return tensors, values

    def checked(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The same, once it is seen that all that the values say is whole."""
        self.position()
        self.metrics_bytes()
        return self.load()


def _layout(tensors: dict[str, Tensor]) -> str:
    """A digest of the tensors' names, kinds and shapes."""
    lines = sorted(f"{name} {tensor.dtype} {tuple(tensor.shape)}" for name, tensor in tensors.items())
    return sha256("\n".join(lines).encode()).hexdigest()


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """A model's tensors, each once: a tied weight goes under its first name, as safetensors wants it."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor.detach()
    return found


def by_group(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """What is saved, apart: of a training's model, of its optimiser and so on, by what comes behind that in a name."""
    groups: dict[str, dict[str, Tensor]] = {
        name: {} for name in ("model", "optimizer", "average", "kept", "random", "interval")
    }
    for name, tensor in tensors.items():
        group, _, rest = name.partition(".")
        groups[group][rest] = tensor
    return groups


def load_model(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Take back what `model_tensors` gave.

    Raises:
        KeyError, TypeError: tensors of another model.
    """
    own = model_tensors(model)
    if own.keys() != tensors.keys():
        raise KeyError(*sorted(own.keys() ^ tensors.keys())[:3])
    if wrong := [name for name, tensor in own.items() if tensors[name].dtype != tensor.dtype]:
        raise TypeError(f"model.{wrong[0]} is of {tensors[wrong[0]].dtype}")
    model.load_state_dict(tensors, strict=False)  # a tied weight is there once


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser has gathered, as `parameter index.name`; rates are set anew each step and not kept."""
    import torch

    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, gathered in optimizer.state_dict()["state"].items()
        for name, value in gathered.items()
        if value is not None
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Take back what `optimizer_tensors` gave.

    Raises:
        ValueError: tensors of other shapes or types than the parameters'.
    """
    import torch

    state: dict[int, dict[str, Tensor]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        like = parameters[int(index)]
        if tensor.shape not in (like.shape, torch.Size()) or tensor.dtype not in (like.dtype, torch.float32):
            raise ValueError(f"optimizer.{key}: expected {like.dtype} {tuple(like.shape)}, got {tensor.dtype}")
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
