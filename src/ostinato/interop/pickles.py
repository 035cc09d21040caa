"""Pickles of NumPy arrays, read by an unpickler that knows arrays and their dtypes and runs nothing else.

The pickle machine calls whatever a pickle names. Here names are looked up in a table of five, which lead to classes of
this file; every other name is refused before anything is called.
"""

import io
import pickle
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from ostinato.core.errors import DataError

_NUMBERS = re.compile(r"[<>=|]?([fiu][1248]|b1)")


class _Kind:
    """A dtype as a pickle tells of it."""

    def __init__(self, name: Any, *_: Any) -> None:
        if not isinstance(name, str) or not _NUMBERS.fullmatch(name):
            raise DataError(f"expected an array of numbers, got one of {name!r}")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Empty:
    """An array before its content is there."""

    def __init__(self, *_: Any) -> None:
        self.array: npt.NDArray[Any] = np.zeros(0, np.float32)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        self.array = _array(content, kind, shape, "F" if fortran else "C")


def _array(content: Any, kind: Any, shape: Any, order: Any) -> npt.NDArray[Any]:
    if isinstance(content, str):  # Python 2's bytes
        content = content.encode("latin-1")
    expected = int(np.prod([int(size) for size in shape], dtype=object)) * kind.dtype.itemsize
    if len(content) != expected:
        raise DataError(f"an array of shape {tuple(shape)} takes {expected:,} bytes, there are {len(content):,}")
    return np.frombuffer(content, kind.dtype).reshape(shape, order=order)


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> _Empty:
    made = _Empty()
    made.array = _array(content, kind, shape, order)
    return made


def _encoded(text: str, *_: Any) -> bytes:
    return text.encode("latin-1")


class _NoClass:
    """Stands for `numpy.ndarray`, which is named and never called."""


_KNOWN: dict[tuple[str, str], Any] = {
    ("multiarray", "_reconstruct"): _Empty,
    ("numeric", "_frombuffer"): _from_buffer,
    ("numpy", "ndarray"): _NoClass,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encoded,
}
_OF_NUMPY = re.compile(r"numpy\.(?:_core|core)\.(multiarray|numeric)")


class _Unpickler(pickle._Unpickler):
    """Python's own rather than C's, which would make a table as long as a pickle says."""

    def find_class(self, module: str, name: str) -> Any:
        """One of those known."""
        known = _OF_NUMPY.fullmatch(module)
        found = _KNOWN.get((known[1] if known else module, name))
        if found is None:
            raise DataError(f"it would run {module}.{name}; only pickles of NumPy arrays are read")
        return found

    def persistent_load(self, pid: Any) -> Any:
        """None of those."""
        raise DataError("it refers to something outside of itself; only pickles of NumPy arrays are read")


def read_pickle(path: str, content: bytes) -> Any:
    """What a pickle holds: arrays, numbers and texts, in lists, tuples and dicts.

    Raises:
        DataError: it is cut off, no pickle, or holds or calls something else.
    """
    try:
        return _arrays(_Unpickler(io.BytesIO(content), encoding="latin-1").load())
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # the machine raises whatever a damaged program leads to
        raise DataError(f"{path}: damaged or cut off, not a whole pickle of arrays: {error!r}") from None


def _arrays(value: Any) -> Any:
    if isinstance(value, _Empty):
        return value.array
    if isinstance(value, list | tuple):
        return [_arrays(each) for each in value]
    if isinstance(value, dict):
        return {key: _arrays(each) for key, each in value.items()}
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    raise DataError(f"expected arrays, got {type(value).__name__}")
