"""Losses of forecasts: the mean over the steps that are known; a missing target weighs nothing."""

from typing import Any

import torch
from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.tasks.forecast import heads


def forecast_loss(output: Any, batch: Batch) -> Tensor:
    """The loss that belongs to the output's head, a proper score of what the head claims.

    The batch has targets `[H, N, K]` and weights of the same shape: 1 where known, 0 where missing.
    """
    targets, weights, each = batch.targets, batch.weights, heads.find(output.head).loss
    if weights is None:
        return each(output.location, output.parameters, targets).mean()
    # replaced rather than multiplied by zero: a NaN there would spoil loss and gradient all the same
    targets = torch.where(weights > 0, targets, output.location.detach())
    return (each(output.location, output.parameters, targets) * weights).sum() / weights.sum().clamp(min=1e-9)
