"""Captions as ids, in batches with what is seen."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ostinato.core.batch import Batch
from ostinato.data.batching.buckets import Rows, pad_ids
from ostinato.data.batching.splits import evenly
from ostinato.data.pictures.views import Views
from ostinato.data.text.tokenizer import TokenIds


@dataclass(frozen=True)
class EncodedCaptions:
    """Captions as ids, each with the name of its picture.

    Attributes:
        names: `[captions]`.
        targets: `[captions]` arrays, without `<eos>`.
        views: what is seen.
        eos: the id that begins and ends a caption.
    """

    names: list[str]
    targets: list[TokenIds]
    views: Views
    eos: int = 0

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def counts(self) -> Rows:
        """`[captions]` tokens to predict."""
        return np.array([len(target) + 1 for target in self.targets], np.int64)

    def spread(self, most: int) -> "EncodedCaptions":
        """At most so many of them, evenly spaced."""
        return self if len(self) <= most else self._select(evenly(len(self), most))

    def _select(self, rows: Iterable[int]) -> "EncodedCaptions":
        rows = list(rows)
        return replace(self, names=[self.names[row] for row in rows], targets=[self.targets[row] for row in rows])

    def within(self, longest: int) -> "EncodedCaptions":
        """Those that are not longer."""
        return self._select(row for row, target in enumerate(self.targets) if len(target) <= longest)

    def batch(self, rows: Rows) -> Batch:
        """The captions with these numbers and their pictures."""
        inputs, lengths = self.views.batch([self.names[row] for row in rows])
        targets, target_lengths = pad_ids([np.append(self.targets[row], self.eos) for row in rows])
        shifted = torch.cat([torch.full((1, targets.shape[1]), self.eos), targets[:-1]])
        more = {"target_inputs": shifted, "target_lengths": target_lengths}
        return Batch(inputs, targets, lengths, more=more, counted=int(target_lengths.sum()))
