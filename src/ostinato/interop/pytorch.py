"""PyTorch's files: .pt, .pth, .bin by torch.load with weights only, .safetensors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ostinato.core.errors import DataError
from ostinato.core.files import in_utf8
from ostinato.interop.parts import Found
from ostinato.interop.state_dict import read_state_dict, renamed

#: Where training scripts keep the weights among other things, the first that is there.
_WITHIN = ("state_dict", "model_state_dict", "model_state", "model", "net", "module", "weights")


def read_torch(path: Path, names: Mapping[str, str]) -> Found:
    """A state dict that `torch.save` wrote, alone or among other things.

    Raises:
        DataError: it is damaged, holds whole modules, which only running code could load, or no tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make torch raise whatever comes
        if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
            raise DataError(
                f"{path}: holds more than tensors, which would run code to load; save model.state_dict() instead"
            ) from None
        raise DataError(f"{path}: damaged or cut off, not a whole file of torch.save: {_first(error)}") from None
    tensors = _flat(_within(content))
    if not tensors:
        raise DataError(f"{path}: expected a state dict, found no tensors by name in it")
    arrays = {name: _numbers(f"{path}: {name}", tensor) for name, tensor in tensors.items()}
    return read_state_dict(str(path), "PyTorch", renamed(str(path), arrays, names))


def read_safetensors(path: Path, names: Mapping[str, str]) -> Found:
    """Tensors by name.

    Raises:
        DataError: it is damaged or cut off.
    """
    from safetensors import SafetensorError, safe_open

    _require_whole(path)
    try:
        with in_utf8(path) as name, safe_open(name, framework="pt") as file:
            arrays = {key: _numbers(f"{path}: {key}", file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise DataError(f"{path}: damaged or cut off, not a whole safetensors file ({error})") from None
    return read_state_dict(str(path), "safetensors", renamed(str(path), arrays, names))


def _require_whole(path: Path) -> None:
    """That no tensor claims more than the file holds, by the header: the library does not say which does."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        rest = path.stat().st_size - 8 - size
        try:
            header = json.loads(file.read(size)) if rest >= 0 else {}
            claims = {name: one for name, one in header.items() if one.get("data_offsets", (0, 0))[1] > rest}
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            return  # the library says what is wrong with it
    for name, one in claims.items():
        raise DataError(
            f"{path}: {name} of shape {tuple(one['shape'])}: cut off, the file holds {max(rest, 0):,} bytes"
        )


def _within(content: Any) -> Any:
    if isinstance(content, Mapping):
        for name in _WITHIN:
            if isinstance(content.get(name), Mapping):
                return _within(content[name])
    return content


def _flat(content: Any, prefix: str = "") -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    found: dict[str, Tensor] = {}
    for key, value in content.items():
        if isinstance(value, Tensor):
            found[f"{prefix}{key}"] = value
        elif not prefix.startswith("optim"):
            found |= _flat(value, f"{prefix}{key}.")
    return found


def _numbers(where: str, tensor: Tensor) -> Any:
    """As NumPy has it; of a dtype that it lacks, as float32."""
    if not tensor.is_meta and tensor.layout == torch.strided:
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise DataError(f"{where}: shape {tuple(tensor.shape)} claims more than the file holds of it")
        tensor = tensor.detach().resolve_conj()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    raise DataError(f"{where}: expected a dense tensor, got {tensor.layout} of shape {tuple(tensor.shape)}")


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
