"""Symbols from classes without alignment: against all paths there are, counted one by one, and against torch's loss."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ostinato.evaluation.edit_distance import edit_distance
from ostinato.losses.alignment import ctc_loss, steps_needed
from ostinato.runtime.alignment import best_path, prefix_beam_search


def said(path):
    """What a path says: repeats merged, blanks left out."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)


def scores(T, classes, seed, sharp=1.0):
    raw = sharp * np.random.default_rng(seed).normal(size=(T, classes))
    return raw - np.log(np.exp(raw).sum(1, keepdims=True))


def by_transcript(rows):
    """Probability of every transcript, as the sum over all paths that say it."""
    found = {}
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        probability = math.exp(sum(rows[t, symbol] for t, symbol in enumerate(path)))
        found[said(path)] = found.get(said(path), 0.0) + probability
    return found


@pytest.mark.parametrize(("T", "classes"), [(1, 2), (3, 3), (5, 3), (4, 4), (6, 2)])
@pytest.mark.parametrize("seed", range(4))
def test_the_search_finds_the_best_of_all_transcripts(T, classes, seed):
    rows = scores(T, classes, seed)
    exact = by_transcript(rows)
    assert sum(exact.values()) == pytest.approx(1)
    found = prefix_beam_search(rows, width=10_000)
    best = max(exact, key=exact.get)
    assert found.symbols == best
    assert found.log_probability == pytest.approx(math.log(exact[best]), rel=1e-9)
    narrow = prefix_beam_search(rows, width=2)
    assert narrow.log_probability <= math.log(exact[narrow.symbols]) + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_the_best_path_is_the_most_probable_one(seed):
    rows = scores(4, 3, seed)
    paths = itertools.product(range(3), repeat=4)
    best = max(paths, key=lambda path: sum(rows[t, symbol] for t, symbol in enumerate(path)))
    found = best_path(rows)
    assert found.symbols == said(best)
    assert found.log_probability == pytest.approx(sum(rows[t, symbol] for t, symbol in enumerate(best)))


def test_where_the_best_path_is_not_the_best_transcript():
    """Two steps of blank 0.6 and symbol 0.4: the path of blanks has 0.36, the three that say the symbol have 0.64."""
    rows = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
    assert best_path(rows).symbols == ()
    found = prefix_beam_search(rows)
    assert (found.symbols, round(math.exp(found.log_probability), 9)) == ((1,), 0.64)
    nothing = np.zeros((0, 3))
    assert best_path(nothing) == prefix_beam_search(nothing) == ((), 0.0)


@pytest.mark.parametrize("target", [(), (1,), (1, 2), (1, 1), (2, 1, 2)])
def test_the_loss_is_that_of_all_paths(target):
    rows = scores(5, 3, 7)
    exact = by_transcript(rows)[target]
    logits = torch.from_numpy(rows)[:, None] + 3.0  # the softmax takes any constant out
    targets = torch.tensor([[*target, 0, 0]])
    loss = ctc_loss(logits, targets, torch.tensor([5]))
    assert float(loss) * max(1, len(target)) == pytest.approx(-math.log(exact), rel=1e-9)
    assert steps_needed([*target]) == len(target) + (target == (1, 1))


def test_padding_counts_nothing_and_what_has_no_path_neither():
    torch.manual_seed(0)
    logits = torch.randn(7, 3, 4, dtype=torch.float64, requires_grad=True)
    targets, lengths = torch.tensor([[1, 2, 3], [2, 0, 0], [1, 1, 0]]), torch.tensor([7, 4, 2])  # 1 1 takes 3 steps
    loss = ctc_loss(logits, targets, lengths)
    each = [
        F.ctc_loss(logits[:T, n].log_softmax(-1), targets[n, :U], torch.tensor(T), torch.tensor(U), reduction="sum")
        for n, T, U in ((0, 7, 3), (1, 4, 1))
    ]
    assert loss.item() == pytest.approx(sum(each).item() / 6)
    loss.backward()
    assert not logits.grad[4:, 1].any()
    assert not logits.grad[:, 2].any()


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("aab", "aab", 0)],
)
def test_edit_distances(one, other, distance):
    assert edit_distance(one, other) == edit_distance(other, one) == distance


def test_edit_distances_by_recursion():
    draw = np.random.default_rng(0)

    def slow(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))

    for _ in range(20):
        a, b = ("".join(draw.choice(list("xyz"), draw.integers(0, 6))) for _ in range(2))
        assert edit_distance(a, b) == slow(a, b)
