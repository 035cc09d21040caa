"""Every picture's style, in one place. Needs matplotlib: `pip install 'ostinato[plots]'`."""

from ostinato.plots.training import training_curve

__all__ = ["training_curve"]
