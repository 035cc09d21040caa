"""Softmax with cross-entropy over the steps of sequences, and over what a decoder writes."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Protocol, TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.core.batch import Batch
from ostinato.core.lengths import valid_steps
from ostinato.layers.copying import mixed, repeated
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
    ones = rows.new_ones(len(rows), dtype=dtype)
    weights = ones if batch.weights is None else batch.weights.to(dtype).flatten()
    if batch.lengths is not None:
        # left out rather than multiplied by zero: a NaN there would spoil loss and gradient all the same
        valid = valid_steps(batch.lengths, len(batch.targets)).flatten()
        rows, targets, weights = rows[valid], targets[valid], weights[valid]
    # before the sum rather than after it: the gradient of the weights is then right as it is
    weights = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    if _is_linear(output):
        return linear_cross_entropy(rows, output.weight, output.bias, targets, weights, label_smoothing)
    if _is_adaptive(output):
        if label_smoothing:
            raise ValueError("label smoothing: expected scores of the whole vocabulary, got an adaptive softmax")
        return adaptive_cross_entropy(output.softmax, rows, targets, weights)
    each = F.cross_entropy(rows, targets, reduction="none", label_smoothing=label_smoothing)
    return (each * weights).sum()


# `isinstance` of a protocol takes longer than a small step's loss.
def _is_linear(output: object) -> TypeGuard[LinearScores]:
    return hasattr(output, "hidden") and hasattr(output, "weight") and hasattr(output, "bias")


def _is_adaptive(output: object) -> TypeGuard[AdaptiveScores]:
    return hasattr(output, "hidden") and hasattr(output, "softmax")


def adaptive_cross_entropy(
    softmax: nn.AdaptiveLogSoftmaxWithLoss, hidden: Tensor, targets: Tensor, weights: Tensor
) -> Tensor:
    """Sum over rows of -w * log p(target), p in two steps: a frequent word or a cluster of rare ones, then the word in
    its cluster (Grave et al. 2017, arXiv:1609.04309).

    Equal to what `softmax(hidden, targets)` gives, with `linear_cross_entropy` for each of its layers. Hidden states
    are `[M, E]`; targets `[M]` ids, the most frequent first; weights `[M]`.
    """
    first, *_ = softmax.cutoffs
    head_targets, total = targets.clone(), weights.new_zeros(())
    for cluster, (low, high) in enumerate(pairwise(softmax.cutoffs)):
        rows = ((targets >= low) & (targets < high)).nonzero()[:, 0]
        head_targets[rows] = first + cluster
        narrow, scores = cast("nn.Sequential", softmax.tail[cluster])
        assert isinstance(scores, nn.Linear)
        # without a row too: the gradient of all parameters is then there in every step and every process
        total = total + linear_cross_entropy(
            narrow(hidden[rows]), scores.weight, scores.bias, targets[rows] - low, weights[rows]
        )
    return total + linear_cross_entropy(hidden, softmax.head.weight, softmax.head.bias, head_targets, weights)


def decoded_cross_entropy(
    output: LinearScores, batch: Batch, label_smoothing: float = 0.0, coverage: float = 0.0
) -> Tensor:
    """Mean negative log-likelihood of the target's tokens `[T, N]`, in nats; padding costs neither logits nor loss.

    With label smoothing e (Szegedy et al. 2016, arXiv:1512.00567) what is expected is the token with 1 - e + e/V and
    each other one with e/V. The batch has `target_lengths` `[N]` among `more`, and `copied` `[S, N]` where words can be
    copied: targets from V on are such words (`layers.copying`). The mean coverage loss of a step is added, times
    `coverage`.
    """
    valid = valid_steps(batch.more["target_lengths"], len(batch.targets))
    if coverage:
        again = repeated(cast("Tensor", cast("Any", output).attention))[valid].mean()
        return decoded_cross_entropy(output, batch, label_smoothing) + coverage * again
    if "copied" in batch.more:
        return _copied_cross_entropy(output, batch, valid, label_smoothing)
    rows, targets = output.hidden[valid], batch.targets[valid]
    dtype = torch.promote_types(rows.dtype, torch.float32)
    weights = rows.new_full((len(rows),), 1 / max(len(rows), 1), dtype=dtype)
    return linear_cross_entropy(rows, output.weight, output.bias, targets, weights, label_smoothing)


def _copied_cross_entropy(output: Any, batch: Batch, valid: Tensor, label_smoothing: float) -> Tensor:
    logits = F.linear(output.hidden[valid], output.weight, output.bias)
    places = batch.more["copied"].T.expand(len(valid), -1, -1)[valid]
    chances = mixed(logits, output.gates[valid], output.attention[valid], places)
    least = torch.finfo(chances.dtype).tiny
    expected = chances.gather(1, batch.targets[valid].unsqueeze(1)).clamp(min=least).log().mean()
    if not label_smoothing:
        return -expected
    others = chances[:, : logits.shape[1]].clamp(min=least).log().mean()
    return -((1 - label_smoothing) * expected + label_smoothing * others)


def last_loss(output: Any, targets: Tensor | None) -> Tensor:
    """The loss of the token after the last step, in nats: a sum over the sequences, whose targets are `[N]`; None for
    those that are expected most."""
    logits = output._replace(hidden=output.hidden[-1:]).logits()[0]
    return F.cross_entropy(logits, logits.argmax(-1) if targets is None else targets, reduction="sum")


@torch.no_grad()
def decoded_loss(model: nn.Module, batches: Iterable[Batch]) -> float:
    """Mean loss in nats a token, without label smoothing; the model must be in eval mode."""
    total, tokens = 0.0, 0
    for batch in batches:
        output = model(batch.inputs, **batch.arguments())
        total += float(decoded_cross_entropy(output, batch)) * batch.tokens
        tokens += batch.tokens
    return total / max(tokens, 1)
