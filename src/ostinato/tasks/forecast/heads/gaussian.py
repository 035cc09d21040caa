"""A normal distribution: its standard deviation."""

import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional as F

SIZE, CERTAIN = 1, False


def parameters_of(location: Tensor, raw: Tensor) -> Tensor:
    """Above zero."""
    return F.softplus(raw) + 1e-3


def loss(location: Tensor, parameters: Tensor, targets: Tensor) -> Tensor:
    """The negative log-likelihood, in nats."""
    return -Normal(location, parameters[..., 0], validate_args=False).log_prob(targets)  # type: ignore[no-untyped-call]


def quantile(location: Tensor, parameters: Tensor, share: float | Tensor) -> Tensor:
    """The inverse of its distribution function."""
    away = torch.special.ndtri(torch.as_tensor(share, dtype=torch.float64))
    return location + parameters[..., 0] * away.to(location.dtype)


def sample(location: Tensor, parameters: Tensor) -> Tensor:
    """A draw."""
    return location + parameters[..., 0] * torch.randn_like(location)
