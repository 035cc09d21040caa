"""What can be said of each step: a module each, which bears the head's name and has what `Head` asks for."""

from importlib import import_module
from typing import Protocol, cast

from torch import Tensor


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
