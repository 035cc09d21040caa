"""Softmax with cross-entropy over one label a sequence."""

from collections.abc import Callable

import torch
from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.models.many_to_one import ManyToOneOutput


def label_loss(
    class_weights: Tensor | None = None, smoothing: float = 0.0
) -> Callable[[ManyToOneOutput, Batch], Tensor]:
    """A loss: the mean over the batch of w_y * ((1 - e) * -log p_y + e * mean over classes of -log p_c).

    Args:
        class_weights: `[C]` w; None is 1 for all. Their mean over the training data is best 1, so that the loss keeps
            its size.
        smoothing: e, share of the probability spread evenly over the classes (Szegedy et al. 2016).

    It raises a ValueError where there is not a target for each example.
    """

    def loss(output: ManyToOneOutput, batch: Batch) -> Tensor:
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
    """Weights `[C]` that give every class the same part in the loss, from how many examples each has: examples /
    (classes * count), 1 on average; 0 for a class without any."""
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp(min=1))
    return torch.where(present, weights, 0.0)


def labels_loss(weights: Tensor | None = None, smoothing: float = 0.0) -> Callable[[ManyToOneOutput, Batch], Tensor]:
    """A loss where an example may have several labels, each told by itself: the mean over batch and labels of
    -w_c y log p_c - (1 - y) log(1 - p_c), with p_c the logistic function of the score.

    Args:
        weights: `[C]` w, of the examples that have a label; None is 1 for all.
        smoothing: e; y is 1 - e / 2 for a label that an example has, and e / 2 for one that it has not.

    It raises a ValueError where the targets are not marks `[N, C]`.
    """

    def loss(output: ManyToOneOutput, batch: Batch) -> Tensor:
        logits, targets = output.logits, batch.targets
        if targets.shape != logits.shape:
            raise ValueError(f"targets: expected {tuple(logits.shape)}, a mark a label, got {tuple(targets.shape)}")
        marks = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, marks, pos_weight=weights)

    return loss


def rarity(with_it: Tensor, examples: int) -> Tensor:
    """Weights by which examples that have a label count as much as those that have not: how many times fewer they are,
    by how many have each label, `[C]`, of so many."""
    return (examples - with_it) / with_it.clamp(min=1)
