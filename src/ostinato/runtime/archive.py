"""The file of a whole model: arrays by name, and in `about` what is said of them, in JSON."""

import json
from collections.abc import Mapping
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.config.cells import USUAL
from ostinato.core.errors import ConfigError
from ostinato.runtime.npz import read_arrays
from ostinato.runtime.recurrent import Recurrent

#: Raised when an older version could not read a file any more.
FORMAT = 1

#: The entry that says what the others are.
ABOUT = "about"


class Archive(NamedTuple):
    """What a file holds.

    Attributes:
        file: its name, for messages.
        about: `kind`, `task`, the `model`'s arguments, and what is read and answered.
        arrays: weights by the names of the run's model, and others.
    """

    file: str
    about: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def model(self) -> Mapping[str, Any]:
        """The arguments of the run's model."""
        found: Mapping[str, Any] = self.about["model"]
        return found

    def recurrent(self, prefix: str, threads: int | None, **options: Any) -> Recurrent:
        """The recurrent layers whose names begin so; options of `Recurrent` besides those that the model says.

        Raises:
            ConfigError: a cell, or a form of one, that the native kernels lack.
        """
        model = self.model
        require_usual(self.file, model)
        own = {name.removeprefix(prefix): array for name, array in self.arrays.items() if name.startswith(prefix)}
        return Recurrent(model["cell"], own, threads=threads, **options)

    def linear(self, name: str) -> "Linear":
        """A linear layer."""
        return Linear(self.arrays[f"{name}.weight"], self.arrays.get(f"{name}.bias"))


def layer(archive: Archive, threads: int | None = None) -> Recurrent:
    """The recurrent layer that a file is of alone."""
    return archive.recurrent("", threads, **archive.about["options"])


class Linear:
    """x W^T + b; its matrix is kept dense in the order in which it is multiplied.

    Args:
        weight: `[O, I]`.
        bias: `[O]`; None for none.
    """

    def __init__(self, weight: NDArray[Any], bias: NDArray[Any] | None = None) -> None:
        self._weight, self._bias = np.ascontiguousarray(weight, np.float32).T, bias

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        """`[..., I] -> [..., O]`."""
        found: NDArray[Any] = x @ self._weight
        return found if self._bias is None else found + self._bias


def require_usual(file: str, model: Mapping[str, Any]) -> None:
    """Check that a cell has no option that the native kernels lack.

    Raises:
        ConfigError: it has.
    """
    if other := [f"{name}={model[name]}" for name, usual in USUAL.items() if model.get(name, usual) != usual]:
        raise ConfigError(f"{file}: the native kernels have the cells' usual form only, not {', '.join(other)}")


def write(path: str | PathLike[str], about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a file that `read` reads."""
    content = json.dumps({"format": FORMAT, **about}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    with open(path, "wb") as file:
        np.savez(file, allow_pickle=False, **{ABOUT: np.frombuffer(content, np.uint8), **arrays})


def read(path: str | PathLike[str]) -> Archive:
    """Read it, without running anything that it says.

    Raises:
        ConfigError: no such file, a damaged one, or not such a file.
    """
    try:
        arrays = read_arrays(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:
        from zipfile import BadZipFile  # slow to import, and only where something is wrong

        if not isinstance(error, (ValueError, EOFError, KeyError, BadZipFile, NotImplementedError)):
            raise
        raise ConfigError(f"{path}: damaged or cut off, not a whole .npz file ({error})") from None
    if ABOUT not in arrays:
        raise ConfigError(f"{path}: expected a model that `ostinato export --to numpy` wrote, found other arrays")
    try:
        about = json.loads(arrays.pop(ABOUT).tobytes().decode("utf-8", "surrogatepass"))
        kept = about["format"], about["kind"], about["model"]["cell"]
    except (ValueError, TypeError, KeyError, UnicodeDecodeError):
        raise ConfigError(f"{path}: damaged, it does not say what model it is") from None
    if kept[0] != FORMAT:
        raise ConfigError(f"{path}: expected format {FORMAT}, got {kept[0]!r}: written by another version?")
    return Archive(str(path), about, arrays)


def softmax(scores: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    """Probabilities along an axis."""
    if not scores.size:
        return scores
    powers = np.exp(scores - scores.max(axis, keepdims=True))
    found: NDArray[Any] = powers / powers.sum(axis, keepdims=True)
    return found


def log_softmax(scores: NDArray[Any]) -> NDArray[Any]:
    """Logarithms of probabilities along the last axis."""
    shifted = scores - scores.max(-1, keepdims=True)
    found: NDArray[Any] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return found
