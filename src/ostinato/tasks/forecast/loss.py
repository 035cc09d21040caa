"""Losses of forecasts: the mean over the steps that are known; a missing target weighs nothing."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal, StudentT
from torch.nn import functional as F

from ostinato.core.batch import Batch
from ostinato.tasks.forecast.ahead import QUANTILES


def forecast_loss(output: Any, batch: Batch) -> Tensor:
    """The loss that belongs to the output's head, each a proper score of what the head claims.

    - point: the absolute error, least at the median, smooth (half the square) within a hundredth of the scale;
    - quantile: twice the pinball loss, averaged over the quantiles; for the median alone, the absolute error;
    - gaussian, student: the negative log-likelihood, in nats.

    The batch has targets `[H, N, K]` and weights of the same shape: 1 where known, 0 where missing.
    """
    targets, weights = batch.targets, batch.weights
    if weights is None:
        return _each(output, targets).mean()
    # replaced rather than multiplied by zero: a NaN there would spoil loss and gradient all the same
    targets = torch.where(weights > 0, targets, output.location.detach())
    return (_each(output, targets) * weights).sum() / weights.sum().clamp(min=1e-9)


def pinball(quantiles: Tensor, targets: Tensor, shares: tuple[float, ...]) -> Tensor:
    """Pinball loss max(q (y - f), (q - 1) (y - f)) of each quantile q of these shares (Koenker, Bassett 1978): of
    quantiles `[..., Q]` and targets `[...]`."""
    error = targets.unsqueeze(-1) - quantiles
    share = quantiles.new_tensor(shares)
    return torch.maximum(share * error, (share - 1) * error)


def _each(output: Any, targets: Tensor) -> Tensor:
    if output.head == "point":
        return F.smooth_l1_loss(output.location, targets, reduction="none", beta=0.01)
    if output.head == "quantile":
        return 2 * pinball(output.parameters, targets, QUANTILES).mean(-1)
    if output.head == "gaussian":
        return -Normal(output.location, output.parameters[..., 0], validate_args=False).log_prob(targets)  # type: ignore[no-untyped-call]
    scale, freedom = output.parameters.unbind(-1)
    return -StudentT(freedom, output.location, scale, validate_args=False).log_prob(targets)  # type: ignore[no-untyped-call]
