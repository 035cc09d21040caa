"""Softmax with cross-entropy over one label a sequence."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ostinato.core.batch import Batch


class HasClassScores(Protocol):
    """A model output with scores of classes."""

    @property
    def logits(self) -> Tensor:
        """`[N, C]`."""


def label_loss(
    class_weights: Tensor | None = None, smoothing: float = 0.0
) -> Callable[[HasClassScores, Batch], Tensor]:
    """A loss: the mean over the batch of w_y * ((1 - e) * -log p_y + e * mean over classes of -log p_c).

    Args:
        class_weights: `[C]` w; None is 1 for all. Their mean over the training data is best 1, so that the loss keeps
            its size.
        smoothing: e, share of the probability spread evenly over the classes (Szegedy et al. 2016).

    It raises a ValueError where there is not a target for each example.
    """

    def loss(output: HasClassScores, batch: Batch) -> Tensor:
        logits, targets = output.logits, batch.targets
        if targets.shape != logits.shape[:1]:
            raise ValueError(f"targets: expected {tuple(logits.shape[:1])}, one a row, got {tuple(targets.shape)}")
        log_p = logits.log_softmax(-1)
        each = -log_p.gather(1, targets[:, None]).squeeze(1)
        if smoothing:
            each = (1 - smoothing) * each - smoothing * log_p.mean(-1)
        return each.mean() if class_weights is None else (class_weights[targets] * each).mean()

    return loss


def balanced_weights(counts: Tensor) -> Tensor:
    """Weights that give every class the same part in the loss: examples / (classes * count), 1 on average.

    Args:
        counts: `[C]` examples of each class; a class without any has weight 0.
    """
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp(min=1))
    return torch.where(present, weights, 0.0)
