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

from ostinato.checkpoint.resume_point import load_optimizer, optimizer_tensors
from ostinato.native import library
from ostinato.training.shared_memory import SharedMemory
from ostinato.training.shared_model import SharedModel

pytestmark = pytest.mark.skipif(isinstance(library.load(), str), reason="they wait by the native library")

PAGE, ROOM = mmap.PAGESIZE, 1 << 20


def together(size, work):
    """What each of so many finds, by rank: `work(rank, memory, rooms)`."""
    pages, rooms = ([mmap.mmap(-1, length) for _ in range(size)] for length in (PAGE, ROOM))
    with ThreadPoolExecutor(size) as threads:
        started = [threads.submit(work, rank, SharedMemory(rank, pages, {}), rooms) for rank in range(size)]
        return [one.result(timeout=30) for one in started]


BY_ROWS = 4  #: the last one's gradient may be sparse


def begun(rank, memory, rooms):
    """A model's parameters, all zeros, which the process shares."""
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
    memory._model = SharedModel(parameters, rooms, rank, [index == BY_ROWS for index in range(len(SHAPES))])
    return parameters


def averaged(gradients):
    """What weights have moved by in each process after a step of rate 1, times -1, exchange after exchange; None where
    they had no gradient anywhere. `gradients[rank][exchange]`."""

    def work(rank, memory, rooms):
        parameters = begun(rank, memory, rooms)
        optimizer = torch.optim.SGD(parameters, lr=1.0)
        memory.divide(optimizer)
        found = []
        for own in gradients[rank]:
            with torch.no_grad():
                for parameter, gradient in zip(parameters, own, strict=True):
                    parameter.zero_()
                    parameter.grad = None if gradient is None else gradient.clone()
            memory.average()
            there = [part.grad is not None for part in memory.model.own]
            rows = parameters[BY_ROWS].grad
            optimizer.step()
            memory.spread()
            moved = [-p.detach().clone() if some else None for p, some in zip(parameters, there, strict=True)]
            found.append([*moved, rows])
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
            torch.testing.assert_close(first, torch.stack(each).mean(0), rtol=1e-6, atol=1e-7)
            for others in found[1:]:
                assert torch.equal(others[exchange][index], first)


@pytest.mark.parametrize("size", [2, 3])
def test_the_norm_of_the_mean_in_each(size):
    gradients = [random_gradients(rank) for rank in range(size)]
    gradients[1][0] = gradients[0][3] = None

    def work(rank, memory, rooms):
        for parameter, gradient in zip(begun(rank, memory, rooms), gradients[rank], strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        return memory.average()

    norms = together(size, work)
    total = [sum(own[index].to_dense() for own in gradients if own[index] is not None) for index in range(len(SHAPES))]
    assert len(set(norms)) == 1
    assert norms[0] == pytest.approx(sum(float((one / size).double().square().sum()) for one in total) ** 0.5, rel=1e-6)


@pytest.mark.parametrize("size", [2, 3])
def test_a_dense_gradient_of_what_is_updated_by_rows(size):
    gradients = [[random_gradients(seed, sparse=False)] for seed in range(size)]
    found = averaged(gradients)
    for own in found:
        mean = torch.stack([one[0][BY_ROWS] for one in gradients]).mean(0)
        torch.testing.assert_close(own[0][BY_ROWS], mean, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("size", [2, 3])
def test_adam_in_parts_is_adam_and_what_it_gathered_goes_on_in_one_process_and_comes_back(size):
    gradients = [[random_gradients(10 * rank + step, sparse=False) for step in range(4)] for rank in range(size)]
    gradients[0][1][0] = gradients[1][1][0] = gradients[-1][1][0] = None

    def work(rank, memory, rooms):
        parameters = begun(rank, memory, rooms)

        def fresh():
            made = torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.2, fused=True)
            memory.divide(made)
            return made

        optimizer = fresh()
        for step, own in enumerate(gradients[rank]):
            for parameter, gradient in zip(parameters, own, strict=True):
                parameter.grad = None if gradient is None else gradient.clone()
            memory.average()
            optimizer.step()
            memory.spread()
            if step == 1:  # as if it had been saved, and gone on with
                saved = memory.whole(optimizer, optimizer_tensors(optimizer))
                optimizer = fresh()
                load_optimizer(optimizer, memory.own(optimizer, saved))
        return parameters, memory.whole(optimizer, optimizer_tensors(optimizer))

    found = together(size, work)
    alone = [nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
    optimizer = torch.optim.AdamW(alone, lr=0.1, weight_decay=0.2, fused=True)
    for step in range(4):
        for index, parameter in enumerate(alone):
            each = [own[step][index] for own in gradients]
            parameter.grad = None if each[0] is None else sum(each) / size
        optimizer.step()
    expected = optimizer_tensors(optimizer)
    for parameters, gathered in found:
        assert gathered.keys() == expected.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(gathered[name], tensor)
        for parameter, one, first in zip(parameters, alone, found[0][0], strict=True):
            torch.testing.assert_close(parameter, one)
            assert torch.equal(parameter, first)


def test_two_have_the_bits_of_their_sum():
    gradients = [[random_gradients(seed)] for seed in (1, 2)]
    found = averaged(gradients)
    for index in range(len(SHAPES)):
        one, other = (own[0][index].to_dense() for own in gradients)
        assert torch.equal(found[0][0][index], one / 2 + other / 2)


def test_of_a_sparse_gradient_rows_alone_are_exchanged():
    gradients = [[random_gradients(seed)] for seed in (1, 2)]
    rows = {int(row) for own in gradients for row in own[0][4]._indices()[0]}
    found = averaged(gradients)
    assert sorted(rows) == found[1][0][-1].indices()[0].tolist()


def test_who_has_none_counts_as_zeros_and_none_at_all_stays_none():
    one, other = random_gradients(1), random_gradients(2)
    one[0] = one[4] = one[2] = other[2] = None
    found = averaged([[one], [other]])
    for own in found:
        assert own[0][2] is None
        assert torch.equal(own[0][0], other[0] / 2)
        assert torch.equal(own[0][4], other[4].to_dense() / 2)


def test_a_sparse_gradient_of_what_is_updated_in_parts():
    gradients = [[random_gradients(seed, sparse=False)] for seed in (1, 2)]
    for own in gradients:
        own[0][0] = own[0][0].to_sparse(1)
    found = averaged(gradients)
    assert torch.equal(found[1][0][0], gradients[0][0][0].to_dense() / 2 + gradients[1][0][0].to_dense() / 2)


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
