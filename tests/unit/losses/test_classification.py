"""Against torch's own cross-entropy, and against what balancing means."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from ostinato.core.batch import Batch
from ostinato.tasks.classify.loss import balanced_weights, label_loss

DRAW = torch.Generator().manual_seed(1)
LOGITS = torch.randn(9, 4, generator=DRAW, dtype=torch.float64)
TARGETS = torch.tensor([0, 1, 2, 3, 0, 0, 1, 0, 0])
BATCH = Batch(torch.zeros(2, 9), TARGETS, torch.full((9,), 2), counted=9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_as_torch_has_it(smoothing):
    found = label_loss(smoothing=smoothing)(SimpleNamespace(logits=LOGITS), BATCH)
    torch.testing.assert_close(found, F.cross_entropy(LOGITS, TARGETS, label_smoothing=smoothing))


def test_weights_multiply_each_examples_loss():
    weights = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
    found = label_loss(weights)(SimpleNamespace(logits=LOGITS), BATCH)
    each = [-float(w.log_softmax(0)[t]) * float(weights[t]) for w, t in zip(LOGITS, TARGETS, strict=True)]
    assert float(found) == pytest.approx(sum(each) / 9)


def test_balanced_classes_have_the_same_part():
    counts = torch.tensor([5, 2, 0, 1])
    weights = balanced_weights(counts)
    assert weights.tolist() == pytest.approx([8 / 15, 8 / 6, 0, 8 / 3])
    assert float((weights * counts).sum()) == pytest.approx(8)  # 1 on average, so that the loss keeps its size


def test_one_target_a_row():
    with pytest.raises(ValueError, match="one a row"):
        label_loss()(SimpleNamespace(logits=LOGITS), replace(BATCH, targets=BATCH.targets[:1]))
