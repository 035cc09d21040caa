"""(model output, Batch) -> scalar."""

from ostinato.losses.cross_entropy import sequence_cross_entropy
from ostinato.losses.forecast import forecast_loss
from ostinato.losses.tagging import tag_loss

__all__ = ["forecast_loss", "sequence_cross_entropy", "tag_loss"]
