"""Batches of unequal length: every example once an epoch, alike in length, the same whoever asks and whenever."""

from itertools import chain

import numpy as np
import pytest
import torch

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.batching.buckets import Buckets, in_length_order, pad_features, pad_ids

LENGTHS = np.random.default_rng(5).integers(1, 200, 1003)


def numbers(rows):
    """A batch that says which examples it has."""
    return Batch(torch.tensor(rows), torch.tensor(rows), counted=len(rows))


def epoch(buckets, number=0):
    return [buckets.piece(index, number).inputs.tolist() for index in range(len(buckets))]


def test_an_epoch_has_every_example_once():
    buckets = Buckets(LENGTHS, 16, numbers)
    assert len(buckets) == 63
    assert buckets.tokens == 1003
    for number in (0, 1, 7):
        batches = epoch(buckets, number)
        assert sorted(chain(*batches)) == list(range(1003))
        assert {len(batch) for batch in batches} == {15, 16}


def test_a_batch_follows_from_its_numbers_and_the_seed_alone():
    whole = {number: epoch(Buckets(LENGTHS, 16, numbers), number) for number in range(3)}
    other = Buckets(LENGTHS, 16, numbers)
    for index, number in [(5, 2), (0, 0), (62, 1), (5, 0)]:
        assert other.piece(index, number).inputs.tolist() == whole[number][index]
    assert whole[0] != whole[1] != whole[2]
    assert epoch(Buckets(LENGTHS, 16, numbers, seed=2)) != whole[0]


def test_lengths_in_a_batch_are_alike_and_long_ones_come_at_any_time():
    buckets = Buckets(LENGTHS, 16, numbers)
    batches = [LENGTHS[batch] for batch in epoch(buckets)]
    padded = sum(batch.max() * len(batch) for batch in batches)
    assert LENGTHS.sum() < padded < 1.06 * LENGTHS.sum()
    assert all((np.diff(batch) <= 0).all() for batch in batches)  # longest first
    longest = np.array([batch.max() for batch in batches])
    assert abs(np.corrcoef(longest, np.arange(63))[0, 1]) < 0.4


def test_which_examples_meet_changes_from_epoch_to_epoch():
    buckets = Buckets(LENGTHS, 16, numbers)
    pairs = [{frozenset((a, b)) for batch in epoch(buckets, n) for a in batch for b in batch if a < b} for n in (0, 1)]
    assert len(pairs[0] & pairs[1]) < 0.5 * len(pairs[0])


def test_an_order_by_hand():
    """Independent of the code: numpy's generator with the same seed, 5 examples in batches of 2, one pool."""
    lengths = [3, 9, 1, 7, 5]
    draw = np.random.default_rng([4, 2])
    draw.permutation(5)
    by_length = [[1, 3], [4, 0], [2]]
    expected = [by_length[place] for place in draw.permutation(3)]
    assert epoch(Buckets(lengths, 2, numbers, seed=4), 2) == expected


def test_processes_share_a_batch_and_its_weight():
    counts = LENGTHS + 1
    whole = Buckets(LENGTHS, 20, numbers)
    parts = [
        Buckets(LENGTHS, 20, lambda rows: Batch(*[torch.tensor(rows)] * 2, counted=int(counts[rows].sum())),
                counts=counts, rank=rank, world=3)
        for rank in range(3)
    ]  # fmt: skip
    for index in (0, 17, 50):
        batches = [part.piece(index, 1) for part in parts]
        assert sorted(chain(*(batch.inputs.tolist() for batch in batches))) == sorted(
            whole.piece(index, 1).inputs.tolist()
        )
        assert max(LENGTHS[batches[0].inputs]) - max(LENGTHS[batches[2].inputs]) < 20
        # mean over all from each process's mean: what averaging gradients over processes does
        values = np.arange(1003.0)
        means = [float((values[b.inputs] * counts[b.inputs]).sum() / b.tokens) for b in batches]
        rows = whole.piece(index, 1).inputs
        expected = float((values[rows] * counts[rows]).sum() / counts[rows].sum())
        found = sum(b.share * mean for b, mean in zip(batches, means, strict=True)) / 3
        assert found == pytest.approx(expected, rel=1e-5)


def test_few_examples():
    assert len(Buckets([3], 16, numbers)) == 1
    assert sorted(len(batch) for batch in epoch(Buckets([1] * 17, 16, numbers))) == [8, 9]
    # 5 examples for 4 processes: one batch, since two would leave a process without any
    parts = [Buckets([1] * 5, 4, numbers, rank=rank, world=4) for rank in range(4)]
    assert {len(part) for part in parts} == {1}
    assert [len(part.piece(0).inputs) for part in parts] == [2, 1, 1, 1]


def test_what_cannot_be():
    with pytest.raises(DataError, match="at least 2 examples, one a process, got 1"):
        Buckets([1], 2, numbers, world=2)
    with pytest.raises(ConfigError, match="at least one example a process, got 1 for 2"):
        Buckets([1, 1], 1, numbers, world=2)
    with pytest.raises(IndexError, match="batch 1 of 1"):
        Buckets([1, 1], 2, numbers).piece(1)


def test_in_length_order():
    batches = list(in_length_order([5, 1, 9, 5, 0], 2))
    assert [batch.tolist() for batch in batches] == [[2, 0], [3, 1], [4]]


def test_padding():
    ids, lengths = pad_ids([[1, 2, 3], [], [4]], padding=7)
    assert ids.tolist() == [[1, 7, 4], [2, 7, 7], [3, 7, 7]]
    assert lengths.tolist() == [3, 0, 1]
    assert ids.is_contiguous()
    assert pad_ids([[], []])[0].shape == (1, 2)
    features, lengths = pad_features([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])])
    assert features.tolist() == [[[1, 2], [3, 4]], [[0, 0], [5, 6]]]
    assert features.dtype == torch.float32
    assert lengths.tolist() == [1, 2]
