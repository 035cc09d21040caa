"""Softmax with cross-entropy over the steps of sequences."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.core.batch import Batch


class HasLogits(Protocol):
    """A model output that can give scores."""

    def logits(self) -> Tensor:
        """`[T, N, V]`."""


def sequence_cross_entropy(output: HasLogits, batch: Batch) -> Tensor:
    """Mean negative log-likelihood of the targets, in nats a step: sum of w * -log p(target) over the sum of w.

    A step beyond its sequence's length weighs nothing. Where no step weighs anything the loss is zero.

    Args:
        output: of a model that predicts one token a step.
        batch: targets `[T, N]`, with lengths and weights where given.
    """
    logits, targets = output.logits(), batch.targets
    if batch.lengths is None and batch.weights is None:
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    rows, targets = logits.flatten(0, 1), targets.flatten()
    weights = logits.new_ones(len(rows)) if batch.weights is None else batch.weights.to(logits.dtype).flatten()
    if batch.lengths is not None:
        # left out rather than multiplied by zero: a NaN there would spoil loss and gradient all the same
        valid = (torch.arange(len(logits), device=logits.device)[:, None] < batch.lengths).flatten()
        rows, targets, weights = rows[valid], targets[valid], weights[valid]
    each = F.cross_entropy(rows, targets, reduction="none")
    return (each * weights).sum() / weights.sum().clamp(min=torch.finfo(each.dtype).tiny)
