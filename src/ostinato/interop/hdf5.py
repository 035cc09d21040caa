"""HDF5 files by h5py: arrays below a group, each looked at before memory is asked for."""

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.core.errors import ConfigError, DataError

#: Seconds that another process may take to read a file; a gigabyte takes a few.
_PATIENCE = 120

#: The program that tries it.
_TRIAL = Path(__file__).with_name("hdf5_trial.py")


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
    _try(path, content)
    try:
        with h5py.File(path if content is None else io.BytesIO(content), "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError) as error:  # h5py raises whatever a damaged file leads to
        if isinstance(error, DataError | ConfigError):
            raise
        raise DataError(f"{path}: damaged or cut off, not a whole HDF5 file: {error}") from None


def _try(path: Path, content: bytes | None) -> None:
    """Have another process read all of it, which may not come back; what can be said of a fault is said here.

    Raises:
        DataError: it did not.
    """
    command = [sys.executable, "-P", str(_TRIAL), *([] if content is not None else [str(path)])]
    try:
        code = subprocess.run(command, input=content, capture_output=True, timeout=_PATIENCE).returncode
    except subprocess.TimeoutExpired:
        raise DataError(f"{path}: damaged: HDF5's library has not read it after {_PATIENCE} seconds") from None
    if code < 0:
        raise DataError(f"{path}: damaged: HDF5's library ends the process that reads it (signal {-code})")


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
    from ostinato.interop.hdf5_trial import MOST_FROM_ONE  # which imports h5py

    if dataset.is_virtual or dataset.external:
        raise DataError(f"{where}: stands in another file; expected the numbers themselves")
    held = dataset.id.get_storage_size() * (MOST_FROM_ONE if dataset.compression else 1)
    if dataset.size is None or dataset.nbytes > held:
        raise DataError(f"{where}: shape {dataset.shape} claims {dataset.nbytes:,} bytes, the file holds less of it")
    return np.asarray(dataset[()])


def text(value: Any) -> str:
    """An attribute, bytes or text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
