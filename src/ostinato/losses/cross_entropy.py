"""Softmax with cross-entropy over the steps of sequences."""

from typing import Any, Protocol, TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.core.batch import Batch
from ostinato.core.lengths import valid_steps
from ostinato.layers.few_shapes import more_rows
from ostinato.losses.adaptive import adaptive_cross_entropy
from ostinato.losses.linear_cross_entropy import linear_cross_entropy


class HasLogits(Protocol):
    """A model output that can give scores."""

    def logits(self) -> Tensor:
        """`[T, N, V]`."""


class LinearScores(Protocol):
    """A model output whose scores are a linear layer over the vocabulary, not yet applied: to `hidden` `[T, N, E]`,
    with weight `[V, E]` and bias `[V]` or None."""

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None


class AdaptiveScores(Protocol):
    """A model output whose scores are an adaptive softmax, not yet applied, of `hidden` `[T, N, E]`."""

    hidden: Tensor
    softmax: nn.AdaptiveLogSoftmaxWithLoss


def sequence_cross_entropy(
    output: HasLogits | LinearScores | AdaptiveScores, batch: Batch, label_smoothing: float = 0.0
) -> Tensor:
    """Mean negative log-likelihood of the targets, in nats a step: sum of w * -log p(target) over the sum of w.

    A step beyond its sequence's length weighs nothing. Where no step weighs anything the loss is zero.

    Args:
        output: of a model that predicts one token a step. One that holds its last layer is never scored as a whole.
        batch: targets `[T, N]`, with lengths and weights where given.
        label_smoothing: share of the target's probability that is spread evenly over the vocabulary.

    Raises:
        ValueError: label smoothing of an adaptive softmax.
    """
    rows = output.hidden if _is_linear(output) or _is_adaptive(output) else cast(HasLogits, output).logits()
    rows = rows.flatten(0, 1)
    targets = batch.targets.flatten()
    dtype = torch.promote_types(rows.dtype, torch.float32)  # parts of one, and their sum, are too coarse in bfloat16
    weights = None if batch.weights is None else batch.weights.to(dtype).flatten()
    if batch.lengths is not None:
        # left out rather than multiplied by zero: a NaN there would spoil loss and gradient all the same
        valid = valid_steps(batch.lengths, len(batch.targets)).flatten()
        rows, targets, weights = rows[valid], targets[valid], None if weights is None else weights[valid]
    # before the sum rather than after it: the gradient of the weights is then right as it is
    if weights is None:
        weights = rows.new_full((len(rows),), 1 / max(1, len(rows)), dtype=dtype)
    else:
        weights = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    if _is_linear(output):
        if batch.lengths is not None:
            rows, targets, weights = filled(rows, targets, weights)
        return linear_cross_entropy(rows, output.weight, output.bias, targets, weights, label_smoothing)
    if _is_adaptive(output):
        if label_smoothing:
            raise ValueError("label smoothing: expected scores of the whole vocabulary, got an adaptive softmax")
        return adaptive_cross_entropy(output.softmax, rows, targets, weights)
    each = F.cross_entropy(rows, targets, reduction="none", label_smoothing=label_smoothing)
    return (each * weights).sum()


def filled(rows: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows `[M, E]`, targets and weights `[M]` of the steps of sequences, and some more of no weight, so that batch
    after batch is computed in few shapes."""
    more = more_rows(len(rows), rows)
    if not more:
        return rows, targets, weights
    return F.pad(rows, (0, 0, 0, more)), F.pad(targets, (0, more)), F.pad(weights, (0, more))


# `isinstance` of a protocol takes longer than a small step's loss.
def _is_linear(output: object) -> TypeGuard[LinearScores]:
    return hasattr(output, "hidden") and hasattr(output, "weight") and hasattr(output, "bias")


def _is_adaptive(output: object) -> TypeGuard[AdaptiveScores]:
    return hasattr(output, "hidden") and hasattr(output, "softmax")


def last_loss(output: Any, targets: Tensor | None) -> Tensor:
    """The loss of the token after the last step, in nats: a sum over the sequences, whose targets are `[N]`; None for
    those that are expected most."""
    logits = output._replace(hidden=output.hidden[-1:]).logits()[0]
    return F.cross_entropy(logits, logits.argmax(-1) if targets is None else targets, reduction="sum")
