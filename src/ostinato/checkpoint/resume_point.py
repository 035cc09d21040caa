"""Where training stands: everything it takes to go on to the last bit."""

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.checkpoint.files import read_json, read_tensors, write_json, write_tensors
from ostinato.core.errors import RunFolderError


class ResumePoint:
    """The folder `checkpoint/`: a tensor file, and `latest.json`, which names it.

    The JSON file is replaced last and in one step, so it always names a whole tensor file; older ones go afterwards.

    Args:
        folder: where; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._latest = folder / "latest.json"

    def exists(self) -> bool:
        """Whether anything is saved."""
        return self._latest.exists()

    def clear(self) -> None:
        """Remove what is saved, so that nobody goes on from it.

        Raises:
            RunFolderError: something cannot be removed.
        """
        if not self.folder.exists():
            return
        try:
            self._latest.unlink(missing_ok=True)  # first: without it the rest is nothing
            for old in self.folder.iterdir():
                old.unlink()
        except OSError as error:
            raise RunFolderError(f"{self.folder}: cannot be removed: {error.strerror}") from None
        with suppress(OSError):  # a link to a folder elsewhere may stay
            self.folder.rmdir()

    def save(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Write both; a kill in between leaves what was there."""
        name = f"state-{secrets.token_hex(4)}.safetensors"
        write_tensors(self.folder / name, tensors)
        write_json(self._latest, {"tensors": name, **values})
        for old in self.folder.iterdir():
            if old.name not in (name, self._latest.name):
                with suppress(OSError):  # it takes some room, no more
                    old.unlink()

    def values(self) -> dict[str, Any]:
        """The JSON part alone.

        Raises:
            RunFolderError: missing or damaged.
        """
        values = read_json(self._latest)
        if not isinstance(values.get("tensors"), str):
            raise RunFolderError(f"{self._latest}: damaged, it names no tensor file")
        return values

    def position(self) -> dict[str, Any]:
        """Where training stood: epoch, step, tokens, best (the lowest validation loss), finished and more.

        Raises:
            RunFolderError: missing or damaged.
        """
        position = self.values().get("position")
        if not isinstance(position, dict) or not {"epoch", "step", "tokens", "best", "finished"} <= position.keys():
            raise RunFolderError(f"{self._latest}: damaged, it does not say where training stood")
        return position

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Both parts.

        Raises:
            RunFolderError: missing or damaged.
        """
        values = self.values()
        return read_tensors(self.folder / values.pop("tensors")), values


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """A model's tensors, each once: a tied weight goes under its first name, as safetensors wants it."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor.detach()
    return found


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser has gathered, as `parameter index.name`; rates are set anew each step and not kept."""
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, gathered in optimizer.state_dict()["state"].items()
        for name, value in gathered.items()
        if value is not None
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Take back what `optimizer_tensors` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
