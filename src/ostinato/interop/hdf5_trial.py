"""A program: read all of an HDF5 file, the one that is named or standard input.

`interop.hdf5` has it run in a process of its own: HDF5's library can end the process that reads a damaged file, or
read for ever.
"""

import io
import sys

import h5py

#: Bytes that one in the file may stand for: deflate makes at most 1,032 of one.
MOST_FROM_ONE = 1_100


def visit(name: str, found: h5py.Group | h5py.Dataset) -> None:
    """Read what stands in the file by that name, attributes included, if the file can hold it."""
    dict(found.attrs)
    if isinstance(found, h5py.Dataset) and found.size and not (found.is_virtual or found.external):
        held = found.id.get_storage_size() * (MOST_FROM_ONE if found.compression else 1)
        if found.nbytes <= held:
            found[()]


if __name__ == "__main__":
    with h5py.File(sys.argv[1] if len(sys.argv) > 1 else io.BytesIO(sys.stdin.buffer.read()), "r") as file:
        dict(file.attrs)
        file.visititems(visit)
