"""(model output, Batch) -> scalar."""

from ostinato.losses.activation import activation_penalty
from ostinato.losses.adaptive import adaptive_cross_entropy
from ostinato.losses.cross_entropy import sequence_cross_entropy
from ostinato.losses.decoded import decoded_cross_entropy
from ostinato.losses.linear_cross_entropy import linear_cross_entropy

__all__ = [
    "activation_penalty",
    "adaptive_cross_entropy",
    "decoded_cross_entropy",
    "linear_cross_entropy",
    "sequence_cross_entropy",
]
