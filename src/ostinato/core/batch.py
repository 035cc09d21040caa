"""What `data` hands to a model and to a loss."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Aligned sequences: one target a step.

    Attributes:
        inputs: `[T, N]` token ids, or `[T, N, D]` features.
        targets: `[T, N]` the id expected at each step.
        lengths: `[N]` valid steps of each sequence; None where all have T.
        weights: `[T, N]` weight of each step in the loss; None for one everywhere.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None = None
    weights: Tensor | None = None

    @property
    def tokens(self) -> int:
        """Steps that count: the sum of the lengths."""
        return self.targets.numel() if self.lengths is None else int(self.lengths.sum())
