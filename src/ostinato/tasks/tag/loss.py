"""The loss of a tagger, with a softmax or a CRF behind it."""

from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.core.lengths import valid_steps
from ostinato.layers.crf import log_likelihood
from ostinato.losses.cross_entropy import sequence_cross_entropy
from ostinato.tasks.tag.model import TaggerOutput


def tag_loss(output: TaggerOutput, batch: Batch) -> Tensor:
    """Mean negative log-likelihood of the tags `[T, N]`, in nats a word; with a CRF that of whole sequences, over their
    words.

    With weights, a CRF leaves out the sequences that have a step of weight 0, and knows no other weights than 0 and 1.
    """
    if output.chain is None:
        return sequence_cross_entropy(output, batch)
    likelihoods = log_likelihood(output.logits(), output.chain, batch.targets, batch.lengths)
    if batch.weights is None:
        return -likelihoods.sum() / max(batch.tokens, 1)
    T = len(batch.targets)
    steps = batch.targets.new_tensor(T).expand_as(likelihoods) if batch.lengths is None else batch.lengths
    inside = valid_steps(steps, T)
    whole = ((batch.weights > 0) | ~inside).all(0)
    return -likelihoods[whole].sum() / steps[whole].sum().clamp(min=1)
