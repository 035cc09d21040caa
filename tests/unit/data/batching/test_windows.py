"""Batches of windows: every window, in an order of the seed's, shared out over processes."""

import numpy as np
import pytest
import torch

from ostinato.data.batching.windows import LEAST, MOST, WindowBatches
from ostinato.data.series.reading import SeriesColumns, read_series
from ostinato.data.series.scaling import Transform
from ostinato.data.series.times import Spacing
from ostinato.data.series.windows import Shape, Windows


def windows(count):
    y = np.sin(np.arange(count + 7.0))
    y[5] = np.nan
    series, _ = read_series({"y": y}, SeriesColumns(("y",)), str)
    shape = Shape(4, 3, 1, Spacing("row", 1), (Transform(),))
    return Windows(series, np.ones((1, 1)), shape, [np.arange(4, 4 + count)])


def rows(batches, epoch=0):
    return [batches.rows(index, epoch) for index in range(len(batches))]


def test_few_windows_come_several_times_and_all_of_them_equally_often():
    batches = WindowBatches(windows(30), 8)
    assert len(batches) == LEAST
    times = np.bincount(np.concatenate(rows(batches)), minlength=30)
    assert set(times) <= {LEAST * 8 // 30, LEAST * 8 // 30 + 1}


def test_of_very_many_an_epoch_takes_some_and_none_twice():
    batches = WindowBatches(windows(3000), 8)
    assert len(batches) == MOST
    first, second = (np.concatenate(rows(batches, epoch)) for epoch in (0, 1))
    assert len(set(first)) == len(first) == MOST * 8
    assert set(first) != set(second)


def test_in_between_an_epoch_is_all_of_them():
    batches = WindowBatches(windows(400), 8)
    assert sorted(np.concatenate(rows(batches))) == list(range(400))


def test_the_order_follows_from_seed_and_epoch():
    one, same, other = (WindowBatches(windows(300), 8, seed=seed) for seed in (1, 1, 2))
    rows(one, 3)
    np.testing.assert_array_equal(one.rows(5, 1), same.rows(5, 1))
    assert not np.array_equal(one.rows(5, 1), one.rows(5, 2))
    assert not np.array_equal(one.rows(5, 1), other.rows(5, 1))
    with pytest.raises(IndexError):
        one.piece(len(one))


def test_processes_share_a_batch_by_what_is_known_in_each():
    data = windows(300)
    whole = WindowBatches(data, 8).piece(2)
    parts = [WindowBatches(data, 8, rank=rank, world=2).piece(2) for rank in (0, 1)]
    joined = torch.cat([part.targets for part in parts], dim=1)
    torch.testing.assert_close(joined.sort(dim=1).values, whole.targets.sort(dim=1).values)
    assert sum(part.tokens for part in parts) == whole.tokens
    assert sum(part.share for part in parts) == pytest.approx(2)
