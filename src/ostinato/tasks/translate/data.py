"""Pairs of texts as ids in batches, for an encoder and a decoder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ostinato.core.batch import Batch
from ostinato.data.batching.buckets import Buckets, Rows, pad_ids
from ostinato.data.batching.splits import evenly
from ostinato.data.corpora.batches import ShardedBuckets
from ostinato.data.corpora.shards import Arrays, flat, rows_of
from ostinato.data.text.tokenizer import TokenIds, Tokenizer

#: Epochs after which scheduled sampling has reached its probability.
SAMPLING_RAMP = 10


@dataclass(frozen=True)
class EncodedPairs:
    """Ids of sources, each with `<eos>` behind it, and of targets, without, which `eos` begins and ends.

    Attributes:
        copied: where words can be copied, what those of each source are called in targets; these then have ids from
            `size` on, too, of words that the vocabulary lacks.
        size: of the targets' vocabulary.
        unknown: id that a decoder reads in the place of such a word.
    """

    sources: list[TokenIds]
    targets: list[TokenIds]
    eos: int = 0
    copied: list[TokenIds] | None = None
    size: int = 0
    unknown: int = 0

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def lengths(self) -> Rows:
        """`[pairs]` what batches are sorted by: the longer side, and by the other where it is equal."""
        both = np.array([[len(s), len(t)] for s, t in zip(self.sources, self.targets, strict=True)], np.int64)
        both = both.reshape(-1, 2)
        return both.max(1) * (both.max(initial=0) + 1) + both.min(1)

    @property
    def counts(self) -> Rows:
        """`[pairs]` tokens to predict: those of the target and its end."""
        return np.array([len(target) + 1 for target in self.targets], np.int64)

    def within(self, longest: int) -> "EncodedPairs":
        """The pairs of which neither side is longer, the `<eos>` aside."""
        both = enumerate(zip(self.sources, self.targets, strict=True))
        return self.select([row for row, (source, target) in both if max(len(source) - 1, len(target)) <= longest])

    def spread(self, most: int) -> "EncodedPairs":
        """At most so many pairs, evenly spaced: files are often sorted by length."""
        if len(self) <= most:
            return self
        return self.select(evenly(len(self), most))

    def select(self, rows: Rows | Sequence[int]) -> "EncodedPairs":
        """The pairs with these numbers."""
        sources, targets = ([side[row] for row in rows] for side in (self.sources, self.targets))
        copied = None if self.copied is None else [self.copied[row] for row in rows]
        return replace(self, sources=sources, targets=targets, copied=copied)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is kept of them in a file."""
        kept = flat(self.sources, "sources") | flat(self.targets, "targets")
        return kept if self.copied is None else kept | flat(self.copied, "copied")

    @classmethod
    def of_arrays(cls, arrays: Arrays, eos: int) -> "EncodedPairs":
        """What `arrays` gave."""
        return cls(rows_of(arrays, "sources"), rows_of(arrays, "targets"), eos)

    def batch(self, rows: Rows) -> Batch:
        """The pairs with these numbers: the decoder reads a target behind `<eos>` and is to write it and `<eos>`."""
        source, lengths = pad_ids([self.sources[row] for row in rows])
        targets, target_lengths = pad_ids([np.append(self.targets[row], self.eos) for row in rows])
        start = torch.full((1, targets.shape[1]), self.eos)
        inputs = torch.cat([start, targets[:-1]])
        more = {"target_inputs": inputs, "target_lengths": target_lengths}
        if self.copied is not None:
            more["target_inputs"] = inputs.masked_fill(inputs >= self.size, self.unknown)
            more["copied"] = pad_ids([self.copied[row] for row in rows])[0]
        return Batch(source, targets, lengths, more=more, counted=int(target_lengths.sum()))


def encode_sources(
    sources: Sequence[str], tokenizer: Tokenizer, *, ends: bool = True, width: int = 0
) -> list[TokenIds]:
    """Ids of texts to read, `<eos>` behind each where it `ends`, padded by blanks to a width in characters."""
    ids = tokenizer.encode_all([source.ljust(width) for source in sources])
    return [np.append(each, np.array(tokenizer.eos_id, each.dtype)) for each in ids] if ends else ids


class Sampled:
    """Batches that also say how often the decoder shall read what it wrote itself: with a probability from 0 to `most`,
    in a straight rise over `SAMPLING_RAMP` epochs (Bengio et al. 2015, arXiv:1506.03099)."""

    carried = False

    def __init__(self, buckets: Buckets | ShardedBuckets, most: float) -> None:
        self._buckets, self._most = buckets, most

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._buckets)

    def part(self, rank: int, world: int) -> "Sampled":
        """The same batches as another process sees them."""
        return Sampled(self._buckets.part(rank, world), self._most)

    def piece(self, index: int, epoch: int = 0) -> Batch:
        """Batch number `index` of an epoch."""
        batch = self._buckets.piece(index, epoch)
        probability = self._most * min(1.0, epoch / SAMPLING_RAMP)
        return batch.with_more(sampling=torch.tensor(probability))
