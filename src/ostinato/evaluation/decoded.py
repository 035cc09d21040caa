"""How well a decoder predicts each token of a target from those before it."""

from collections.abc import Iterable

import torch
from torch import nn

from ostinato.core.batch import Batch
from ostinato.losses import decoded_cross_entropy


@torch.no_grad()
def decoded_loss(model: nn.Module, batches: Iterable[Batch]) -> float:
    """Mean loss in nats a token, without label smoothing; the model must be in eval mode."""
    total, tokens = 0.0, 0
    for batch in batches:
        output = model(batch.inputs, **batch.arguments())
        total += float(decoded_cross_entropy(output, batch)) * batch.tokens
        tokens += batch.tokens
    return total / max(tokens, 1)
