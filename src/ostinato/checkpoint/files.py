"""Files that are either the old version or the new one, whenever the power goes."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ostinato.core.errors import RunFolderError


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file in one step: a temporary file beside it, flushed to the disk, then renamed.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise RunFolderError(f"{path}: cannot be written: {error.strerror}") from None


def write_json(path: Path, content: Any) -> None:
    """As `write_bytes`, readable: two spaces, keys in the order given."""
    # a file name that is not UTF-8 is a surrogate in Python; a backslash escape is what JSON has for it
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace"))


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """As `write_bytes`, in safetensors' format. Tensors that share memory must come under one name."""
    write_bytes(path, save({name: tensor.detach().contiguous() for name, tensor in tensors.items()}))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        RunFolderError: missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RunFolderError(f"{path}: damaged, expected JSON: {error}") from None
    if not isinstance(content, dict):
        raise RunFolderError(f"{path}: damaged, expected a JSON object, got {type(content).__name__}")
    return content


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, copied out of it.

    Raises:
        RunFolderError: missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise RunFolderError(
            f"{path}: damaged or cut off, not a whole safetensors file ({error}); copy it again, or train again"
        ) from None
