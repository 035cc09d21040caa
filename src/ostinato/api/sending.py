"""What the first process has prepared, sent to those of other machines, with the files that it names."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import torch
from torch import distributed

from ostinato.core import cluster
from ostinato.core.errors import DataError
from ostinato.core.files import LocalFile, replacing
from ostinato.data.text.corpus import cache_folder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_PIECE = 1 << 24  #: bytes sent at once
_WORTH_A_WORD = 2.0  #: seconds of sending after which it is said how far it is


class _Sent(NamedTuple):
    """A file of the first process."""

    path: str
    size: int
    sha256: str


def sent(fabric: Fabric, place: cluster.Place, work: Any) -> Any:
    """The same in every process. Where a machine has not the files that it names (`LocalFile`), neither under their
    names nor from an earlier training, they are sent to it in pieces, and checked.

    Args:
        fabric: holds the processes together.
        place: of this one.
        work: what can be pickled; the first process's counts.

    Raises:
        DataError: there is no room for a file, or it has come damaged.
    """
    if place.beside == place.size:
        return fabric.broadcast(work)
    content, files = fabric.broadcast(_pickled(work) if place.rank == 0 else (b"", []))
    paths: list[str] = []
    failures: list[str] = []
    for file in files:
        path = _here(file) if place.local == 0 else None
        missing = place.local == 0 and path is None
        (wanted,) = _total(missing)
        if wanted:
            path, failure = _receive(file, missing, place)
            failures += [failure] if failure else []
        paths.append(path or file.path)
    said: list[Any] = [None] * place.size
    distributed.all_gather_object(said, (paths, failures))
    for _, failed in said:
        for failure in failed:
            raise DataError(failure)
    return work if place.rank == 0 else _unpickled(content, said[place.rank - place.local][0])


class _Pickler(pickle.Pickler):
    def __init__(self, to: BinaryIO) -> None:
        super().__init__(to)
        self.files: list[str] = []

    def persistent_id(self, found: Any) -> int | None:
        if not isinstance(found, LocalFile):
            return None
        self.files.append(found.path)
        return len(self.files) - 1


def _pickled(work: Any) -> tuple[bytes, list[_Sent]]:
    content = io.BytesIO()
    pickler = _Pickler(content)
    pickler.dump(work)
    return content.getvalue(), [_Sent(path, Path(path).stat().st_size, _sha256(Path(path))) for path in pickler.files]


def _unpickled(content: bytes, paths: list[str]) -> Any:
    unpickler = pickle.Unpickler(io.BytesIO(content))
    unpickler.persistent_load = lambda number: LocalFile(paths[number])  # type: ignore[method-assign]
    return unpickler.load()


def _here(file: _Sent) -> str | None:
    """Where this machine has the file: under the same name, or as it was sent before."""
    for path in (Path(file.path), _kept(file)):
        try:
            if path.stat().st_size == file.size and _sha256(path) == file.sha256:
                return str(path)
        except OSError:
            continue
    return None


def _kept(file: _Sent) -> Path:
    return cache_folder() / f"sent-{file.sha256[:40]}.bin"


def _receive(file: _Sent, missing: bool, place: cluster.Place) -> tuple[str | None, str | None]:
    """Take part in sending a file: where it now lies on a machine that lacked it, or what came in the way."""
    pieces = _pieces(file, place)
    if not missing:
        for _ in pieces:
            pass
        return None, None
    path, digest = _kept(file), hashlib.sha256()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as to:
            for piece in pieces:
                to.write(piece)
                digest.update(piece)
            if digest.hexdigest() != file.sha256:
                raise OSError(0, "it has come damaged; try again")
    except OSError as error:
        for _ in pieces:  # the others still take part
            pass
        return None, f"{path}: the token ids of the first process cannot be kept here: {error.strerror}"
    return str(path), None


def _pieces(file: _Sent, place: cluster.Place) -> Iterator[bytearray]:
    began = said = time.monotonic()
    with Path(file.path).open("rb") if place.rank == 0 else nullcontext() as source:
        for start in range(0, file.size, _PIECE):
            size = min(_PIECE, file.size - start)
            piece = bytearray(source.read(size) if source is not None else size)
            distributed.broadcast(torch.frombuffer(piece, dtype=torch.uint8), src=0)
            yield piece
            now = time.monotonic()
            if place.rank == 0 and now - began > _WORTH_A_WORD and now - said > _WORTH_A_WORD:
                said = now
                print(f"sending data to other machines: {100 * start // file.size} %", file=sys.stderr, flush=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _total(*values: float) -> tuple[float, ...]:
    total = torch.tensor(values, dtype=torch.float64)
    distributed.all_reduce(total)
    return tuple(total.tolist())
