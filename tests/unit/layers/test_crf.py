"""The CRF's sums and maxima, against every sequence of tags spelled out."""

import itertools

import pytest
import torch

from ostinato.layers.crf import CRF, FORBIDDEN, Chain, best_path, log_likelihood, log_partition, marginals, path_score

LENGTHS = [4, 0, 1, 3, 2]
T, N, K = 4, len(LENGTHS), 3


@pytest.fixture
def emissions():
    return torch.randn(T, N, K, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2


@pytest.fixture
def chain():
    draw = torch.Generator().manual_seed(2)
    sizes = [(K,), (K, K), (K,)]
    return Chain(*(torch.randn(size, dtype=torch.float64, generator=draw) * 2 for size in sizes))


def score(emissions, chain, tags):
    """Of one sequence `[t, K]`, as the definition has it."""
    if not tags:
        return 0.0
    total = float(chain.start[tags[0]] + chain.end[tags[-1]])
    total += sum(float(emissions[t, tag]) for t, tag in enumerate(tags))
    return total + sum(float(chain.transitions[a, b]) for a, b in itertools.pairwise(tags))


def every_sequence(emissions, chain, length):
    """(tags, score) of each of the K^length sequences."""
    paths = itertools.product(range(K), repeat=length)
    return [(path, score(emissions, chain, path)) for path in paths]


def test_partition_is_the_sum_over_all_sequences(emissions, chain):
    found = log_partition(emissions, chain, torch.tensor(LENGTHS))
    for n, length in enumerate(LENGTHS):
        scores = torch.tensor([s for _, s in every_sequence(emissions[:, n], chain, length)], dtype=torch.float64)
        assert float(found[n]) == pytest.approx(float(scores.logsumexp(0)), abs=1e-10)


def test_probabilities_of_all_sequences_sum_to_one(emissions, chain):
    lengths = torch.tensor(LENGTHS)
    tags = torch.tensor(list(itertools.product(range(K), repeat=T))).T  # [T, K^T]
    for n in range(N):
        each = log_likelihood(
            emissions[:, n : n + 1].expand(T, tags.shape[1], K), chain, tags, lengths[n].expand(tags.shape[1])
        )
        # sequences that differ only beyond the length are the same one
        assert float(each.exp().sum()) == pytest.approx(K ** (T - LENGTHS[n]), abs=1e-9)


def test_best_path_is_the_best_of_all_sequences(emissions, chain):
    found = best_path(emissions, chain, torch.tensor(LENGTHS))
    for n, length in enumerate(LENGTHS):
        best, _ = max(every_sequence(emissions[:, n], chain, length), key=lambda pair: pair[1])
        assert tuple(found[:length, n].tolist()) == best
        assert not found[length:, n].any()


def test_path_score_is_the_definition(emissions, chain):
    tags = torch.randint(K, (T, N), generator=torch.Generator().manual_seed(3))
    found = path_score(emissions, chain, tags, torch.tensor(LENGTHS))
    for n, length in enumerate(LENGTHS):
        assert float(found[n]) == pytest.approx(score(emissions[:, n], chain, tags[:length, n].tolist()), abs=1e-12)


def test_marginals_are_shares_of_all_sequences(emissions, chain):
    found = marginals(emissions, chain, torch.tensor(LENGTHS))
    for n, length in enumerate(LENGTHS):
        expected = torch.zeros(T, K, dtype=torch.float64)
        sequences = every_sequence(emissions[:, n], chain, length)
        total = torch.tensor([s for _, s in sequences], dtype=torch.float64).logsumexp(0)
        for path, s in sequences:
            for t, tag in enumerate(path):
                expected[t, tag] += float((s - total).exp())
        torch.testing.assert_close(found[:, n], expected)


def test_gradient(emissions, chain):
    tags = torch.randint(K, (T, N), generator=torch.Generator().manual_seed(3))
    lengths = torch.tensor(LENGTHS)
    inputs = [emissions.clone().requires_grad_(), *(scores.clone().requires_grad_() for scores in chain)]
    assert torch.autograd.gradcheck(lambda e, *c: log_likelihood(e, Chain(*c), tags, lengths), inputs)


@pytest.mark.parametrize("filling", [7.0, float("nan"), float("inf")])
def test_padding_changes_nothing(emissions, chain, filling):
    tags = torch.randint(K, (T, N), generator=torch.Generator().manual_seed(3))
    lengths = torch.tensor(LENGTHS)
    padded = torch.full((T + 3, N, K), filling, dtype=torch.float64)
    beyond = torch.arange(T + 3)[:, None] >= lengths
    padded[:T] = emissions
    padded[beyond] = filling
    leaf, whole = padded.requires_grad_(), emissions.clone().requires_grad_()
    more_tags = torch.cat([tags, torch.full((3, N), K - 1)])
    far = log_likelihood(leaf, chain, more_tags, lengths)
    near = log_likelihood(whole, chain, tags, lengths)
    torch.testing.assert_close(far, near, rtol=0, atol=1e-12)
    assert torch.equal(best_path(padded, chain, lengths)[:T], best_path(emissions, chain, lengths))
    far.sum().backward()
    near.sum().backward()
    torch.testing.assert_close(leaf.grad[:T], whole.grad, rtol=0, atol=1e-12)
    assert not leaf.grad[beyond].any()


def test_large_scores_do_not_overflow(chain):
    emissions = torch.zeros(50, 1, K) + 1000.0
    flat = Chain(torch.zeros(K), torch.zeros(K, K), torch.zeros(K))
    expected = 50 * (1000.0 + torch.tensor(3.0).log())
    torch.testing.assert_close(log_partition(emissions, flat), expected.reshape(1))


def test_forbidden_transitions_weigh_nothing(emissions, chain):
    """Without 0 -> 1 and without 2 in front: the sums over the sequences that are left."""
    bar = Chain(*(torch.zeros_like(scores) for scores in chain))
    bar.transitions[0, 1] = FORBIDDEN
    bar.start[2] = FORBIDDEN
    barred, lengths = chain.plus(bar), torch.tensor(LENGTHS)
    found, best = log_partition(emissions, barred, lengths), best_path(emissions, barred, lengths)
    for n, length in enumerate(LENGTHS):
        left = [
            (path, s)
            for path, s in every_sequence(emissions[:, n], chain, length)
            if (0, 1) not in itertools.pairwise(path) and path[:1] != (2,)
        ]
        total = torch.tensor([s for _, s in left], dtype=torch.float64).logsumexp(0)
        assert float(found[n]) == pytest.approx(float(total), abs=1e-10)
        assert tuple(best[:length, n].tolist()) == max(left, key=lambda pair: pair[1])[0]


def test_a_layer_learns_what_may_follow_what():
    """Tags 0 1 2 0 1 2 ... from a random start, with emissions that say nothing: only the transitions can tell."""
    torch.manual_seed(0)
    crf = CRF(3)
    optimizer = torch.optim.Adam(crf.parameters(), lr=0.1)
    tags = (torch.arange(9)[:, None] + torch.arange(12)) % 3
    for _ in range(100):
        loss = -crf(torch.zeros(9, 12, 3), tags).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    hint = torch.zeros(9, 3, 3)
    hint[4] = torch.eye(3)  # one step tells where the cycle stands
    found = best_path(hint, crf.chain())
    assert torch.equal(found, (torch.arange(9)[:, None] - 4 + torch.arange(3)) % 3)


def test_nothing():
    crf = CRF(K)
    assert log_partition(torch.zeros(0, 2, K), crf.chain()).tolist() == [0, 0]
    assert crf(torch.zeros(0, 2, K), torch.zeros(0, 2, dtype=torch.long)).tolist() == [0, 0]
    assert best_path(torch.zeros(0, 2, K), crf.chain()).shape == (0, 2)
    assert best_path(torch.zeros(3, 0, K), crf.chain()).shape == (3, 0)


def test_marginals_within_inference_mode(emissions, chain):
    expected = marginals(emissions, chain, torch.tensor(LENGTHS))
    with torch.inference_mode():
        found = marginals(emissions * 1, chain, torch.tensor(LENGTHS))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8])
def test_lengths_of_every_kind(emissions, chain, dtype):
    tags, lengths = torch.zeros(T, N, dtype=torch.long), torch.tensor(LENGTHS)
    expected = log_likelihood(emissions, chain, tags, lengths)
    assert torch.equal(log_likelihood(emissions, chain, tags, lengths.to(dtype)), expected)
    assert torch.equal(best_path(emissions, chain, lengths.to(dtype)), best_path(emissions, chain, lengths))
