"""Arrays of an .npz file. NumPy's reader imports zipfile, pathlib and what these need, and parses each array's header
as Python: half of the time that a model takes to start. What `archive.write` has written needs none of that."""

import re
from io import SEEK_END
from os import PathLike
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_END, _ENTRY, _LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"  # of the ZIP format, APPNOTE.TXT 4.3
_HEADER = re.compile(
    rb"\{'descr': '(?P<kind>[<>|][biuf]\d)', 'fortran_order': (?P<columns>False|True), "
    rb"'shape': \((?P<shape>(?:\d+, )*\d*,?)\), \}[ ]*\n"
)


def read_arrays(path: str | PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of a file by name; nothing that it says is run.

    Raises:
        OSError, ValueError, EOFError, KeyError, NotImplementedError or zipfile.BadZipFile: as `numpy.load` has them.
    """
    try:
        with open(path, "rb") as file:
            return _plain(file)
    except ValueError:  # packed, larger than 4 GiB, of other types, or damaged: NumPy reads it or says what it is
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def _plain(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Of a file as `numpy.savez` writes it; a ValueError of any other."""
    from zlib import crc32

    end = file.seek(0, SEEK_END) - 22
    last = _at(file, end, 22)
    count, size, begin = _number(last, 10, 2), _number(last, 12, 4), _number(last, 16, 4)
    _require(last.startswith(_END) and begin + size == end)
    entries, found, at = _at(file, begin, size), dict[str, NDArray[Any]](), 0
    for _ in range(count):
        head = entries[at : at + 46]
        _require(len(head) == 46 and head.startswith(_ENTRY) and _number(head, 10, 2) == 0)  # 0: stored as it is
        checksum, packed, whole = (_number(head, place, 4) for place in (16, 20, 24))
        name_size, place = _number(head, 28, 2), _number(head, 42, 4)
        name = entries[at + 46 : at + 46 + name_size].decode("ascii")
        at += 46 + name_size + _number(head, 30, 2) + _number(head, 32, 2)
        local = _at(file, place, 30)
        content = _at(file, place + 30 + _number(local, 26, 2) + _number(local, 28, 2), whole)
        _require(local.startswith(_LOCAL) and packed == whole and crc32(content) == checksum and name.endswith(".npy"))
        found[name.removesuffix(".npy")] = _array(content)
    return found


def _array(content: bytearray) -> NDArray[Any]:
    """Of the .npy format, version 1.0; it is the memory that was read."""
    begin = 10 + _number(content, 8, 2)
    header = _HEADER.fullmatch(content[10:begin])
    _require(content.startswith(b"\x93NUMPY\x01\x00"))
    if header is None:
        raise ValueError("another header")
    shape = tuple(int(size) for size in header["shape"].split(b",") if size.strip())
    order: Any = "F" if header["columns"] == b"True" else "C"
    return np.frombuffer(content, np.dtype(header["kind"].decode()), offset=begin).reshape(shape, order=order)


def _at(file: BinaryIO, place: int, size: int) -> bytearray:
    """Bytes of a file, all of them."""
    _require(0 <= place <= file.seek(0, SEEK_END) - size)  # before memory is taken for what a file claims
    content = bytearray(size)
    file.seek(place)
    _require(file.readinto(content) == size)  # type: ignore[attr-defined]
    return content


def _number(content: bytes | bytearray, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size], "little")


def _require(true: bool) -> None:
    if not true:
        raise ValueError("not as numpy.savez writes it")
