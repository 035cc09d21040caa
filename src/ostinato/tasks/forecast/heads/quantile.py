"""Quantiles themselves, ascending: those of `QUANTILES`."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.tasks.forecast.ahead import QUANTILES

SIZE, CERTAIN = len(QUANTILES), False


def parameters_of(location: Tensor, raw: Tensor) -> Tensor:
    """Quantiles that cannot cross: the median, and on either side of it positive distances, summed up."""
    middle = len(QUANTILES) // 2
    below = F.softplus(raw[..., :middle]).flip(-1).cumsum(-1).flip(-1)
    above = F.softplus(raw[..., middle + 1 :]).cumsum(-1)
    median = location.unsqueeze(-1)
    return torch.cat([median - below, median, median + above], dim=-1)


def loss(location: Tensor, parameters: Tensor, targets: Tensor) -> Tensor:
    """Twice the pinball loss, averaged over the quantiles; for the median alone, the absolute error."""
    return 2 * pinball(parameters, targets, QUANTILES).mean(-1)


def pinball(quantiles: Tensor, targets: Tensor, shares: tuple[float, ...]) -> Tensor:
    """Pinball loss max(q (y - f), (q - 1) (y - f)) of each quantile q of these shares (Koenker, Bassett 1978): of
    quantiles `[..., Q]` and targets `[...]`."""
    error = targets.unsqueeze(-1) - quantiles
    share = quantiles.new_tensor(shares)
    return torch.maximum(share * error, (share - 1) * error)


def quantile(location: Tensor, parameters: Tensor, share: float | Tensor) -> Tensor:
    """Between the learned ones on a straight line, beyond the outermost on an exponential tail."""
    return _between(parameters, share)


def sample(location: Tensor, parameters: Tensor) -> Tensor:
    """The quantile of a share drawn evenly."""
    # a draw of exactly 0 or 1 has no finite value
    return _between(parameters, torch.rand_like(location).clamp(1e-6, 1 - 1e-6))


def _between(quantiles: Tensor, share: float | Tensor) -> Tensor:
    """Linear interpolation; beyond the outermost an exponential tail through the last two (Park et al. 2022).

    Learning quantile functions without quantile crossing for distribution-free time series forecasting.
    """
    levels = quantiles.new_tensor(QUANTILES)
    share = torch.as_tensor(share, dtype=quantiles.dtype).expand(quantiles.shape[:-1])
    inside = share.clamp(QUANTILES[0], QUANTILES[-1])
    right = torch.searchsorted(levels, inside.contiguous()).clamp(1, len(QUANTILES) - 1)
    low, high = levels[right - 1], levels[right]
    values = quantiles.gather(-1, torch.stack([right - 1, right], dim=-1))
    found = torch.lerp(values[..., 0], values[..., 1], (inside - low) / (high - low))
    below = (quantiles[..., 1] - quantiles[..., 0]) / math.log(QUANTILES[1] / QUANTILES[0])
    above = (quantiles[..., -1] - quantiles[..., -2]) / math.log((1 - QUANTILES[-2]) / (1 - QUANTILES[-1]))
    found = found + below * (share / QUANTILES[0]).clamp(max=1).log()
    return found - above * ((1 - share) / (1 - QUANTILES[-1])).clamp(max=1).log()
