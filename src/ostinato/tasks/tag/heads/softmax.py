"""Each tag by itself."""

from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.core.lengths import valid_steps
from ostinato.layers.crf import Chain, best_path
from ostinato.losses.cross_entropy import sequence_cross_entropy
from ostinato.tasks.tag.heads import TaggerOutput


def layer(num_tags: int) -> None:
    """None."""


def loss(output: TaggerOutput, batch: Batch) -> Tensor:
    """The cross-entropy."""
    return sequence_cross_entropy(output, batch)


def decode(output: TaggerOutput, constraints: Chain | None) -> Tensor:
    """Each step's tag by itself, unless constraints tie them together."""
    if constraints is not None:
        # the product of the steps' probabilities: their logarithms, up to a constant, are the emissions
        return best_path(output.emissions, constraints, output.lengths)
    best = output.emissions.argmax(dim=2)
    if output.lengths is None:
        return best
    return best.where(valid_steps(output.lengths, best.shape[0]), 0)


def probabilities(output: TaggerOutput) -> Tensor:
    """The softmax of the scores."""
    each = output.emissions.softmax(dim=2)
    if output.lengths is None:
        return each
    return each.where(valid_steps(output.lengths, each.shape[0]).unsqueeze(2), 0)
