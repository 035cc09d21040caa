"""A sentence's tags together, by a conditional random field."""

from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.core.lengths import valid_steps
from ostinato.layers.crf import CRF, Chain, best_path, log_likelihood, marginals
from ostinato.tasks.tag.heads import TaggerOutput


def layer(num_tags: int) -> CRF:
    """The learned scores of neighbours."""
    return CRF(num_tags)


def loss(output: TaggerOutput, batch: Batch) -> Tensor:
    """That of whole sequences, over their words.

    With weights, the sequences that have a step of weight 0 are left out; it knows no other weights than 0 and 1.
    """
    likelihoods = log_likelihood(output.emissions, _chain(output), batch.targets, batch.lengths)
    if batch.weights is None:
        return -likelihoods.sum() / max(batch.tokens, 1)
    T = len(batch.targets)
    steps = batch.targets.new_tensor(T).expand_as(likelihoods) if batch.lengths is None else batch.lengths
    inside = valid_steps(steps, T)
    whole = ((batch.weights > 0) | ~inside).all(0)
    return -likelihoods[whole].sum() / steps[whole].sum().clamp(min=1)


def decode(output: TaggerOutput, constraints: Chain | None) -> Tensor:
    """The best sequence."""
    return best_path(output.emissions, _chain(output).plus(constraints), output.lengths)


def probabilities(output: TaggerOutput) -> Tensor:
    """The marginals."""
    return marginals(output.emissions, _chain(output), output.lengths)


def _chain(output: TaggerOutput) -> Chain:
    assert output.chain is not None
    return output.chain
