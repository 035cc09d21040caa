"""A linear layer, softmax and cross-entropy in one, without ever holding the scores of all rows.

At a vocabulary of 10,000 the output layer costs as much as the recurrence below it, and most of that is traffic: the
scores are written, read for their maximum, for the sum, for the loss, and again for the gradient. Here some rows at a
time are scored into a buffer, turned into the loss and, in place, into its gradient, and multiplied on into the
gradients of hidden states and weights at once: the loss is a scalar, so that its gradient is known up to a factor
before anyone asks for it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

#: Bytes of scores at a time, and rows at least: with fewer, adding to the weights' gradient would cost too much.
_BUFFER, _FEWEST_ROWS = 64 << 20, 64
#: Rows whose part in the bias's gradient is summed in one go: one chain over all of them would lose a digit.
_CHAIN = 64


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Sum over rows of w * ((1 - e) * -log p(target) + e * mean over v of -log p(v)), p = softmax(W hidden + b).

    Equal to `torch.nn.functional.cross_entropy` of `linear(hidden, weight, bias)`, with `reduction="sum"`. Under
    autocast it is computed in the widest dtype of the three, usually the parameters' float32.

    Args:
        hidden: `[M, E]`.
        weight: `[V, E]`.
        bias: `[V]`, or None.
        targets: `[M]` ids from 0 to V - 1.
        weights: `[M]` of the rows; None for one everywhere. The loss has their dtype, so that of hidden states in
            bfloat16 it need not be rounded to three digits.
        label_smoothing: e, the share of the target's probability that is spread evenly over all V.

    Raises:
        IndexError: a target outside the vocabulary.
    """
    if targets.numel() and not (int(targets.min()) >= 0 and int(targets.max()) < len(weight)):
        raise IndexError(
            f"targets: expected ids from 0 to {len(weight) - 1}, got {int(targets.min())} to {int(targets.max())}"
        )
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.promote_types(hidden.dtype, weight.dtype)
        hidden, weight, bias = hidden.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    if weights is None:
        weights = hidden.new_ones(len(hidden))
    with torch.autocast(device, enabled=False):
        return _LinearCrossEntropy.apply(hidden, weight, bias, targets, weights, label_smoothing)  # type: ignore[no-untyped-call]


def _plain(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, weights: Tensor, smoothing: float
) -> Tensor:
    """The definition, in torch's own operations."""
    each = F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction="none", label_smoothing=smoothing)
    return (each * weights).sum()


def _rows_at_a_time(rows: int, vocabulary: int) -> int:
    return min(rows, max(_FEWEST_ROWS, _BUFFER // (4 * vocabulary))) or 1


def _loss_and_gradient(
    scores: Tensor, targets: Tensor, weights: Tensor, smoothing: float, differentiate: bool
) -> tuple[Tensor, Tensor]:
    """Loss of some rows, and a factor for each: where wanted, factor times `scores` [m, V] is then the gradient.

    A row's weight and the sum of its exponentials are left to what is multiplied with it, which is narrower.
    """
    at = targets.unsqueeze(1)
    highest = scores.amax(1, keepdim=True)
    scores -= highest
    spread = scores.mean(1) if smoothing else 0.0
    expected = scores.gather(1, at)[:, 0]
    scores.exp_()
    total = scores.sum(1)
    loss = (total.log() - (1 - smoothing) * expected - smoothing * spread).to(weights.dtype) @ weights
    if differentiate:
        if smoothing:
            scores -= (total * (smoothing / scores.shape[1])).unsqueeze(1)
        scores.scatter_add_(1, at, (total * (smoothing - 1)).unsqueeze(1))
    return loss, (weights / total).to(scores.dtype)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        hidden, weight, bias, targets, weights, smoothing = arguments
        wanted = ctx.needs_input_grad[:3]
        grads = [torch.empty_like(hidden) if wanted[0] else None]
        make = torch.empty_like if len(hidden) else torch.zeros_like  # the first rows are written, the others added
        grads += [make(t) if need else None for t, need in zip((weight, bias), wanted[1:], strict=True)]
        rows = _rows_at_a_time(len(hidden), len(weight))
        buffer = hidden.new_empty(rows, len(weight))
        loss = weights.new_zeros(())
        for begin in range(0, len(hidden), rows):
            part = slice(begin, begin + rows)
            scores = buffer[: len(hidden[part])]
            if bias is None:
                torch.mm(hidden[part], weight.T, out=scores)
            else:
                torch.addmm(bias, hidden[part], weight.T, out=scores)
            more, factors = _loss_and_gradient(scores, targets[part], weights[part], smoothing, any(wanted))
            loss += more
            if grads[0] is not None:
                torch.mm(scores, weight, out=grads[0][part])
                grads[0][part] *= factors.unsqueeze(1)
            if grads[1] is not None:
                torch.addmm(grads[1], scores.T, hidden[part] * factors.unsqueeze(1), beta=int(begin > 0), out=grads[1])
            if grads[2] is not None:
                if begin == 0:
                    grads[2].zero_()
                for few, own in zip(torch.split(scores, _CHAIN), torch.split(factors, _CHAIN), strict=True):
                    grads[2] += torch.mv(few.T, own)
        ctx.save_for_backward(hidden, weight, bias, targets, weights)
        ctx.smoothing, ctx.grads = smoothing, grads
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (factor,) = upstream
        if torch.is_grad_enabled() or ctx.grads is None:
            return *_differentiable(ctx, factor), None, None, None
        grads, ctx.grads = ctx.grads, None  # given away, or scaled in place: a second call computes anew
        if factor != 1:
            for grad in grads:
                if grad is not None:
                    grad.mul_(factor)
        return *grads, None, None, None


def _differentiable(ctx: Any, factor: Tensor) -> list[Tensor | None]:
    """Gradients that can be differentiated again, or are asked for a second time: from the definition."""
    hidden, weight, bias, targets, weights = ctx.saved_tensors
    leaves = (hidden, weight, bias)
    wanted = [leaf for leaf, need in zip(leaves, ctx.needs_input_grad[:3], strict=True) if need]
    with torch.autocast(hidden.device.type, enabled=False):
        with torch.enable_grad():
            loss = _plain(hidden, weight, bias, targets, weights, ctx.smoothing)
        found = iter(torch.autograd.grad(loss, wanted, factor, create_graph=torch.is_grad_enabled()))
    return [next(found) if need else None for need in ctx.needs_input_grad[:3]]
