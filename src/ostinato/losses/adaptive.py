"""The loss of an adaptive softmax, without ever holding the scores of all rows."""

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from ostinato.losses.linear_cross_entropy import linear_cross_entropy


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
