"""JSON and tensors on the disk; a RunFolderError names what is missing or damaged, or cannot be written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from ostinato.core.errors import RunFolderError
from ostinato.core.files import in_utf8, replacing

if TYPE_CHECKING:  # what is said of runs needs no torch
    from torch import Tensor


@contextmanager
def unless(path: Path, fault: str) -> Iterator[None]:
    """What the system refuses is raised as a RunFolderError, which names the fault of this path."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path}: {fault}: {error.strerror}") from None


def write_bytes(path: Path, content: bytes, *, like: Path | None = None) -> None:
    """Replace a file in one step; its folder is made where it is not there.

    A new file gets the permissions of the one that it is to be `like`; one that is replaced keeps its own."""
    with unless(path, "cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, like=like) as file:
            file.write(content)


def write_json(path: Path, content: Any, *, like: Path | None = None) -> None:
    """As `write_bytes`, readable: two spaces, keys in the order given."""
    # a file name that is not UTF-8 is a surrogate in Python; a backslash escape is what JSON has for it
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode(errors="backslashreplace"), like=like)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], *, like: Path | None = None) -> None:
    """As `write_bytes`, in safetensors' format. Tensors that share memory must come under one name."""
    from safetensors.torch import save

    write_bytes(path, save({name: tensor.detach().contiguous() for name, tensor in tensors.items()}), like=like)


def fingerprint(source: str) -> str | None:
    """SHA-256 of a file's bytes, or of those below a folder; None where there is neither, or it cannot be read."""
    path, digest = Path(source), hashlib.sha256()
    try:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    except OSError:
        return None
    return digest.hexdigest() if path.exists() else None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object."""
    _require_file(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RunFolderError(f"{path}: damaged, expected JSON: {error}") from None
    except RecursionError:
        raise RunFolderError(f"{path}: damaged, brackets within brackets without end") from None
    if not isinstance(content, dict):
        raise RunFolderError(f"{path}: damaged, expected a JSON object, got {type(content).__name__}")
    return content


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, copied out of it."""
    with _opened(path) as file:
        return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118


def read_shapes(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kind of number, as safetensors writes it ("F32"), and shape of each tensor in a file; none of them is read.

    Raises:
        RunFolderError: missing or damaged.
    """
    with _opened(path) as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        return {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in parts.items()}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    _require_file(path)
    try:
        with in_utf8(path) as name, safe_open(name, framework="pt") as file:
            yield file
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise RunFolderError(
            f"{path}: damaged or cut off, not a whole safetensors file ({error}); copy it again, or train again"
        ) from None


def _require_file(path: Path) -> None:
    """That reading it comes to an end: a pipe or a device may not."""
    if path.exists() and not path.is_file():
        raise RunFolderError(f"{path}: cannot be read: expected a file, found something else")
