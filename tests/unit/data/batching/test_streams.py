"""Truncated BPTT: every token is predicted once, from the one in front of it."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.batching.streams import Streams, single_stream

EOS = 7


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 8), st.integers(1, 40))
def test_every_target_once_from_the_token_before(tokens, batch, steps):
    ids = np.arange(100, 100 + tokens, dtype=np.uint16)
    if tokens < (1 if batch == 1 else 2 * batch):
        with pytest.raises(DataError, match=f"it has {tokens} tokens"):
            Streams(ids, batch, steps)
        return
    streams = Streams(ids, batch, steps, EOS)
    length = tokens // batch
    pieces = list(streams)
    assert len(pieces) == len(streams) == np.ceil(length / steps)
    assert [len(piece.targets) for piece in pieces[:-1]] == [steps] * (len(pieces) - 1)
    targets = torch.cat([piece.targets for piece in pieces])
    inputs = torch.cat([piece.inputs for piece in pieces])
    assert targets.T.flatten().tolist() == list(range(100, 100 + length * batch))
    assert inputs.T.flatten().tolist() == [EOS, *range(100, 99 + length * batch)]
    assert streams.tokens == sum(piece.tokens for piece in pieces) == length * batch


def test_piece_written_out():
    streams = Streams(np.array([10, 11, 12, 13, 14, 15, 16], np.uint32), 2, 2, EOS)
    first, second = streams.piece(0), streams.piece(1)
    assert first.inputs.tolist() == [[EOS, 12], [10, 13]]
    assert first.targets.tolist() == [[10, 13], [11, 14]]
    assert (second.inputs.tolist(), second.targets.tolist()) == ([[11, 14]], [[12, 15]])
    assert {first.inputs.dtype, first.targets.dtype} == {torch.int64}
    assert first.inputs.is_contiguous()
    assert first.targets.is_contiguous()
    with pytest.raises(IndexError):
        streams.piece(2)


@settings(deadline=None)
@given(st.sampled_from([(4, 2), (6, 3), (6, 1), (5, 5)]), st.integers(20, 100))
def test_processes_share_the_same_streams(sizes, tokens):
    batch, world = sizes
    ids = np.random.default_rng(tokens).integers(0, 1000, tokens).astype(np.uint16)
    whole = Streams(ids, batch, 3, EOS)
    parts = [Streams(ids, batch, 3, EOS, rank, world) for rank in range(world)]
    for piece, *slices in zip(whole, *parts, strict=True):
        assert torch.equal(piece.inputs, torch.cat([part.inputs for part in slices], 1))
        assert torch.equal(piece.targets, torch.cat([part.targets for part in slices], 1))


def test_goes_on_from_a_piece(tmp_path):
    np.arange(1000, dtype=np.uint16).tofile(tmp_path / "ids")
    streams = Streams(np.memmap(tmp_path / "ids", np.uint16, "r"), 4, 16)
    rest = list(streams.pieces(start=10))
    assert len(rest) == len(streams) - 10
    assert torch.equal(rest[0].targets, streams.piece(10).targets)
    rest[0].inputs.add_(1)  # what a piece holds is its own, not the file


def test_single_stream_leaves_nothing_out():
    pieces = list(single_stream(np.arange(23, dtype=np.uint16), 10, EOS))
    assert [tuple(piece.targets.shape) for piece in pieces] == [(10, 1), (10, 1), (3, 1)]
    assert torch.cat([piece.targets for piece in pieces]).flatten().tolist() == list(range(23))


def test_too_short_says_how_much_is_missing():
    with pytest.raises(DataError, match=r"has 39 tokens, but a batch of 20 needs at least 40; .*smaller --batch"):
        Streams(np.zeros(39, np.uint16), 20, 35)
    with pytest.raises(DataError, match="has 0 tokens"):
        single_stream(np.zeros(0, np.uint16), 35)


@pytest.mark.parametrize("sizes", [(0, 1), (1, 0), (4, 1, 0, 0, 3), (4, 1, 0, 2, 2), (4, 1, 0, 0, 0)])
def test_impossible_sizes(sizes):
    with pytest.raises(ConfigError):
        Streams(np.zeros(100, np.uint16), *sizes)


@settings(deadline=None)
@given(st.integers(2, 900), st.sampled_from([20, 35, 70]), st.integers(0, 3))
def test_random_lengths_leave_nothing_out(length, steps, epoch):
    ids = np.arange(100, 100 + 2 * length, dtype=np.uint16)
    streams = Streams(ids, 2, steps, EOS, random=5)
    pieces = [streams.piece(index, epoch) for index in range(len(streams))]
    assert torch.cat([piece.targets for piece in pieces]).T.flatten().tolist() == ids.tolist()
    assert torch.cat([piece.inputs for piece in pieces]).T.flatten().tolist() == [EOS, *ids[:-1].tolist()]
    for piece in pieces:
        assert 1 <= len(piece.targets) < 2 * steps + 10
        assert piece.lr_factor == len(piece.targets) / steps
    again = Streams(ids, 2, steps, EOS, random=5)
    middle = len(streams) // 2
    assert torch.equal(again.piece(middle, epoch).targets, pieces[middle].targets), "without the pieces before"


def test_random_lengths_are_distributed_as_merity_draws_them():
    streams, draw = Streams(np.zeros(2_000_000, np.uint16), 1, 70, random=1), random.Random(0)

    def merity():
        base = 70 if draw.random() < 0.95 else 70 / 2
        return max(5, int(draw.gauss(base, 5)))

    theirs = np.array([merity() for _ in range(len(streams))])
    ours, other = (np.array([len(streams.piece(i, epoch).targets) for i in range(len(streams))]) for epoch in (0, 1))
    assert (ours != other).any()
    assert abs(ours.mean() - theirs.mean()) < 0.7
    assert abs(ours.std() - theirs.std()) < 0.3
    assert abs((ours < 50).mean() - 0.05) < 0.004
    shares = [0.01, 0.025, 0.04, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99]
    assert np.abs(np.quantile(ours, shares) - np.quantile(theirs, shares)).max() < 2


def test_random_lengths_are_the_same_in_all_processes():
    ids = np.arange(4000, dtype=np.uint16)
    whole, part = Streams(ids, 4, 20, EOS, random=2), Streams(ids, 4, 20, EOS, 1, 2, random=2)
    for index in range(len(whole)):
        assert torch.equal(whole.piece(index, 3).targets[:, 2:], part.piece(index, 3).targets)
