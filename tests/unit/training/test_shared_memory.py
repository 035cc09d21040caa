"""Gradients averaged in memory that is shared.

Threads stand in for processes here: they share as those do, and wait for each other outside of Python's lock.
"""

import mmap
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from ostinato.native import library
from ostinato.training.shared_memory import SharedMemory, _Gradients

pytestmark = pytest.mark.skipif(isinstance(library.load(), str), reason="they wait by the native library")

PAGE, ROOM = mmap.PAGESIZE, 1 << 20


def together(size, work):
    """What each of so many finds, by rank: `work(rank, memory, rooms)`."""
    pages, rooms = ([mmap.mmap(-1, length) for _ in range(size)] for length in (PAGE, ROOM))
    with ThreadPoolExecutor(size) as threads:
        started = [threads.submit(work, rank, SharedMemory(rank, pages, {}), rooms) for rank in range(size)]
        return [one.result(timeout=30) for one in started]


def averaged(gradients):
    """The gradients of each after as many exchanges as each has lists of gradients: `gradients[rank][exchange]`."""

    def work(rank, memory, rooms):
        parameters = [nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
        memory._gradients = _Gradients(parameters, rooms, rank)
        found = []
        for own in gradients[rank]:
            for parameter, gradient in zip(parameters, own, strict=True):
                parameter.grad = None if gradient is None else gradient.clone()
            memory.average()
            found.append([p.grad for p in parameters])
        return found

    return together(len(gradients), work)


SHAPES = [(300, 7), (5,), (), (33, 20), (40, 3)]


def random_gradients(seed, sparse=True):
    torch.manual_seed(seed)
    found = [torch.randn(shape) for shape in SHAPES]
    if sparse:
        rows = torch.randint(0, 40, (12,))  # some twice
        found[4] = torch.sparse_coo_tensor(rows.unsqueeze(0), torch.randn(12, 3), (40, 3), check_invariants=False)
    return found


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_mean_of_all_in_each(size):
    gradients = [[random_gradients(10 * rank + exchange) for exchange in range(4)] for rank in range(size)]
    found = averaged(gradients)
    for exchange in range(4):
        for index in range(len(SHAPES)):
            each = [own[exchange][index].to_dense() for own in gradients]
            first = found[0][exchange][index]
            assert first.is_sparse == (index == 4)
            torch.testing.assert_close(first.to_dense(), torch.stack(each).mean(0), rtol=1e-6, atol=1e-7)
            for others in found[1:]:
                assert torch.equal(others[exchange][index].to_dense(), first.to_dense())


@pytest.mark.parametrize("size", [2, 3])
def test_the_norm_of_the_mean_in_each(size):
    gradients = [random_gradients(rank) for rank in range(size)]
    gradients[1][0] = gradients[0][3] = None

    def work(rank, memory, rooms):
        parameters = [nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
        memory._gradients = _Gradients(parameters, rooms, rank)
        for parameter, gradient in zip(parameters, gradients[rank], strict=True):
            parameter.grad = gradient
        return memory.average(), sum(float(p.grad.to_dense().double().square().sum()) for p in parameters) ** 0.5

    found = together(size, work)
    assert len({norm for norm, _ in found}) == 1
    assert found[0][0] == pytest.approx(found[0][1], rel=1e-6)


def test_two_have_the_bits_of_their_sum():
    gradients = [[random_gradients(seed)] for seed in (1, 2)]
    found = averaged(gradients)
    for index in range(len(SHAPES)):
        one, other = (own[0][index].to_dense() for own in gradients)
        assert torch.equal(found[0][0][index].to_dense(), one / 2 + other / 2)


def test_of_a_sparse_gradient_rows_alone_are_exchanged():
    gradients = [[random_gradients(seed)] for seed in (1, 2)]
    rows = {int(row) for own in gradients for row in own[0][4]._indices()[0]}
    found = averaged(gradients)
    assert sorted(rows) == found[1][0][4].indices()[0].tolist()


def test_who_has_none_counts_as_zeros_and_none_at_all_stays_none():
    one, other = random_gradients(1), random_gradients(2)
    one[0] = one[4] = one[2] = other[2] = None
    found = averaged([[one], [other]])
    for own in found:
        assert own[0][2] is None
        assert torch.equal(own[0][0], other[0] / 2)
        assert torch.equal(own[0][4].to_dense(), other[4].to_dense() / 2)


def test_a_transposed_gradient():
    gradients = [[random_gradients(seed, sparse=False)] for seed in (1, 2)]
    for own in gradients:
        own[0][3] = own[0][3].T.contiguous().T
    found = averaged(gradients)
    assert torch.equal(found[1][0][3], gradients[0][0][3] / 2 + gradients[1][0][3] / 2)


def test_everyones_numbers_however_late_they_come():
    def work(rank, memory, _):
        found = []
        for turn in range(50):
            time.sleep(0.002 * (turn % 3 == rank))
            found.append(memory.each(rank + turn, 0.5))
        return found

    for found in together(3, work):
        assert found == [[[turn, 0.5], [turn + 1, 0.5], [turn + 2, 0.5]] for turn in range(50)]


def test_one_that_has_left_is_missed_but_not_by_who_has_met_it():
    pages = [mmap.mmap(-1, PAGE) for _ in range(2)]
    here, there = (SharedMemory(rank, pages, {1 - rank: os.eventfd(0)}) for rank in range(2))
    with ThreadPoolExecutor(1) as threads:
        met = threads.submit(there.meet)
        here.meet()
        met.result()
    there._met += 1
    there._library.meet(there._counts, 2, 1, there._met, 0.0, 0.0)
    there.leave()
    here.meet()
    with pytest.raises(RuntimeError, match="peer 1 has ended"):
        here.meet()


def test_one_that_is_killed_is_missed():
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    pages = [mmap.mmap(-1, PAGE) for _ in range(2)]
    memory = SharedMemory(0, pages, {1: os.pidfd_open(other.pid)})
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(memory.meet)
        time.sleep(0.2)
        assert not waiting.done()
        other.kill()
        with pytest.raises(RuntimeError, match="peer 1 has ended"):
            waiting.result(timeout=10)
    other.wait()
    memory.leave()


def test_one_that_somebody_else_misses():
    memory = SharedMemory(0, [mmap.mmap(-1, PAGE) for _ in range(2)], {}, lost=lambda: True)
    with pytest.raises(RuntimeError, match="peer"):
        memory.meet()
