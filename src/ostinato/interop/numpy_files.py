"""NumPy's .npz files: TensorFlow 1's variables by their names, or a state dict's arrays by torch.nn's."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.core.errors import DataError
from ostinato.interop.layouts import layout
from ostinato.interop.parts import Dense, Found, Left, Stack, numbers
from ostinato.interop.state_dict import read_state_dict, renamed

_PROGRAM = "TensorFlow 1"
#: Bytes that a compressed one may stand for: deflate makes at most 1,032 of one.
_MOST_FROM_ONE = 1_100

#: `rnn/multi_rnn_cell/cell_0/basic_lstm_cell/kernel`; early versions call them weights and biases.
_CELL = re.compile(
    r"(?P<scope>.*?)(?P<cell>basic_lstm_cell|lstm_cell|gru_cell|basic_rnn_cell)/"
    r"(?:(?P<part>gates|candidate)/)?(?P<what>kernel|weights|bias|biases|w_[ifo]_diag|projection/kernel)(?::0)?"
)
_NUMBER = re.compile(r"cell_(\d+)/$")
_WAY = re.compile(r"(?:^|/)(fw|bw)/")


def read_npz(path: Path, names: Mapping[str, str], forget_bias: float | None) -> Found:
    """Arrays by name.

    Args:
        path: the file.
        names: theirs to ours.
        forget_bias: what a BasicLSTMCell was made with, which it keeps outside of its weights; by default 1, as there.

    Raises:
        DataError: damaged, cut off, or an array that claims more than the file holds.
    """
    arrays = renamed(str(path), _arrays(path), names)
    if not any(_CELL.fullmatch(name) for name in arrays):
        return read_state_dict(str(path), "NumPy arrays by name", arrays)
    return _tensorflow(str(path), arrays, 1.0 if forget_bias is None else forget_bias)


def _arrays(path: Path) -> dict[str, Any]:
    found = {}
    try:
        with zipfile.ZipFile(path) as file:
            for info in file.infolist():
                name = info.filename.removesuffix(".npy")
                with file.open(info) as member:
                    found[name] = _array(f"{path}: {name}", member, info)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: damaged or cut off, not a whole .npz file: {error}") from None
    return found


def _array(where: str, member: Any, info: zipfile.ZipInfo) -> Any:
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(member)
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects, which would run code to load; expected numbers")
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size > info.file_size or info.file_size > _MOST_FROM_ONE * max(info.compress_size, 1):
        raise DataError(f"{where}: shape {shape} claims {size:,} bytes, the file holds less of it")
    content = member.read(size)
    if len(content) != size:
        raise DataError(f"{where}: cut off, shape {shape} takes {size:,} bytes, there are {len(content):,}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _tensorflow(source: str, arrays: Mapping[str, Any], forget_bias: float) -> Found:
    found = Found(source, _PROGRAM)
    cells: dict[str, dict[str, Any]] = {}
    for name, value in arrays.items():
        match = _CELL.fullmatch(name)
        if match is None:
            _other(found, name.removesuffix(":0"), arrays, value)
            continue
        scope = f"{match['scope']}{match['cell']}"
        if scope not in cells:
            cells[scope] = {}
        what = match["what"].replace("weights", "kernel").replace("biases", "bias")
        cells[scope][f"{match['part']}/{what}" if match["part"] else what] = value
    stacks = {scope: _stack(source, scope, own, forget_bias) for scope, own in cells.items()}
    found.parts = [*_joined(source, stacks), *found.parts]
    return found


def _stack(source: str, scope: str, own: Mapping[str, Any], forget_bias: float) -> Stack:
    where = f"{source}: {scope}"
    kind = {"lstm": "BasicLSTMCell", "gru": "GRUCell", "rnn": "BasicRNNCell"}[re.split("[/_]", scope)[-2]]
    if "projection/kernel" in own or any("diag" in key for key in own):
        raise DataError(f"{where}: has a projection or peepholes; a plain cell is expected")
    if kind == "GRUCell":
        own = {key: np.concatenate([_part(where, own, f"{part}/{key}") for part in ("gates", "candidate")], -1)
               for key in ("kernel", "bias")}  # fmt: skip
    one = layout(_PROGRAM, kind)
    kernel, bias = _part(where, own, "kernel"), _part(where, own, "bias")
    weights = one.read(where, kernel, None, bias)
    if one.forget_bias:
        H = len(weights["bias_ih"]) // 4
        weights["bias_ih"][H : 2 * H] += np.float32(forget_bias - one.forget_bias)  # i, f, g, o here
    return Stack(scope, kind, one.cell, {f"{key}_l0": array for key, array in weights.items()})


def _part(where: str, own: Mapping[str, Any], name: str) -> Any:
    if name not in own:
        raise DataError(f"{where}: lacks {name}; there are {', '.join(own)}")
    return numbers(f"{where}/{name}", own[name])


def _joined(source: str, stacks: Mapping[str, Stack]) -> list[Stack]:
    """Cells fw and bw of one layer as one of both directions; cell_0, cell_1 and so on in their order."""
    found: list[Stack] = []
    for scope in sorted(stacks, key=lambda one: (_NUMBER.sub("", one.rpartition("/")[0] + "/"), _order(one))):
        way = _WAY.search(scope)
        if way is None or way[1] == "fw":
            found.append(stacks[scope])
        if way is not None and way[1] == "fw":
            other = stacks.get(_WAY.sub(lambda one: one[0].replace("fw", "bw"), scope))
            if other is None or other.said() != stacks[scope].said():
                raise DataError(f"{source}: {scope}: expected a bw cell like this one beside it")
            found[-1].weights |= {f"{key}_reverse": array for key, array in other.weights.items()}
            found[-1].directions = 2
    return found


def _order(scope: str) -> int:
    match = _NUMBER.search(scope.rpartition("/")[0] + "/")
    return int(match[1]) if match else 0


def _other(found: Found, name: str, arrays: Mapping[str, Any], value: Any) -> None:
    """A matrix `[D, C]` with its bias, or one alone, which may be an embedding's; optimisers' slots are left."""
    shape = np.shape(value)
    stem, _, last = name.rpartition("/")
    beside = {"kernel": "bias", "weights": "biases"}.get(last)
    pairs = [f"{stem}/{beside}" if beside else "", re.sub(r"_w$", "_b", name), re.sub(r"_W$", "_b", name)]
    bias = next((one for each in pairs for one in (each, f"{each}:0") if each != name and one in arrays), None)
    if len(shape) == 2 and bias is not None and np.shape(arrays[bias]) == (shape[1],):
        weight = np.ascontiguousarray(numbers(f"{found.source}: {name}", value).T)
        found.parts.append(Dense(stem or name, weight, numbers(f"{found.source}: {bias}", arrays[bias])))
    elif len(shape) == 2 and "/Adam" not in name and "/Momentum" not in name:
        found.parts.append(Dense(name, numbers(f"{found.source}: {name}", value), undecided=True))
    elif len(shape) != 1:
        found.left.append(Left(name, "neither a cell's nor a matrix with its bias", shape))
