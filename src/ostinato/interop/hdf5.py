"""HDF5 files by h5py: arrays below a group, each looked at before memory is asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.core.errors import ConfigError, DataError

#: Bytes that a compressed one may stand for: deflate makes at most 1,032 of one.
_MOST_FROM_ONE = 1_100


@contextmanager
def opened(path: Path, content: bytes | None = None) -> Iterator[Any]:
    """The file, or one that is within another.

    Raises:
        ConfigError: h5py is not installed.
        DataError: it is damaged or cut off.
    """
    try:
        import h5py
    except ImportError:
        raise ConfigError(f"{path}: files of Keras need h5py: pip install 'ostinato[interop]'") from None
    try:
        with h5py.File(path if content is None else io.BytesIO(content), "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError) as error:  # h5py raises whatever a damaged file leads to
        if isinstance(error, DataError | ConfigError):
            raise
        raise DataError(f"{path}: damaged or cut off, not a whole HDF5 file: {error}") from None


def child(group: Any, name: str) -> Any:
    """What stands in a group under a name, in this file itself; None where nothing does."""
    import h5py

    here = group
    for part in name.strip("/").split("/"):
        if not isinstance(here, h5py.Group) or not isinstance(here.get(part, getlink=True), h5py.HardLink):
            return None
        here = here[part]
    return here


def array(where: str, dataset: Any) -> np.ndarray[Any, Any]:
    """Its numbers.

    Raises:
        DataError: none of its own, or more than the file holds.
    """
    if dataset.is_virtual or dataset.external:
        raise DataError(f"{where}: stands in another file; expected the numbers themselves")
    held = dataset.id.get_storage_size() * (_MOST_FROM_ONE if dataset.compression else 1)
    if dataset.size is None or dataset.nbytes > held:
        raise DataError(f"{where}: shape {dataset.shape} claims {dataset.nbytes:,} bytes, the file holds less of it")
    return np.asarray(dataset[()])


def text(value: Any) -> str:
    """An attribute, bytes or text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
