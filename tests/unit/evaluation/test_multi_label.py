"""Figures and loss of several labels an example, against scikit-learn and the formula."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from ostinato.core.batch import Batch
from ostinato.evaluation.multi_label import multi_label_figures
from ostinato.tasks.classify.loss import labels_loss, rarity


def test_against_scikit_learn():
    draw = np.random.default_rng(0)
    expected, found = draw.random((50, 6)) < 0.3, draw.random((50, 6)) < 0.4
    found[:10] = expected[:10]
    expected[:, 5] = found[:, 5] = False  # a label that neither occurs nor is said
    figures = multi_label_figures(expected, found)
    assert figures["examples"] == 50
    assert figures["accuracy"] == pytest.approx(accuracy_score(expected, found))
    assert figures["micro_f1"] == pytest.approx(f1_score(expected, found, average="micro"))
    assert figures["macro_f1"] == pytest.approx(f1_score(expected[:, :5], found[:, :5], average="macro"))
    assert figures["distinct"] == len(np.unique(found, axis=0))
    sets, counts = np.unique(expected, axis=0, return_counts=True)
    assert figures["constant_accuracy"] == pytest.approx(
        accuracy_score(expected, np.repeat(sets[[counts.argmax()]], 50, axis=0))
    )


def test_nothing_said_and_nothing_there():
    none = np.zeros((3, 2), bool)
    assert multi_label_figures(none, none)["macro_f1"] == 0.0
    assert multi_label_figures(none, none)["accuracy"] == 1.0
    assert multi_label_figures(none[:0], none[:0])["examples"] == 0


def test_loss():
    logits, marks = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[1, 0], [0, 1]])
    batch = Batch(torch.zeros(1, 2), marks, torch.ones(2, dtype=torch.long))
    output = SimpleNamespace(logits=logits)

    def expected(weights, smoothing):
        total = 0.0
        for row, each in enumerate(logits.tolist()):
            for column, score in enumerate(each):
                y = abs(marks[row, column].item() - smoothing / 2)
                p = 1 / (1 + math.exp(-score))
                total -= weights[column] * y * math.log(p) + (1 - y) * math.log(1 - p)
        return total / 4

    assert labels_loss()(output, batch).item() == pytest.approx(expected([1, 1], 0))
    weights = torch.tensor([3.0, 0.5])
    assert labels_loss(weights, 0.2)(output, batch).item() == pytest.approx(expected([3, 0.5], 0.2))
    assert rarity(torch.tensor([1, 1]), 4).tolist() == [3, 3]
    with pytest.raises(ValueError, match="a mark a label"):
        labels_loss()(output, Batch(torch.zeros(1, 2), marks[:, 0], torch.ones(2, dtype=torch.long)))
