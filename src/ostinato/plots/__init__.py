"""Every picture's style, in one place. Needs matplotlib: `pip install 'ostinato[plots]'`."""

from ostinato.plots.alignment import alignment_matrix
from ostinato.plots.training import training_curve

__all__ = ["alignment_matrix", "training_curve"]
