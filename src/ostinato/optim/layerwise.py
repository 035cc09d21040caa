"""Layers that learn at rates of their own, and begin one after the other: fine-tuning as Howard, Ruder (2018) do it."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class LayerWise:
    """What sets the layers of a pretrained model apart (Howard, Ruder 2018, arXiv:1801.06146, section 3.3).

    Attributes:
        levels: parameters by layer, those of the output first.
        divide: discriminative rates: a layer's learning rate is that of the layer above over this.
        unfreeze: gradual unfreezing: share of the training after which each layer begins to learn, counted from when
            the one above did; 0 for all at once.
    """

    levels: Sequence[Sequence[nn.Parameter]]
    divide: float = 1.0
    unfreeze: float = 0.0

    @property
    def shares(self) -> list[tuple[float, Sequence[nn.Parameter]]]:
        """Parameters with what their learning rate is multiplied by."""
        return [(self.divide**-depth, level) for depth, level in enumerate(self.levels)]

    def waiting(self, progress: float) -> list[nn.Parameter]:
        """The parameters that do not learn yet, at a point of the training: 0 is its start and 1 its end."""
        learning = len(self.levels) if self.unfreeze == 0 else 1 + int(progress / self.unfreeze + 1e-9)
        return [parameter for level in self.levels[learning:] for parameter in level]
