"""Greedy and beam search against all sequences there are, counted out, on a toy model of random probabilities."""

import itertools
import math
from typing import NamedTuple

import pytest
import torch

from ostinato.core.errors import ConfigError
from ostinato.decoding import beam_search, greedy_search
from ostinato.decoding.search import length_penalty

V, LIMIT = 4, 3  # token 0 ends


class Rows(NamedTuple):
    """Which sentence a row belongs to, and all it has read: states that were mixed up would show."""

    sentence: torch.Tensor
    read: list

    def select(self, rows, memories=None):
        return Rows(self.sentence[rows], [self.read[row] for row in rows.tolist()])


class Toy:
    """Logits by sentence and by everything written so far, drawn once."""

    def __init__(self, sentences, seed=0):
        self.draw = torch.Generator().manual_seed(seed)
        self.known, self.start = {}, Rows(torch.arange(sentences), [()] * sentences)

    def logits(self, sentence, read):
        if (sentence, read) not in self.known:
            self.known[sentence, read] = torch.randn(V, generator=self.draw) * 1.5
        return self.known[sentence, read]

    def step(self, tokens, state):
        after = [(*read, int(token)) for read, token in zip(state.read, tokens.flatten(), strict=True)]
        logits = [self.logits(int(s), read) for s, read in zip(state.sentence, after, strict=True)]
        return torch.stack(logits).unflatten(0, tokens.shape), Rows(state.sentence, after)

    def log_probability(self, sentence, written, limit):
        """Of some tokens and the end; behind the limit the end is what must come."""
        total, read = 0.0, (0,)
        for token in (*written, 0):
            total += float(self.logits(sentence, read).double().log_softmax(0)[token])
            read = (*read, token)
        return total

    def everything(self, sentence, limit, alpha):
        """Every sequence of at most so many tokens with its score, the best first."""
        scored = []
        for length in range(limit + 1):
            for written in itertools.product(range(1, V), repeat=length):
                score = self.log_probability(sentence, written, limit) / ((5 + length + 1) / 6) ** alpha
                scored.append((score, list(written)))
        return sorted(scored, reverse=True)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 2.5])
def test_a_beam_that_holds_everything_finds_the_best(alpha):
    toy, limits = Toy(6), torch.tensor([3, 3, 2, 0, 3, 1])
    found = beam_search(toy.step, toy.start, limits, width=200, alpha=alpha)
    for sentence, hypotheses in enumerate(found):
        expected = toy.everything(sentence, int(limits[sentence]), alpha)
        assert [one.tokens for one in hypotheses] == [written for _, written in expected]
        assert [one.score for one in hypotheses] == pytest.approx([score for score, _ in expected], abs=1e-5)


def plain_beam(toy, sentence, limit, width, alpha):
    """Beam search as the docstring has it, one sentence at a time."""
    running, ended = [(0.0, [])], []
    while True:
        candidates = []
        for total, written in running:
            scores = toy.logits(sentence, (0, *written)).double().log_softmax(0)
            tokens = range(V) if len(written) < limit else [0]
            candidates += [(total + float(scores[token]), written, token) for token in tokens]
        candidates.sort(key=lambda one: -one[0])
        penalty = ((5 + len(running[0][1]) + 1) / 6) ** alpha
        ended += [(total / penalty, written) for total, written, token in candidates[:width] if token == 0]
        running = [(total, [*written, token]) for total, written, token in candidates[: 2 * width] if token][:width]
        if not running or (len(ended) >= width and max(ended)[0] >= running[0][0] / penalty):
            return [written for _, written in sorted(ended, key=lambda one: -one[0])[:width]]


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_narrow_beam_is_the_same_for_one_sentence_or_many(width):
    toy, limits = Toy(8, seed=3), torch.tensor([6, 3, 5, 6, 1, 0, 6, 4])
    together = beam_search(toy.step, toy.start, limits, width=width, alpha=0.7)
    for sentence, hypotheses in enumerate(together):
        expected = plain_beam(toy, sentence, int(limits[sentence]), width, 0.7)
        assert [one.tokens for one in hypotheses] == expected


def test_greedy_takes_the_best_token_each_time():
    toy, limits = Toy(12, seed=5), torch.tensor([8, 8, 8, 8, 2, 1, 0, 8, 8, 8, 8, 8])
    for sentence, found in enumerate(greedy_search(toy.step, toy.start, limits)):
        written = []
        while len(written) < limits[sentence]:
            token = int(toy.logits(sentence, (0, *written)).argmax())
            if token == 0:
                break
            written.append(token)
        assert found.tokens == written
        assert found.log_probability == pytest.approx(toy.log_probability(sentence, written, 0), abs=1e-5)


def test_what_may_not_come_does_not():
    toy, limits = Toy(5), torch.full((5,), LIMIT)
    for hypotheses in beam_search(toy.step, toy.start, limits, width=50, never={2}):
        assert all(2 not in one.tokens for one in hypotheses)
        assert len(hypotheses) == sum(2**length for length in range(LIMIT + 1))
    assert all(2 not in one.tokens for one in greedy_search(toy.step, toy.start, limits, never={2}))


def test_a_long_hypothesis_gains_by_the_penalty():
    assert length_penalty(1, 0.6) == 1
    assert length_penalty(7, 1.0) == pytest.approx(2)
    assert length_penalty(7, 0.5) == pytest.approx(math.sqrt(2))


def test_no_sentences_and_no_width():
    toy = Toy(0)
    assert beam_search(toy.step, toy.start, torch.zeros(0, dtype=torch.long)) == []
    assert greedy_search(toy.step, toy.start, torch.zeros(0, dtype=torch.long)) == []
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        beam_search(toy.step, toy.start, torch.zeros(0, dtype=torch.long), width=0)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_scores_that_are_no_numbers_come_to_an_end(number):
    calls = []

    def step(tokens, state):
        calls.append(1)
        assert len(calls) < 10, "it would go on for ever"
        logits = torch.zeros(*tokens.shape, V)
        logits[..., 1] = number
        return logits, state

    with pytest.raises(ConfigError, match="beam: expected finite scores"):
        beam_search(step, Toy(1).start, torch.tensor([LIMIT]), width=2)
