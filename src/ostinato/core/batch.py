"""What `data` hands to a model and to a loss."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Sequences side by side, padded on the right.

    Attributes:
        inputs: `[T, N]` token ids, or `[T, N, D]` features; of a captioner pictures `[N, 3, size, size]`,
            bytes, or features of their P places `[P, N, F]`.
        targets: what is expected: `[T, N]` an id at each step, `[N]` one for each sequence, or whatever the loss wants.
        lengths: `[N]` valid steps of each sequence (of a captioner places); None where all have T.
        weights: `[T, N]` weight of each step in the loss; None for one everywhere.
        more: tensors that only some models read, such as characters of words or a decoder's inputs, by the name of the
            argument that takes them.
        counted: what the loss is a mean over, where that is not the steps: `[N]` sequences for a classifier, a
            decoder's steps.
        total: the same over all processes that share a batch; None where there is one process.
        world: processes that share a batch.
        lr_factor: what a step on this batch multiplies the learning rate by.
        anew: whether it does not go on where the batch before it ended, where batches do: no state is carried into it.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None = None
    weights: Tensor | None = None
    more: Mapping[str, Tensor] = field(default_factory=dict)
    counted: int | None = None
    total: int | None = None
    world: int = 1
    lr_factor: float = 1.0
    anew: bool = False

    @property
    def tokens(self) -> int:
        """What the loss is a mean over: `counted`, or the steps within the lengths."""
        if self.counted is not None:
            return self.counted
        return self.targets.numel() if self.lengths is None else int(self.lengths.sum())

    @property
    def share(self) -> float:
        """Weight of this batch's mean loss in the mean over all processes' batches: 1 where these are equal in size."""
        return self.tokens * self.world / self.total if self.total else 1.0

    def arguments(self) -> dict[str, Any]:
        """What a model is called with besides `inputs`: `lengths`, where there are any, and `more`."""
        return ({} if self.lengths is None else {"lengths": self.lengths}) | dict(self.more)

    def of_several(self, total: int, world: int) -> "Batch":
        """The same batch as one process's part of a larger one."""
        return replace(self, total=total, world=world)

    def with_more(self, **tensors: Tensor) -> "Batch":
        """The same batch with other tensors among `more`."""
        return replace(self, more={**self.more, **tensors})
