"""What can be said of each step: a module each, which bears the head's name and has what `Head` asks for; and the loss
that belongs to it: the mean over the steps that are known, a missing target weighs nothing."""

from importlib import import_module
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from ostinato.core.batch import Batch


class Head(Protocol):
    """A distribution about a location `[...]`, its median, with `SIZE` parameters `[..., P]` beside it.

    Attributes:
        SIZE: P.
        CERTAIN: whether it is a number alone, that has no quantiles to give.
    """

    SIZE: int
    CERTAIN: bool

    def parameters_of(self, location: Tensor, raw: Tensor) -> Tensor:
        """From what a layer gives, any numbers `[..., P]`."""

    def loss(self, location: Tensor, parameters: Tensor, targets: Tensor) -> Tensor:
        """A proper score of the claim, of each target `[...]`."""

    def quantile(self, location: Tensor, parameters: Tensor, share: float | Tensor) -> Tensor:
        """The value that a share of outcomes lies below, `[...]`; or shares, of a shape that broadcasts with it."""

    def sample(self, location: Tensor, parameters: Tensor) -> Tensor:
        """One draw each, `[...]`."""


def find(name: str) -> Head:
    """The head of that name, one of `ahead.HEADS`."""
    return cast(Head, import_module(f"{__name__}.{name}"))


def forecast_loss(output: Any, batch: Batch) -> Tensor:
    """The loss that belongs to the output's head, a proper score of what the head claims.

    The batch has targets `[H, N, K]` and weights of the same shape: 1 where known, 0 where missing.
    """
    targets, weights, each = batch.targets, batch.weights, find(output.head).loss
    if weights is None:
        return each(output.location, output.parameters, targets).mean()
    # replaced rather than multiplied by zero: a NaN there would spoil loss and gradient all the same
    targets = torch.where(weights > 0, targets, output.location.detach())
    return (each(output.location, output.parameters, targets) * weights).sum() / weights.sum().clamp(min=1e-9)
