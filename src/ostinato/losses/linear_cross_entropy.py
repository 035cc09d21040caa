"""A linear layer, softmax and cross-entropy in one, without holding the scores of all rows.

At a vocabulary of 10,000 the output layer costs as much as the recurrence below it, and most of that is traffic: the
scores are written, read for their maximum, for the sum, for the loss, and again for the gradient. Here some rows at a
time are scored into a buffer, turned into the loss and, in place, into its gradient, and multiplied on into the
gradients of hidden states and weights at once: the loss is a scalar, so that its gradient is known up to a factor
before anyone asks for it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato import kernels
from ostinato.core.autocast import autocast_dtype

#: Bytes of scores at a time, and rows at least: with fewer, adding to the weights' gradient would cost too much.
_BUFFER, _FEWEST_ROWS = 64 << 20, 64
#: Scores up to which torch's own operations are faster: what is saved in traffic costs more calls (by 1.4 to 3 times).
_FEW_SCORES = 32_768
#: Words from which on scores in bfloat16 pay on AMX too: with 100 a step takes 1.05 times as long, with 10,000 0.81.
_MANY_WORDS = 1024
#: Bytes that a copy of the weights in bfloat16 and one of their gradient may take together.
_COPIES = 128 << 20


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
    autocast it is computed in the wider dtype of hidden states and weights, usually the parameters' float32. Where
    `torch.set_float32_matmul_precision("medium")` is set, factors of products may be rounded to bfloat16, and on
    machines that multiply it scores and gradients too, as under autocast. A gradient that is asked for
    a second time, or to be differentiated, is that of torch's operations, which hold all scores; so is the loss of a
    few thousand scores, and in a graph of torch.compile or torch.export.

    Args:
        hidden: `[M, E]`.
        weight: `[V, E]`.
        bias: `[V]`, or None.
        targets: `[M]` ids from 0 to V - 1.
        weights: `[M]` of the rows; None for one everywhere. If they have a gradient, torch's operations compute all.
            The loss has their dtype, so that of hidden states in bfloat16 it need not be rounded to three digits.
        label_smoothing: e, the share of the target's probability that is spread evenly over all V.

    Raises:
        IndexError: a target outside the vocabulary.
        ValueError: not a target, or a weight, for each row.
    """
    for name, given in (("targets", targets), ("weights", weights)):
        if given is not None and given.shape != hidden.shape[:1]:
            raise ValueError(f"{name}: expected {tuple(hidden.shape[:1])}, one a row, got {tuple(given.shape)}")
    if kernels.is_transformed() or hidden.is_meta:
        return _plain(
            hidden, weight, bias, targets, hidden.new_ones(()) if weights is None else weights, label_smoothing
        )
    captured = kernels.is_captured()  # then torch's operation looks at the targets, when the graph is run
    if not captured and targets.numel():
        lowest, highest = map(int, targets.aminmax())
        if not 0 <= lowest <= highest < len(weight):
            raise IndexError(f"targets: expected ids from 0 to {len(weight) - 1}, got {lowest} to {highest}")
    device = hidden.device.type
    if autocast_dtype(device) is not None:
        dtype = torch.promote_types(hidden.dtype, weight.dtype)
        hidden, weight, bias = hidden.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    if weights is None:
        weights = hidden.new_ones(len(hidden))
    with torch.autocast(device, enabled=False):
        few = len(hidden) * len(weight) <= _FEW_SCORES and weight.dtype.itemsize >= 4
        if captured or few or (torch.is_grad_enabled() and weights.requires_grad):
            return _plain(hidden, weight, bias, targets, weights, label_smoothing)
        if not torch.is_grad_enabled():  # which an autograd.Function does not ask
            return _computed(hidden, weight, bias, targets, weights, label_smoothing, (False, False, False))[0]
        return _LinearCrossEntropy.apply(hidden, weight, bias, targets, weights, label_smoothing)  # type: ignore[no-untyped-call]


def _plain(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, weights: Tensor, smoothing: float
) -> Tensor:
    """The definition, in torch's own operations."""
    scores = F.linear(hidden, weight, bias)
    return (F.cross_entropy(scores, targets, reduction="none", label_smoothing=smoothing) * weights).sum()


def _rounds(weight: Tensor) -> bool:
    """Whether factors are to be rounded to bfloat16 here: asked for, and faster than torch's products of float32.

    Those round by themselves where there is AMX, and convert all scores for each of three products. Without AMX,
    products of bfloat16 tensors are still twice as fast as others.
    """
    if weight.dtype != torch.float32 or weight.device.type != "cpu" or 4 * weight.numel() > _COPIES:
        return False
    if torch.get_float32_matmul_precision() != "medium":
        return False
    native = kernels.native
    return native.multiplies_bfloat16() if len(weight) >= _MANY_WORDS else native.multiplies_bfloat16_without_tiles()


def _computed(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    weights: Tensor,
    smoothing: float,
    wanted: Sequence[bool],
) -> tuple[Tensor, list[Tensor | None]]:
    """The loss, and its gradients by hidden states, weights and bias as far as wanted.

    The gradient by the scores is w * (p - e / V - (1 - e) * [v is the target]). The rows' weights w, and what makes
    probabilities p of the scores' exponentials, are left to the narrower factor of each product. So is the last of the
    three where scores are in half precision, which would lose the others beside it: it is one number a row. The
    gradients of weights and bias, sums of many small numbers, are added up in float32 then.
    """
    grads: list[Tensor | None] = [torch.empty_like(hidden) if wanted[0] else None]
    make = torch.empty_like if len(hidden) else torch.zeros_like  # the first rows are written, the others added
    for parameter, need in zip((weight, bias), wanted[1:], strict=True):
        if parameter is None or not need:
            grads.append(None)
        else:
            grads.append(make(parameter, dtype=torch.promote_types(parameter.dtype, torch.float32)))
    narrow = torch.bfloat16 if _rounds(weight) else weight.dtype
    factor, shift = weight.to(narrow), None if bias is None else bias.to(narrow)
    rows = min(len(hidden), max(_FEWEST_ROWS, _BUFFER // (4 * len(weight)))) or 1
    buffer = factor.new_empty(rows, len(weight))
    apart, even = narrow.itemsize < 4, smoothing / len(weight)
    loss = weights.new_zeros(())
    for begin in range(0, len(hidden), rows):
        part = slice(begin, begin + rows)
        some, ids = hidden[part], targets[part]
        scores = buffer[: len(some)]
        kernels.multiply(some.to(narrow), factor.T, scores, bias=shift)
        own = scores.gather(1, ids.unsqueeze(1)).squeeze(1).to(weights.dtype)
        beside = smoothing * (own - scores.mean(1, dtype=weights.dtype)) if smoothing else 0.0
        found = kernels.exponentials(scores, None if grads[2] is None else weights[part])
        loss += (found.sums.log() - (own - found.largest) + beside).to(weights.dtype) @ weights[part]
        if not any(wanted):
            continue
        if smoothing:
            scores.sub_(found.sums.unsqueeze(1), alpha=even)
        if not apart:
            scores.scatter_add_(1, ids.unsqueeze(1), found.sums.mul(smoothing - 1).unsqueeze(1))
        share = weights[part].unsqueeze(1).to(hidden.dtype)
        scale = (weights[part] / found.sums).unsqueeze(1).to(hidden.dtype)
        if grads[0] is not None:
            into = grads[0][part]
            kernels.multiply(scores, factor, into)
            into.mul_(scale)
            if apart:
                into.sub_(weight[ids].mul_(share), alpha=1 - smoothing)
        if grads[1] is not None:
            kernels.multiply(scores.T, (some * scale).to(narrow), grads[1], add=begin > 0)
            if apart:
                grads[1].index_add_(0, ids, (some * share).to(grads[1].dtype), alpha=smoothing - 1)
        if grads[2] is not None and found.total is not None:
            total = found.total - even * weights[part].sum() if smoothing else found.total
            grads[2].copy_(total) if begin == 0 else grads[2].add_(total)
            grads[2].index_add_(0, ids, weights[part].to(grads[2].dtype), alpha=smoothing - 1)
    pairs = zip(grads, (hidden, weight, bias), strict=True)
    return loss, [None if grad is None or like is None else grad.to(like.dtype) for grad, like in pairs]


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        hidden, weight, bias, targets, weights, smoothing = arguments
        wanted = ctx.needs_input_grad[:3]
        loss, ctx.grads = _computed(hidden, weight, bias, targets, weights, smoothing, wanted)
        ctx.save_for_backward(hidden, weight, bias, targets, weights)
        ctx.smoothing = smoothing
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (factor,) = upstream
        if torch.is_grad_enabled() or ctx.grads is None or kernels.is_batched(upstream):
            return *_differentiable(ctx, factor), None, None, None
        grads, ctx.grads = ctx.grads, None  # given away, or scaled in place: a second call computes anew
        if factor != 1:
            for grad in grads:
                if grad is not None:
                    grad.mul_(factor)
        return *grads, None, None, None


def _differentiable(ctx: Any, factor: Tensor) -> list[Tensor | None]:
    """Gradients that can be differentiated again, or are asked for a second time: from the definition."""
    *given, targets, weights = ctx.saved_tensors
    needed, again = ctx.needs_input_grad[:3], torch.is_grad_enabled()
    with torch.autocast(weights.device.type, enabled=False):
        with torch.enable_grad():
            hidden, weight = map(kernels.own_node, given[:2])
            bias = None if given[2] is None else kernels.own_node(given[2])
            leaves = (hidden, weight, bias)
            wanted = [leaf for leaf, need in zip(leaves, needed, strict=True) if need and leaf is not None]
            loss = _plain(hidden, weight, bias, targets, weights, ctx.smoothing)
        found = iter(torch.autograd.grad(loss, wanted, factor, create_graph=again))
    return [next(found) if need else None for need in needed]
