"""Examples in shards: whoever makes them and when, all of them once in an epoch, in batches that are foreseen."""

import os
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.corpora.batches import ShardedBuckets
from ostinato.data.corpora.corpus import divided, survey
from ostinato.data.corpora.pairs import pairs_in_parts
from ostinato.data.corpora.shards import ExampleShards, flat, rows_of
from ostinato.data.sources import ahead
from ostinato.data.text.corpus import cache_folder
from ostinato.data.text.pairs import PairLayout
from tests.unit.data.corpora.lengths import Lengths


@pytest.fixture
def shards(write):
    name = write("".join(f"{'a' * (row % 17 + 1)}\t{row}\n" for row in range(3000)))
    files, reads = pairs_in_parts([name], PairLayout())
    corpus = survey(files, reads, 200, len)
    parts = divided(corpus, 1, 0)
    expected = [int(corpus.examples[members].sum()) for members in parts.shards]
    assert len(expected) == 3
    return ExampleShards(corpus, parts.shards, expected, Lengths())


def numbers(batches, epoch=0):
    return [batches.piece(index, epoch).targets.tolist() for index in range(len(batches))]


def test_every_example_once_in_an_epoch(shards):
    batches = ShardedBuckets(shards, 16)
    first, second = numbers(batches), numbers(batches, 1)
    for found in (first, second):
        assert Counter(one for batch in found for one in batch) == Counter(range(3000))
        assert {len(batch) for batch in found} == {15, 16}
    assert first != second
    assert len(batches) == sum(-(-some // 16) for some in shards.expected)
    # any of them by its number alone, in another process or after it was killed
    other = ShardedBuckets(pickle.loads(pickle.dumps(shards)), 16)
    assert other.piece(150, 1).targets.tolist() == second[150]
    assert other.piece(3).targets.tolist() == first[3]
    assert numbers(ShardedBuckets(shards, 16, seed=2)) != first


def test_shards_come_in_another_order_in_other_epochs(shards):
    batches, owner = ShardedBuckets(shards, 16), {}
    for number in range(shards.count):
        examples = shards.open(number, ())
        for one in examples.batch(np.arange(len(examples.lengths))).targets.tolist():
            owner[one] = number
    orders = {
        tuple(dict.fromkeys(owner[batches.piece(index, epoch).targets[0].item()] for index in range(len(batches))))
        for epoch in range(4)
    }
    assert {tuple(sorted(order)) for order in orders} == {(0, 1, 2)}
    assert len(orders) > 1


def test_batches_hold_examples_of_about_one_length(shards):
    batches = ShardedBuckets(shards, 16)
    spans = [np.ptp(batches.piece(index).lengths.numpy()) for index in range(len(batches))]
    assert np.mean(spans) < 2


def test_processes_share_each_batch(shards):
    whole, parts = ShardedBuckets(shards, 16), [ShardedBuckets(shards, 16, rank=rank, world=2) for rank in range(2)]
    assert len(whole) == len(parts[0])
    for index in (0, 100, len(whole) - 1):
        halves = [part.piece(index, 1) for part in parts]
        together = sorted(one for half in halves for one in half.targets.tolist())
        assert together == sorted(whole.piece(index, 1).targets.tolist())
        assert {half.total for half in halves} == {len(together)}
        assert whole.part(1, 2).piece(index, 1).targets.tolist() == halves[1].targets.tolist()


def test_what_was_expected_otherwise(shards):
    shards.expected = (900, 1200, 1100)
    found = numbers(batches := ShardedBuckets(shards, 16))
    assert len(batches) == 57 + 75 + 69
    assert Counter(one for batch in found for one in batch) == Counter(range(3000))
    shards.expected = (20_000, 1200, 1100)  # far too many: some come several times
    found = numbers(ShardedBuckets(shards, 16))
    assert {one for batch in found for one in batch} == set(range(3000))
    assert all(found)


@pytest.mark.parametrize(("size", "rank", "world"), [(1, 0, 2), (4, 2, 2), (4, 0, 0)])
def test_sizes_that_do_not_go_together(shards, size, rank, world):
    with pytest.raises(ConfigError):
        ShardedBuckets(shards, size, 1, rank, world)


def test_too_few_examples(shards):
    shards.expected = (1, 1000, 1000)
    with pytest.raises(DataError, match="--shard-size"):
        ShardedBuckets(shards, 4, 1, 0, 2)
    with pytest.raises(DataError, match="each batch"):
        ShardedBuckets(shards, 4, 1, 0, 1).part(0, 3)


def test_those_who_want_a_shard_at_once_make_it_once(shards, monkeypatch):
    made = []
    arrays = Lengths.arrays
    monkeypatch.setattr(Lengths, "arrays", lambda self, part: made.append(1) or arrays(self, part))
    others = [pickle.loads(pickle.dumps(shards)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: one.open(1, []).numbers.tolist(), others))
    assert found[1:] == found[:-1]
    assert len(made) == 1


@pytest.mark.slow
def test_the_next_ones_are_made_meanwhile_by_another_process(shards):
    shards.open(0, [2, 1])
    shards.wait()
    assert [shards.file(number).exists() for number in range(3)] == [True] * 3
    assert set(shards._ahead._held) == {0, 1, 2}


def test_a_damaged_one_is_made_anew(shards):
    first, file = shards.open(0, []), shards.file(0)
    for damage in (lambda content: content[: len(content) // 2], lambda content: content[:1000] + b"\1" * 99):
        file.write_bytes(damage(file.read_bytes()))
        again = pickle.loads(pickle.dumps(shards)).open(0, [])
        assert again.numbers.tolist() == first.numbers.tolist()


def test_on_a_full_disk_shards_that_are_done_with_go(write, monkeypatch):
    name = write("".join(f"a\t{row}\n" for row in range(9000)))
    files, reads = pairs_in_parts([name], PairLayout())
    corpus = survey(files, reads, 40, len)
    parts = divided(corpus, 1, 0)
    found = ExampleShards(corpus, parts.shards, [9000 // len(parts.shards)] * len(parts.shards), Lengths())
    assert found.count == 24
    monkeypatch.setattr(ahead, "ROOM", 1 << 60)
    monkeypatch.setattr(ahead, "_made_beside", lambda parts, wanted: [ahead.made(parts, one) for one in wanted])
    batches = ShardedBuckets(found, 64)
    for index in range(len(batches)):
        batches.piece(index)
        found.wait()
        assert len(list(cache_folder().glob("examples-*.npz"))) <= 2 * ahead.AHEAD + 3


def test_what_decides_on_a_shard_is_in_its_name(shards, write):
    names = {shards.file(0)}
    shards.encoding = SimpleNamespace(key="another tokenizer")
    names.add(shards.file(0))
    assert len(names | {shards.file(1)}) == 3


def test_complete_for_another_machine(shards):
    done = []
    whole = pickle.loads(pickle.dumps(shards.complete(lambda *at: done.append(at))))
    assert done[-1] == (3, 3)
    os.unlink(shards.corpus.sources[0].files[0].path)
    assert whole.open(2, [0]).numbers.tolist() == shards.open(2, []).numbers.tolist()


def test_rows_of_unequal_length():
    rows = [np.arange(3), np.arange(0), np.arange(5)]
    assert [row.tolist() for row in rows_of(flat(rows, "a"), "a")] == [row.tolist() for row in rows]
    assert rows_of(flat([], "a"), "a") == []
