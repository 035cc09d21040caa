"""The loss of models that write a sequence."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.core.batch import Batch


class HasOutputLayer(Protocol):
    """A model output with what stands before and in the output layer."""

    @property
    def hidden(self) -> Tensor:
        """`[T, N, R]`."""

    @property
    def weight(self) -> Tensor:
        """`[V, R]`."""

    @property
    def bias(self) -> Tensor:
        """`[V]`."""


def decoded_cross_entropy(output: HasOutputLayer, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """Mean negative log-likelihood of the target's tokens, in nats; padding costs neither logits nor loss.

    With label smoothing e (Szegedy et al. 2016, arXiv:1512.00567) what is expected is the token with 1 - e + e/V and
    each other one with e/V.

    Args:
        output: of a decoder.
        batch: targets `[T, N]`, and `target_lengths` `[N]` among `more`.
        label_smoothing: e.
    """
    steps = torch.arange(len(batch.targets), device=batch.targets.device)
    valid = steps.unsqueeze(1) < batch.more["target_lengths"]
    logits = F.linear(output.hidden[valid], output.weight, output.bias)
    return F.cross_entropy(logits.float(), batch.targets[valid], label_smoothing=label_smoothing)
