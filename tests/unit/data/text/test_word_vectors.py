"""Vectors of words: against the whole matrix in float64, and by what they say of words used alike."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from ostinato.data.text.word_vectors import WINDOW, word_vectors


def by_hand(texts, V, width):
    """Counts in loops, the matrix in full, a whole singular value decomposition."""
    near = np.zeros((V, V))
    for text in texts:
        for place, word in enumerate(text):
            for other in range(max(0, place - WINDOW), min(len(text), place + WINDOW + 1)):
                if other != place:
                    near[word, text[other]] += 1 / abs(other - place)
    words, contexts = near.sum(1, keepdims=True), near.sum(0) ** 0.75
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(near / (words * contexts / contexts.sum()))
    left, values, _ = np.linalg.svd(np.where(near > 0, np.maximum(information, 0), 0))
    vectors = left[:, :width] * np.sqrt(values[:width])
    used = near.sum(1) > 0
    return vectors / np.sqrt((vectors[used] ** 2).mean()) * used[:, None]


def test_against_the_whole_matrix():
    """By their inner products, since singular vectors have no sign; all of the rank, so that nothing is left out."""
    draw = np.random.default_rng(0)
    texts = [draw.integers(0, 30, size) for size in (200, 1, 0, 150, 7)]
    found, expected = word_vectors(texts, 31, 31).double().numpy(), by_hand(texts, 31, 31)
    assert not found[30].any(), "a word that does not occur"
    assert np.allclose(found @ found.T, expected @ expected.T, atol=1e-4)
    assert np.mean(found[:30] ** 2) == pytest.approx(1, rel=1e-4)
    few = by_hand(texts, 31, 5)
    assert np.allclose(np.abs(word_vectors(texts, 31, 5).numpy()), np.abs(few), atol=0.02)


def test_words_used_alike_are_alike():
    """In half of the sentences words 0 to 4 stand between 5 to 9, in the others 10 to 14 between 15 to 19."""
    draw = np.random.default_rng(1)
    texts = [draw.integers(0, 5, 40) + kind * 10 + np.tile([0, 5], 20) for kind in (0, 1) for _ in range(200)]
    vectors = normalize(word_vectors(texts, 20, 8), dim=1)
    alike = vectors @ vectors.T
    assert alike[:5, :5].min() > 0.8
    assert alike[:10, 10:].max() < 0.5


def test_the_same_each_time_and_wider_than_the_vocabulary():
    texts = [np.arange(6)] * 3
    first = word_vectors(texts, 6, 10)
    assert torch.equal(first, word_vectors(texts, 6, 10))
    assert first.shape == (6, 10)
    assert not first[:, 6:].any()


def test_only_so_many_tokens_are_read(monkeypatch):
    draw = np.random.default_rng(2)
    texts = [draw.integers(0, 9, 20) for _ in range(8)]
    monkeypatch.setattr("ostinato.data.text.word_vectors.MOST_TOKENS", 50)
    found = word_vectors(texts, 9, 4)
    monkeypatch.undo()
    assert torch.equal(found, word_vectors(texts[:3], 9, 4))
    assert not torch.equal(found, word_vectors(texts, 9, 4))


def test_it_says_how_far_it_is():
    told = []
    word_vectors([np.arange(6)] * 3, 6, 2, lambda done, total: told.append((done, total)))
    assert told == [(done, len(told)) for done in range(1, len(told) + 1)]


def test_nothing_stands_near_anything():
    assert not word_vectors([np.arange(1), np.arange(0)], 6, 2).any()
