"""Held-out examples: a tenth, the same for the same seed, of every class alike."""

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.batching.splits import held_out


@pytest.mark.parametrize("strata", [None, ["a"] * 70 + ["b"] * 30])
def test_a_tenth_by_the_seed(strata):
    kept, out = held_out(100, 3, strata=strata)
    assert sorted([*kept, *out]) == list(range(100))
    assert (len(out), (np.diff(out) > 0).all(), (np.diff(kept) > 0).all()) == (10, True, True)
    again = held_out(100, 3, strata=strata)
    assert (again[1] == out).all()
    assert (held_out(100, 4, strata=strata)[1] != out).any()


def test_of_every_class_the_same_share():
    strata = np.random.default_rng(1).choice(["a", "b", "c"], 1000, p=[0.6, 0.37, 0.03])
    _, out = held_out(1000, 1, strata=list(strata))
    assert len(out) == 100
    for name in "abc":
        wanted = 0.1 * (strata == name).sum()
        assert abs((strata[out] == name).sum() - wanted) < 1


def test_a_classes_last_example_stays():
    kept, out = held_out(6, 1, share=0.5, strata=["a", "b", "c", "d", "d", "d"])
    assert {0, 1, 2} <= set(kept)
    assert len(out) == 2
    with pytest.raises(DataError, match="second example of at least one class"):
        held_out(3, 1, strata=["a", "b", "c"])


def test_few_examples():
    assert [len(part) for part in held_out(2, 1)] == [1, 1]
    assert [len(part) for part in held_out(40, 1, strata=[0, 1, 2, 3] * 10)] == [36, 4]
    with pytest.raises(DataError, match=r"at least two examples, .* got 1; give --valid"):
        held_out(1, 1)


def test_neighbours_are_held_out_together():
    """4,000 rows of two classes, one after the other: 200 runs of ten in each, the last to be drawn cut short."""
    _, out = held_out(4000, 1, strata=["a"] * 2000 + ["b"] * 2000)
    assert ((out < 2000).sum(), len(out)) == (200, 400)
    tens = {row // 10 for row in out}
    assert len(tens) == 40, "whole tens"
    assert len(held_out(4000, 1)[1]) == 400
    _, few = held_out(300, 1)
    assert len({row // 10 for row in few}) > 15, "few rows are drawn one by one"
