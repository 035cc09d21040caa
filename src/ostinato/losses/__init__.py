"""(model output, Batch) -> scalar."""

from ostinato.losses.cross_entropy import sequence_cross_entropy
from ostinato.losses.tagging import tag_loss

__all__ = ["sequence_cross_entropy", "tag_loss"]
