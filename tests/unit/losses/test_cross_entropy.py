"""The sequence loss against a plain sum over steps of -log_softmax."""

import pytest
import torch

from ostinato.core.batch import Batch
from ostinato.losses import linear_cross_entropy, sequence_cross_entropy

T, N, V = 6, 4, 7


class Scores:
    def __init__(self, scores):
        self.scores = scores

    def logits(self):
        return self.scores


@pytest.fixture
def scores():
    torch.manual_seed(0)
    return (3 * torch.randn(T, N, V, dtype=torch.float64)).requires_grad_()


TARGETS = torch.randint(0, V, (T, N), generator=torch.Generator().manual_seed(1))
WEIGHTS = torch.rand(T, N, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
LENGTHS = torch.tensor([6, 0, 3, 1])


def by_hand(scores, lengths=None, weights=None):
    """One step after the other, in plain arithmetic."""
    total, weight = 0.0, 0.0
    for n in range(N):
        for t in range(T if lengths is None else int(lengths[n])):
            w = 1.0 if weights is None else float(weights[t, n])
            row = scores[t, n]
            total = total + w * (torch.log(torch.exp(row - row.max()).sum()) + row.max() - row[TARGETS[t, n]])
            weight += w
    return total / weight


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weighted"])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "ragged"])
def test_loss_and_gradient_by_hand(scores, lengths, weights):
    ours = sequence_cross_entropy(Scores(scores), Batch(TARGETS, TARGETS, lengths, weights))
    theirs = by_hand(scores, lengths, weights)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(loss, scores)[0] for loss in (ours, theirs)))


def test_only_the_weights_proportions_matter(scores):
    losses = [
        sequence_cross_entropy(Scores(scores), Batch(TARGETS, TARGETS, None, WEIGHTS * by)) for by in (1.0, 1000.0)
    ]
    torch.testing.assert_close(*losses)


def test_whole_lengths_and_even_weights_are_none(scores):
    plain = sequence_cross_entropy(Scores(scores), Batch(TARGETS, TARGETS))
    for more in ({"lengths": torch.full((N,), T)}, {"weights": torch.ones(T, N)}):
        torch.testing.assert_close(sequence_cross_entropy(Scores(scores), Batch(TARGETS, TARGETS, **more)), plain)


@pytest.mark.parametrize("more", [{"weights": torch.zeros(T, N)}, {"lengths": torch.zeros(N, dtype=torch.long)}])
def test_where_nothing_counts_the_loss_and_its_gradient_are_zero(scores, more):
    loss = sequence_cross_entropy(Scores(scores), Batch(TARGETS, TARGETS, **more))
    assert loss == 0
    assert not torch.autograd.grad(loss, scores)[0].any()


@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weighted"])
def test_nothing_in_the_padding_reaches_loss_or_gradient(scores, poison, weights):
    padding = torch.arange(T)[:, None] >= LENGTHS
    clean = sequence_cross_entropy(Scores(scores), Batch(TARGETS, TARGETS, LENGTHS, weights))
    spoilt = scores.detach().masked_fill(padding[..., None], poison).requires_grad_()
    targets = TARGETS.masked_fill(padding, 0)
    weights = None if weights is None else weights.masked_fill(padding, torch.nan)
    loss = sequence_cross_entropy(Scores(spoilt), Batch(targets, targets, LENGTHS, weights))
    torch.testing.assert_close(loss, clean)
    torch.testing.assert_close(torch.autograd.grad(loss, spoilt)[0], torch.autograd.grad(clean, scores)[0])


def test_huge_scores_do_not_overflow():
    scores = torch.tensor([[[1e4, 0.0]], [[0.0, 1e4]]])
    targets = torch.tensor([[0], [0]])
    assert sequence_cross_entropy(Scores(scores), Batch(targets, targets)) == 5000


def test_the_biases_gradient_is_summed_in_short_chains():
    """As exact as the definition's, whose sum over rows torch makes in a tree: one chain of 1,400 rows is not."""
    torch.manual_seed(0)
    words, share = 2000, 1 / (torch.arange(2000) + 2.7)
    hidden, weight, targets = torch.randn(1400, 8), 0.1 * torch.randn(words, 8), torch.multinomial(share, 1400, True)
    found = []
    for dtype in (torch.float32, torch.float64):
        bias = torch.zeros(words, dtype=dtype, requires_grad=True)
        linear_cross_entropy(hidden.to(dtype), weight.to(dtype), bias, targets).backward()
        found.append(bias.grad.double())
    assert (found[0] - found[1]).abs().max() < 1.5e-7 * found[1].abs().max()
