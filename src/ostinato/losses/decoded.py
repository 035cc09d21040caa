"""The loss of models that write a sequence."""

import torch
from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.core.lengths import valid_steps
from ostinato.losses.cross_entropy import LinearScores
from ostinato.losses.linear_cross_entropy import linear_cross_entropy


def decoded_cross_entropy(output: LinearScores, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """Mean negative log-likelihood of the target's tokens `[T, N]`, in nats; padding costs neither logits nor loss.

    With label smoothing e (Szegedy et al. 2016, arXiv:1512.00567) what is expected is the token with 1 - e + e/V and
    each other one with e/V. The batch has `target_lengths` `[N]` among `more`.
    """
    valid = valid_steps(batch.more["target_lengths"], len(batch.targets))
    rows, targets = output.hidden[valid], batch.targets[valid]
    dtype = torch.promote_types(rows.dtype, torch.float32)
    weights = rows.new_full((len(rows),), 1 / max(len(rows), 1), dtype=dtype)
    return linear_cross_entropy(rows, output.weight, output.bias, targets, weights, label_smoothing)
