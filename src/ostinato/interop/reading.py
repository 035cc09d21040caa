"""Which format a file is of, by what it begins with, and what it holds."""

import zipfile
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from types import MappingProxyType

from ostinato.core.errors import DataError
from ostinato.interop.parts import Found

_EXPECTED = (
    "expected weights: PyTorch (.pt, .pth, .bin, .safetensors), Keras (.keras, .h5, .weights.h5), ONNX (.onnx), "
    "NumPy (.npz), or a pickle of arrays (.pkl)"
)

#: LONG1 of the number that `torch.save` began its files with before version 1.6.
_TORCH_BEFORE_ZIP = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"


def read(
    source: str | PathLike[str], names: Mapping[str, str] = MappingProxyType({}), *, forget_bias: float | None = None
) -> Found:
    """What a file of another program holds; nothing in it is run.

    Args:
        source: the file. What it begins with says of which format it is, not its name.
        names: theirs, or how theirs begin, to ours: `embedding`, `recurrent`, `output`. All others are then left.
        forget_bias: of TensorFlow 1's BasicLSTMCell, which keeps it outside of its weights; by default 1, as there.

    Raises:
        DataError: no such file, none of these formats, damaged, or with numbers that are not finite; says which layer.
    """
    path = Path(fspath(source))
    try:
        if not path.is_file():
            raise DataError(f"{path}: no such file; {_EXPECTED}")
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        found = _read(path, start, names, forget_bias)
    except MemoryError:
        raise DataError(f"{path}: claims more numbers than there is memory for") from None
    if not found.parts:
        raise DataError(f"{path}: holds no recurrent layers, embeddings or linear layers; {_EXPECTED}")
    return found


def _read(path: Path, start: bytes, names: Mapping[str, str], forget_bias: float | None) -> Found:
    if start.startswith(b"PK"):
        return _read_zip(path, names, forget_bias)
    if start[8:9] == b"{":  # the length of the header, then its JSON
        from ostinato.interop.pytorch import read_safetensors

        return read_safetensors(path, names)
    if start.startswith(b"\x80"):  # pickles; torch's of old begin with a number of its own
        if start[2:14] == _TORCH_BEFORE_ZIP:
            from ostinato.interop.pytorch import read_torch

            return read_torch(path, names)
        from ostinato.interop.book import read_book

        return read_book(path, names)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        from ostinato.interop.keras import read_h5

        return read_h5(path, names)
    if start[:1] == b"\x08" or path.suffix == ".onnx":  # protobuf begins with the number of its first field
        from ostinato.interop.onnx_graph import read_onnx

        return read_onnx(path, names)
    raise DataError(f"{path}: of no format that is known; {_EXPECTED}")


def _read_zip(path: Path, names: Mapping[str, str], forget_bias: float | None) -> Found:
    try:
        with zipfile.ZipFile(path) as file:
            members = file.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path}: damaged or cut off, not a whole file: {error}") from None
    if any(name.endswith("constants.pkl") for name in members):
        raise DataError(f"{path}: a TorchScript archive, which is code; save model.state_dict() instead")
    if any(name.endswith("data.pkl") for name in members):
        from ostinato.interop.pytorch import read_torch

        return read_torch(path, names)
    if "model.weights.h5" in members:
        from ostinato.interop.keras import read_keras

        return read_keras(path, names)
    if members and all(name.endswith(".npy") for name in members):
        from ostinato.interop.numpy_files import read_npz

        return read_npz(path, names, forget_bias)
    raise DataError(f"{path}: a zip file of no format that is known; {_EXPECTED}")
