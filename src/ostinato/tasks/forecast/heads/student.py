"""Student's t distribution: its scale and its degrees of freedom, 2 or more."""

import math

import torch
from torch import Tensor
from torch.distributions import StudentT
from torch.nn import functional as F

SIZE, CERTAIN = 2, False


def parameters_of(location: Tensor, raw: Tensor) -> Tensor:
    """A scale above zero, and freedom above two."""
    return torch.stack([F.softplus(raw[..., 0]) + 1e-3, 2 + F.softplus(raw[..., 1] + 2)], dim=-1)


def loss(location: Tensor, parameters: Tensor, targets: Tensor) -> Tensor:
    """The negative log-likelihood, in nats."""
    scale, freedom = parameters.unbind(-1)
    return -StudentT(freedom, location, scale, validate_args=False).log_prob(targets)  # type: ignore[no-untyped-call]


def quantile(location: Tensor, parameters: Tensor, share: float | Tensor) -> Tensor:
    """The inverse of its distribution function."""
    scale, freedom = parameters.unbind(-1)
    return location + scale * student_quantile(freedom, share)


def sample(location: Tensor, parameters: Tensor) -> Tensor:
    """A draw."""
    scale, freedom = parameters.unbind(-1)
    return location + scale * StudentT(freedom).sample()


def student_quantile(freedom: Tensor, share: float | Tensor) -> Tensor:
    """Quantile of the standard Student t distribution of `freedom`, 1 or more, from its distribution function as an
    integral over an angle: torch.distributions has no inverse of it. The shares lie between 0 and 1.

    With t = sqrt(v) tan(a), the distribution function is 1/2 plus the integral of cos(a)^(v-1) from 0 to a, over twice
    the same integral to pi/2; the trapezoidal rule is inverted.
    """
    if isinstance(share, float) and share == 0.5:
        return torch.zeros_like(freedom)
    side = (torch.as_tensor(share, dtype=torch.float64) - 0.5).expand(freedom.shape).unsqueeze(-1)
    v = freedom.double().unsqueeze(-1)
    angles = torch.linspace(0, math.pi / 2, 1025, dtype=torch.float64)
    density = angles.cos().clamp(min=0) ** (v - 1)
    area = torch.cumulative_trapezoid(density, angles, dim=-1)
    wanted = 2 * side.abs() * area[..., -1:]
    right = torch.searchsorted(area, wanted).clamp(max=area.shape[-1] - 1)
    high = area.gather(-1, right)
    low = torch.where(right > 0, area.gather(-1, (right - 1).clamp(min=0)), 0.0)
    angle = (right + (wanted - low) / (high - low).clamp(min=1e-300)) * (angles[1] - angles[0])
    quantile = v.sqrt() * angle.tan() * side.sign()
    return quantile[..., 0].to(freedom.dtype)
