"""What computes: the processor, or a GPU; found in one place for all commands.

Data is read and prepared in NumPy. What becomes a tensor of it does so by `torch.as_tensor`, which `computing_on` lets
arrive on the device, as it does what torch makes itself; what leaves for NumPy comes back.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ostinato.core.errors import ConfigError

CPU = torch.device("cpu")
_TO_NUMPY = (Tensor.numpy, Tensor.__array__)


def available() -> list[str]:
    """The accelerators that torch can use here, the best first; "cpu" is always the last."""
    found = ["cuda"] if torch.cuda.is_available() else []
    return [*found, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def resolve(name: str, local: int = 0) -> torch.device:
    """The device that an option names.

    Args:
        name: "auto", the best that there is; "cpu", "cuda" or "mps".
        local: which process of this machine asks: each has a GPU of its own.

    Raises:
        ConfigError: torch cannot use it here.
    """
    there = available()
    if name != "auto" and name not in there:
        why = "it was built without it" if name == "cuda" and torch.version.cuda is None else "it finds none"
        raise ConfigError(
            f"--accelerator {name}: torch {torch.__version__} cannot use it here: {why}; there is {', '.join(there)}"
        )
    kind = there[0] if name == "auto" else name
    if kind != "cuda":
        return torch.device(kind)
    if local >= (count := torch.cuda.device_count()):
        raise ConfigError(f"--accelerator cuda: expected a GPU for each process of a machine, there are {count}")
    return torch.device(kind, local)


@contextmanager
def computing_on(device: torch.device) -> Iterator[None]:
    """Tensors that are made within are on a device. On the CPU it costs nothing."""
    if device.type == "cpu":
        yield
    else:
        with device, _BackToNumPy():
            yield


class _BackToNumPy(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in _TO_NUMPY:
            args = (args[0].cpu(), *args[1:])
        return func(*args, **(kwargs or {}))
