import numpy as np
import pytest
import torch

from ostinato.data.batching.buckets import Buckets
from ostinato.data.text.pairs import Pairs
from ostinato.data.text.tokenizer import Tokenizer, char_tokenizer
from ostinato.tasks.translate.codec import PairCodec
from ostinato.tasks.translate.data import EncodedPairs, Sampled, encode_sources

PAIRS = EncodedPairs([np.array(s) for s in ([5, 6, 0], [7, 0], [8, 9, 3, 0])], [np.array(t) for t in ([2], [3, 4], [])])


def test_a_batch_has_the_target_one_step_late_behind_eos():
    batch = PAIRS.batch(np.array([1, 0, 2]))
    assert batch.inputs.T.tolist() == [[7, 0, 0, 0], [5, 6, 0, 0], [8, 9, 3, 0]]
    assert batch.lengths.tolist() == [2, 3, 4]
    assert batch.targets.T.tolist() == [[3, 4, 0], [2, 0, 0], [0, 0, 0]]
    assert batch.more["target_inputs"].T.tolist() == [[0, 3, 4], [0, 2, 0], [0, 0, 0]]
    assert batch.more["target_lengths"].tolist() == [3, 2, 1]
    assert batch.tokens == 6 == PAIRS.counts.sum()


def test_sorted_by_the_longer_side_then_by_the_other():
    assert np.argsort(PAIRS.lengths).tolist() == [1, 0, 2]


def test_longer_pairs_are_left_out_by_either_side():
    assert len(PAIRS.within(3)) == 3
    assert [row.tolist() for row in PAIRS.within(2).sources] == [[5, 6, 0], [7, 0]]
    assert len(EncodedPairs([np.array([7, 0])], [np.array([3, 4])]).within(1)) == 0
    assert len(PAIRS.within(0)) == 0
    assert len(PAIRS.within(0).lengths) == 0


def test_some_pairs_from_everywhere():
    assert PAIRS.spread(3) is PAIRS
    assert [row.tolist() for row in PAIRS.spread(2).sources] == [PAIRS.sources[0].tolist(), PAIRS.sources[2].tolist()]


def test_sources_end_with_eos_and_keep_their_type():
    tokenizer = Tokenizer(char_tokenizer("ab"))
    (ids,) = encode_sources(["ba?"], tokenizer)
    assert ids.tolist() == [3, 2, 1, 0]
    assert ids.dtype == np.uint16
    pairs = PairCodec(tokenizer, tokenizer).encode(Pairs(("a",), ("b",), (), "", 0))
    assert (pairs.sources[0].tolist(), pairs.targets[0].tolist()) == ([2, 0], [3])


def test_scheduled_sampling_rises_over_ten_epochs_and_stays():
    batches = Sampled(Buckets(PAIRS.lengths, 2, PAIRS.batch, counts=PAIRS.counts), 0.5)
    found = [float(batches.piece(0, epoch).more["sampling"]) for epoch in (0, 1, 5, 10, 30)]
    assert found == pytest.approx([0, 0.05, 0.25, 0.5, 0.5])
    assert len(batches) == 2
    plain = Buckets(PAIRS.lengths, 2, PAIRS.batch, counts=PAIRS.counts).piece(1, 3)
    assert torch.equal(batches.piece(1, 3).inputs, plain.inputs)
