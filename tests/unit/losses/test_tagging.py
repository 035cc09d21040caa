"""A tagger's loss with either head."""

import pytest
import torch

from ostinato.core.batch import Batch
from ostinato.layers.crf import CRF, log_likelihood
from ostinato.tasks.tag.heads import TaggerOutput, tag_loss

T, N, K = 5, 3, 4


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


def test_softmax_is_the_mean_over_words():
    emissions, targets, lengths = torch.randn(T, N, K), torch.randint(K, (T, N)), torch.tensor([5, 2, 0])
    loss = tag_loss(TaggerOutput("softmax", emissions, lengths), Batch(emissions, targets, lengths))
    logs = emissions.log_softmax(2)
    each = [float(logs[t, n, targets[t, n]]) for n in range(N) for t in range(int(lengths[n]))]
    assert float(loss) == pytest.approx(-sum(each) / 7, abs=1e-6)


def test_crf_is_the_likelihood_of_sentences_over_their_words():
    emissions, targets, lengths = torch.randn(T, N, K), torch.randint(K, (T, N)), torch.tensor([5, 2, 0])
    chain = CRF(K).chain()
    loss = tag_loss(TaggerOutput("crf", emissions, lengths, chain), Batch(emissions, targets, lengths))
    each = [
        float(log_likelihood(emissions[:t, n : n + 1], chain, targets[:t, n : n + 1]).detach())
        for n, t in ((0, 5), (1, 2))
    ]
    assert float(loss.detach()) == pytest.approx(-sum(each) / 7, abs=1e-6)


def test_a_crf_without_scores_of_neighbours_is_a_softmax():
    emissions, targets = torch.randn(T, N, K), torch.randint(K, (T, N))
    flat = CRF(K)
    for scores in flat.parameters():
        torch.nn.init.zeros_(scores)
    batch = Batch(emissions, targets)
    crf = tag_loss(TaggerOutput("crf", emissions, None, flat.chain()), batch)
    softmax = tag_loss(TaggerOutput("softmax", emissions, None), batch)
    torch.testing.assert_close(crf, softmax)


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_what_weighs_nothing_is_left_out(head):
    emissions, targets, lengths = torch.randn(T, N, K), torch.randint(K, (T, N)), torch.tensor([5, 2, 3])
    chain = CRF(K).chain() if head == "crf" else None
    weights = torch.ones(T, N)
    weights[1, 0] = 0  # a word of the first sentence
    weights[4, 1] = 0  # beyond the second one's end
    loss = tag_loss(TaggerOutput(head, emissions, lengths, chain), Batch(emissions, targets, lengths, weights))
    if head == "crf":  # the sentence
        rest = slice(1, 3)
        output = TaggerOutput("crf", emissions[:, rest], lengths[rest], chain)
        expected = tag_loss(output, Batch(emissions[:, rest], targets[:, rest], lengths[rest]))
    else:  # the word
        logs = emissions.log_softmax(2)
        words = [(t, n) for n in range(N) for t in range(int(lengths[n])) if (t, n) != (1, 0)]
        expected = -sum(logs[t, n, targets[t, n]] for t, n in words) / 9
    torch.testing.assert_close(loss, expected)
