"""Tags from scores: with and without the rules of BIO, held against every sequence."""

import itertools

import pytest
import torch

from ostinato.core.span_tags import BIO, SCHEMES
from ostinato.layers.crf import Chain
from ostinato.tasks.tag.codec import span_constraints
from ostinato.tasks.tag.heads import TaggerOutput, decode_tags, tag_probabilities

TAGS = ["O", "B-A", "I-A", "B-B", "I-B"]
T, N, K = 4, 6, len(TAGS)
LENGTHS = torch.tensor([4, 4, 3, 2, 1, 0])


@pytest.fixture(params=["softmax", "crf"])
def output(request):
    draw = torch.Generator().manual_seed(5)
    scores = [torch.randn(size, generator=draw) for size in ((K,), (K, K), (K,))]
    chain = Chain(*scores) if request.param == "crf" else None
    return TaggerOutput(request.param, torch.randn(T, N, K, generator=draw) * 2, LENGTHS, chain)


def best(output, n, keep):
    """Of every sequence, the one with the highest score that `keep` lets pass."""

    def score(tags):
        total = sum(float(output.emissions[t, n, tag]) for t, tag in enumerate(tags))
        if output.chain is None:
            return total
        total += float(output.chain.start[tags[0]] + output.chain.end[tags[-1]])
        return total + sum(float(output.chain.transitions[a, b]) for a, b in itertools.pairwise(tags))

    length = int(LENGTHS[n])
    sequences = itertools.product(range(K), repeat=length)
    return max((s for s in sequences if keep([TAGS[tag] for tag in s])), key=score) if length else ()


@pytest.mark.parametrize("constrained", [False, True])
def test_the_best_of_all_sequences(output, constrained):
    found = decode_tags(output, span_constraints(TAGS) if constrained else None)
    kept = [BIO.keeps([TAGS[tag] for tag in found[:length, n]]) for n, length in enumerate(LENGTHS)]
    assert all(kept) == constrained  # so that the other half of this test says something
    for n, length in enumerate(LENGTHS):
        expected = best(output, n, BIO.keeps if constrained else lambda tags: True)
        assert tuple(found[:length, n].tolist()) == expected
        assert not found[length:, n].any()


def test_probabilities_are_a_distribution_within_the_lengths(output):
    found = tag_probabilities(output)
    inside = (torch.arange(T).unsqueeze(1) < LENGTHS).float()
    torch.testing.assert_close(found.sum(2), inside)
    if output.chain is None:
        torch.testing.assert_close(found, output.emissions.softmax(2) * inside.unsqueeze(2))


def test_without_lengths():
    scores = torch.randn(T, N, K)
    output = TaggerOutput("softmax", scores, None)
    assert torch.equal(decode_tags(output), scores.argmax(2))
    torch.testing.assert_close(tag_probabilities(output), scores.softmax(2))


def test_a_span_that_must_end_does():
    """IOBES: the best of all sequences that keep it, the sentence's end included."""
    iobes, names = SCHEMES[1], ["O", "B-A", "I-A", "E-A", "S-A"]
    scores = torch.randn(4, 20, 5, generator=torch.Generator().manual_seed(6)) * 2
    found = decode_tags(TaggerOutput("softmax", scores, None), span_constraints(names, iobes))
    kept = [s for s in itertools.product(range(5), repeat=4) if iobes.keeps([names[tag] for tag in s])]
    for n in range(20):
        expected = max(kept, key=lambda s: sum(float(scores[t, n, tag]) for t, tag in enumerate(s)))
        assert tuple(found[:, n].tolist()) == expected
