"""Accuracy and macro F1 from their definitions, one class at a time."""

import numpy as np
import pytest

from ostinato.tasks.classify.figures import classification_figures, confusion


def f1(expected, found, label):
    """2 precision recall / (precision + recall)."""
    hits = sum(e == f == label for e, f in zip(expected, found, strict=True))
    said, there = sum(f == label for f in found), sum(e == label for e in expected)
    precision, recall = hits / said if said else 0.0, hits / there if there else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_the_definitions(seed):
    draw = np.random.default_rng(seed)
    expected, found = draw.integers(0, 4, 60).tolist(), draw.integers(0, 4, 60).tolist()
    figures = classification_figures(confusion(expected, found, 4))
    assert figures["examples"] == 60
    assert figures["accuracy"] == pytest.approx(np.mean([e == f for e, f in zip(expected, found, strict=True)]))
    assert figures["macro_f1"] == pytest.approx(np.mean([f1(expected, found, label) for label in range(4)]))


def test_rows_are_what_is_true_and_columns_what_was_said():
    counts = confusion([0, 0, 1, 2, 2], [0, 1, 1, 0, 0], 4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]]
    # class 3 neither occurs nor is said: the mean is over three; class 2 is never said: its F1 is 0
    figures = classification_figures(counts)
    assert figures == {
        "examples": 5,
        "accuracy": 0.4,
        "macro_f1": pytest.approx((2 / 5 + 2 / 3 + 0) / 3),
        "distinct": 2,  # classes 0 and 1 are said
        "constant_accuracy": 0.4,  # class 0, or class 2, said of all
    }
