"""The adaptive softmax's loss against torch's module, and the language model with one."""

import pytest
import torch
from torch import nn

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError
from ostinato.losses import adaptive_cross_entropy, sequence_cross_entropy
from ostinato.tasks.lm.figures import mean_loss
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.lm.options import SamplingOptions
from ostinato.tasks.lm.sampling import sample

V, E, T, N = 30, 16, 6, 4
CUTOFFS = (5, 12)


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


@pytest.mark.parametrize("drawn", [V, 12, 5], ids=["all clusters", "one cluster empty", "frequent words alone"])
def test_loss_and_gradients_are_torchs(drawn):
    ours = nn.AdaptiveLogSoftmaxWithLoss(E, V, list(CUTOFFS), head_bias=True).double()
    theirs = nn.AdaptiveLogSoftmaxWithLoss(E, V, list(CUTOFFS), head_bias=True).double()
    theirs.load_state_dict(ours.state_dict())
    hidden, targets = torch.randn(40, E, dtype=torch.float64), torch.randint(0, drawn, (40,))
    weights = torch.rand(40, dtype=torch.float64)
    leaves = [hidden.clone().requires_grad_() for _ in range(2)]
    found = adaptive_cross_entropy(ours, leaves[0], targets, weights)
    expected = -(theirs(leaves[1], targets).output * weights).sum()
    torch.testing.assert_close(found, expected)
    found.backward()
    expected.backward()
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, torch.zeros_like(one) if other.grad is None else other.grad)


def test_a_model_with_it():
    model = LanguageModel(V, E, E, cutoffs=CUTOFFS).double().eval()
    ids = torch.randint(0, V, (T + 1, N))
    output, batch = model(ids[:-1]), Batch(ids[:-1], ids[1:])
    scores = output.logits()
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(T, N, dtype=torch.float64))
    expected = nn.functional.cross_entropy(scores.flatten(0, 1), ids[1:].flatten())
    torch.testing.assert_close(sequence_cross_entropy(output, batch), expected)
    assert mean_loss(model, [batch]) == pytest.approx(expected.item())
    best = list(sample(model, [1], 5, SamplingOptions(greedy=True)))
    read, by_hand = [1], []
    for _ in range(5):
        by_hand.append(int(model.decoder.predict(model(torch.tensor(read)[:, None]).hidden[-1])))
        read.append(by_hand[-1])
    assert best == by_hand


def test_weights_and_lengths():
    model = LanguageModel(V, E, E, cutoffs=CUTOFFS)
    ids, lengths, weights = torch.randint(0, V, (T + 1, N)), torch.tensor([6, 0, 3, 1]), torch.rand(T, N)
    output = model(ids[:-1])
    each = nn.functional.cross_entropy(output.logits().flatten(0, 1), ids[1:].flatten(), reduction="none")
    counted = (weights * (torch.arange(T)[:, None] < lengths)).flatten()
    found = sequence_cross_entropy(output, Batch(ids[:-1], ids[1:], lengths, weights))
    torch.testing.assert_close(found, (each * counted).sum() / counted.sum())
    with pytest.raises(ValueError, match=r"label smoothing: .* got an adaptive softmax"):
        sequence_cross_entropy(output, Batch(ids[:-1], ids[1:]), 0.1)


@pytest.mark.parametrize("cutoffs", [(0, 5), (5, 5), (12, 5), (5, V), (40,)])
def test_impossible_cutoffs(cutoffs):
    with pytest.raises(ConfigError, match="expected ascending numbers between 0 and the vocabulary's 30, got "):
        LanguageModel(V, E, E, cutoffs=cutoffs)


def test_clusters_have_a_width():
    with pytest.raises(ConfigError, match="2 clusters leave nothing of 15"):
        LanguageModel(V, E, 15, cutoffs=CUTOFFS)


def test_tied_it_cannot_be():
    with pytest.raises(ConfigError, match="tied weights: an adaptive softmax has narrower matrices"):
        LanguageModel(V, E, E, cutoffs=CUTOFFS, tied=True)
