"""Attention against the papers' formulas, one query and one sequence at a time, in NumPy."""

import numpy as np
import pytest
import torch

from ostinato.core.errors import ConfigError
from ostinato.layers.attention import Attention

T, S, N, Q = 4, 5, 3, 6
LENGTHS = torch.tensor([5, 2, 0])


def parts(score, memory_size=Q):
    attention = Attention(score, Q, memory_size, attention_size=7).double()
    return attention, torch.randn(T, N, Q).double(), torch.randn(S, N, memory_size).double()


def by_hand(attention, query, memory, length):
    """One sequence: query [T, Q], memory [S, M]; means [T, M] and weights [T, S]."""
    p = {name: tensor.detach().numpy() for name, tensor in attention.named_parameters()}
    means, weights = np.zeros((T, memory.shape[1])), np.zeros((T, S))
    for t in range(T):
        scores = []
        for s in range(length):
            if attention.score == "dot":
                scores.append(query[t] @ memory[s])
            elif attention.score == "general":
                scores.append(query[t] @ p["key.weight"] @ memory[s])
            else:
                hidden = np.tanh(p["query.weight"] @ query[t] + p["query.bias"] + p["key.weight"] @ memory[s])
                scores.append(p["weight"] @ hidden)
        if scores:
            e = np.exp(np.array(scores) - max(scores))
            weights[t, :length] = e / e.sum()
            means[t] = weights[t, :length] @ memory[:length]
    return means, weights


@pytest.mark.parametrize(("score", "memory_size"), [("dot", Q), ("general", Q), ("general", 4), ("additive", 4)])
def test_means_and_weights_are_the_papers(score, memory_size):
    attention, query, memory = parts(score, memory_size)
    found, weights = attention(query, attention.memorize(memory, LENGTHS))
    for n in range(N):
        expected = by_hand(attention, query[:, n].numpy(), memory[:, n].numpy(), int(LENGTHS[n]))
        np.testing.assert_allclose(found[:, n].detach(), expected[0], atol=1e-12)
        np.testing.assert_allclose(weights[:, n].detach(), expected[1], atol=1e-12)


def test_many_sums_are_made_some_at_a_time(monkeypatch):
    attention, query, memory = parts("additive")

    def results():
        x, attention.query.weight.grad = memory.clone().requires_grad_(), None
        mean, weights = attention(query, attention.memorize(x, LENGTHS))
        mean.square().sum().backward()
        return mean, weights, x.grad, attention.query.weight.grad

    whole = results()
    monkeypatch.setattr("ostinato.layers.attention._SUMS", S * N * 7 * 3)  # three queries, then one
    for one, other in zip(results(), whole, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("score", ["dot", "general", "additive"])
def test_what_is_beyond_a_length_changes_neither_result_nor_gradient(score):
    attention, query, memory = parts(score)
    grads = []
    for filler in (0.0, 1e3):
        x = memory.clone()
        for n, length in enumerate(LENGTHS):
            x[length:, n] = filler
        x.requires_grad_()
        attention.zero_grad()
        mean, _ = attention(query, attention.memorize(x, LENGTHS))
        mean.square().sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in attention.parameters())
        beyond = [x.grad[length:, n] for n, length in enumerate(LENGTHS)]
        assert all(not part.any() for part in beyond)
        grads.append((mean.detach(), [p.grad.clone() for p in attention.parameters()]))
    torch.testing.assert_close(grads[0], grads[1])


def test_no_lengths_means_all_steps():
    attention, query, memory = parts("general")
    whole = attention(query, attention.memorize(memory))
    told = attention(query, attention.memorize(memory, torch.full((N,), S)))
    torch.testing.assert_close(whole, told)


def test_selected_memories_are_those_of_the_sequences():
    attention, query, memory = parts("additive")
    rows = torch.tensor([1, 0, 0])
    mean, _ = attention(query[:, rows], attention.memorize(memory, LENGTHS).select(rows))
    whole, _ = attention(query, attention.memorize(memory, LENGTHS))
    torch.testing.assert_close(mean, whole[:, rows])


def test_dot_needs_one_size_and_a_score_that_exists():
    with pytest.raises(ConfigError, match="expected both of one size, got 6 and 4; use 'general'"):
        Attention("dot", 6, 4)
    with pytest.raises(ConfigError, match="expected 'dot', 'general' or 'additive', got 'concat'"):
        Attention("concat", 6, 6)


@pytest.mark.parametrize("score", ["dot", "general", "additive"])
def test_what_the_padding_holds_reaches_nothing(score):
    attention, query, memory = parts(score)
    query.requires_grad_()
    results = []
    for padding in (0.0, float("nan")):
        held = memory.masked_fill(torch.arange(S)[:, None, None] >= LENGTHS[:, None], padding)
        means, weights = attention(query, attention.memorize(held, LENGTHS))
        results.append((means, weights, *torch.autograd.grad(means.sum(), query)))
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)
