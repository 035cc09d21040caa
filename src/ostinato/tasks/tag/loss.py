"""The loss of a tagger: its head's."""

from torch import Tensor

from ostinato.core.batch import Batch
from ostinato.tasks.tag import heads


def tag_loss(output: heads.TaggerOutput, batch: Batch) -> Tensor:
    """Mean negative log-likelihood of the tags `[T, N]`, in nats a word; with a CRF that of whole sequences, over their
    words."""
    return heads.find(output.head).loss(output, batch)
