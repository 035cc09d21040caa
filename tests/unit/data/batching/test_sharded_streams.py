"""Truncated BPTT over shards: what `Streams` gives of each, in as many pieces as were foreseen."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.batching.sharded_streams import ShardedStreams
from ostinato.data.batching.streams import Streams

EOS = 7


class Known:
    """Shards in memory, which were expected to have other lengths than they have."""

    def __init__(self, lengths, expected):
        ends = np.cumsum([0, *lengths])
        self._ids = [np.arange(100 + begin, 100 + end, dtype=np.uint32) for begin, end in pairwise(ends)]
        self.expected, self.asked = list(expected), []

    def __len__(self):
        return sum(self.expected)

    def ids(self, number):
        self.asked.append(number)
        return self._ids[number]


@pytest.mark.parametrize("random", [None, 3])
def test_every_target_once_whatever_was_expected(random):
    batches = ShardedStreams(Known([403, 398, 260], [400, 400, 300]), 4, 20, EOS, random=random)
    assert len(batches) == len(list(map(batches.piece, range(len(batches))))) == (14 if random is None else 16)
    pieces = [batches.piece(k, epoch=1) for k in range(len(batches))]
    assert [k for k, piece in enumerate(pieces) if piece.anew] == ([0, 5, 10] if random is None else [0, 6, 12])
    found = np.sort(torch.cat([piece.targets.flatten() for piece in pieces]).numpy())
    kept = np.concatenate([np.arange(400), 403 + np.arange(396), 801 + np.arange(260)]) + 100
    assert found.tolist() == kept.tolist()
    lengths = {len(piece.targets) for piece in pieces}
    assert lengths <= set(range(15, 22)) if random is None else len(lengths) > 2
    assert all((piece.inputs[1:] == piece.targets[:-1]).all() for piece in pieces)


def test_any_piece_by_its_number_alone():
    one, other = (ShardedStreams(Known([200, 200], [200, 200]), 2, 10, EOS, random=5) for _ in range(2))
    forward = [one.piece(k, epoch) for epoch in (0, 1) for k in range(len(one))]
    backward = [other.piece(k, epoch) for epoch in (1, 0) for k in reversed(range(len(other)))][::-1]
    for a, b in zip(forward, backward, strict=True):
        assert a.targets.equal(b.targets)
    with pytest.raises(IndexError):
        one.piece(len(one))


def test_of_one_shard_as_streams():
    ids = np.arange(100, 500, dtype=np.uint32)
    whole, found = Streams(ids, 4, 20, EOS), ShardedStreams(Known([400], [400]), 4, 20, EOS)
    assert len(whole) == len(found)
    for k in range(5):
        assert whole.piece(k).inputs.equal(found.piece(k).inputs)


def test_processes_have_parts_of_their_own():
    batches = ShardedStreams(Known([90, 100], [100, 100]), 4, 10, EOS)
    parts = [batches.part(rank, 2) for rank in (0, 1)]
    for k in range(len(batches)):
        both = torch.cat([part.piece(k).targets for part in parts], 1)
        assert both.equal(batches.piece(k).targets)
    with pytest.raises(ConfigError, match="cannot be shared by 3"):
        batches.part(0, 3)


def test_a_shard_of_hardly_a_token_is_trained_on_as_well():
    batches = ShardedStreams(Known([3, 100, 0], [100, 100, 100]), 4, 10, EOS)
    assert [len(batches.piece(k).targets) > 0 for k in range(len(batches))] == [True] * 9


def test_shards_shorter_than_a_batch():
    with pytest.raises(
        DataError, match="about 7 tokens, but a batch of 4 needs at least 8; give a larger --shard-size"
    ):
        ShardedStreams(Known([7, 100], [7, 100]), 4, 10, EOS)
