"""The loss of models that write a sequence."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.core.batch import Batch
from ostinato.core.lengths import valid_steps
from ostinato.layers.copying import mixed, repeated
from ostinato.layers.few_shapes import in_few_shapes
from ostinato.losses.cross_entropy import LinearScores, filled
from ostinato.losses.linear_cross_entropy import linear_cross_entropy


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
    rows, targets, weights = filled(rows, targets, weights)
    return linear_cross_entropy(rows, output.weight, output.bias, targets, weights, label_smoothing)


def _copied_cross_entropy(output: Any, batch: Batch, valid: Tensor, label_smoothing: float) -> Tensor:
    logits = in_few_shapes(lambda rows: F.linear(rows, output.weight, output.bias), output.hidden[valid])
    places = batch.more["copied"].T.expand(len(valid), -1, -1)[valid]
    chances = mixed(logits, output.gates[valid], output.attention[valid], places)
    least = torch.finfo(chances.dtype).tiny
    expected = chances.gather(1, batch.targets[valid].unsqueeze(1)).clamp(min=least).log().mean()
    if not label_smoothing:
        return -expected
    others = chances[:, : logits.shape[1]].clamp(min=least).log().mean()
    return -((1 - label_smoothing) * expected + label_smoothing * others)
