"""(model output, Batch) -> scalar."""

from ostinato.losses.cross_entropy import sequence_cross_entropy

__all__ = ["sequence_cross_entropy"]
