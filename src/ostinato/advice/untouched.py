"""A module that has run, and is as if it had not."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ostinato.core.errors import ConfigError


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Put back, when the block ends, all that running a module may change: the values of its tensors, its attributes,
    hooks and modes, and the random numbers of torch, NumPy and Python.

    A list or a dict among the attributes has its elements again, the same ones; what these hold in turn is not looked
    at. A tensor that has not changed is not written to, so that a graph that needs it is still good.

    Raises:
        ConfigError: a module whose parameters have no size yet.
    """
    if any(is_lazy(parameter) for parameter in module.parameters()):
        raise ConfigError("doctor: expected a module whose parameters have their sizes; call it once first")
    attributes = [(part, dict(part.__dict__)) for part in module.modules()]
    containers = [
        (value, value.copy())
        for _, held in attributes
        for value in held.values()
        if isinstance(value, dict | list | set)
    ]
    tensors = [(tensor, tensor.detach().clone()) for tensor in _tensors(module, attributes)]
    wanted = [(parameter, parameter.requires_grad, parameter.grad) for parameter in module.parameters()]
    drawn, numbers = random.getstate(), np.random.get_state()
    devices = {tensor.device for tensor, _ in tensors if tensor.device.type == "cuda"}
    try:
        with torch.random.fork_rng(list(devices)):
            yield
    finally:
        random.setstate(drawn)
        np.random.set_state(numbers)
        for part, held in attributes:
            part.__dict__.clear()
            part.__dict__.update(held)
        for container, before in containers:
            _refill(container, before)
        with torch.no_grad():
            for tensor, values in tensors:
                if not _same(tensor, values):
                    tensor.copy_(values)
        for parameter, requires_grad, grad in wanted:
            parameter.grad = grad
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad_(requires_grad)


def _tensors(module: nn.Module, attributes: list[tuple[nn.Module, dict[str, Any]]]) -> list[Tensor]:
    """Parameters, buffers, and tensors that are plain attributes, each once."""
    plain = [value for _, held in attributes for value in held.values() if isinstance(value, Tensor)]
    found = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers(), *plain)}
    return [tensor for tensor in found.values() if tensor.layout == torch.strided]


def _refill(container: Any, before: Any) -> None:
    """In place: others hold it too."""
    if isinstance(container, list):
        container[:] = before
    else:
        container.clear()
        container.update(before)


def _same(tensor: Tensor, values: Tensor) -> bool:
    """Not a number is as good as not a number."""
    return bool(torch.equal(tensor, values)) or bool(
        ((tensor == values) | ((tensor != tensor) & (values != values))).all()
    )
