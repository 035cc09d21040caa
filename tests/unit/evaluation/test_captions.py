"""CIDEr and BLEU-4 against cases computed by hand."""

import math

import pytest

from ostinato.tasks.caption.figures import caption_words, cider, score_captions

words = str.split
TWO = [[words("a red dog"), words("one red dog")], [words("a blue cat")]]


def test_words_are_small_and_without_punctuation():
    assert caption_words("A man's dog , it isn't  GREEN -- über_all!") == [
        "a",
        "man's",
        "dog",
        "it",
        "isn't",
        "green",
        "über",
        "all",
    ]


def test_the_caption_itself_scores_10_for_each_order_it_has():
    """Three words have no 4-gram: three orders of four. Every picture has "a": it weighs nothing."""
    references = [[words("a red dog")], [words("a blue cat")]]
    assert cider([words("a red dog"), words("a blue cat")], references) == pytest.approx(10 * 3 / 4)


def test_by_hand():
    """Picture 1: "a red cat" against "a red dog" and "one red dog"; picture 2: "a blue cat" against itself.

    With L = log 2, by documents: a in two of two pictures: 0; red, dog, one, blue: L. cat in one: L.
    """
    L = math.log(2)
    # g(c) = a 0, red L, cat L; against "a red dog": red L * L over sqrt(2) L * sqrt(2) L
    unigrams_one = L * L / (math.sqrt(2) * L * math.sqrt(2) * L)
    # against "one red dog": one L, red L, dog L
    unigrams_two = L * L / (math.sqrt(2) * L * math.sqrt(3) * L)
    # bigrams "a red", "red cat" (in no reference: log(2 / max(1, 0)) = L) against "a red", "red dog"
    bigrams_one = L * L / (math.sqrt(2) * L * math.sqrt(2) * L)
    bigrams_two = 0.0  # "one red", "red dog"
    first = 10 * ((unigrams_one + bigrams_one) / 4 + (unigrams_two + bigrams_two) / 4) / 2
    second = 10 * 3 / 4
    found = cider([words("a red cat"), words("a blue cat")], TWO)
    assert found == pytest.approx((first + second) / 2)


def test_repeating_a_word_is_clipped_and_length_costs():
    """Of "red red red red" against "red": min(4 L, L) L / (4 L L) = 1/4, times exp(-9 / 72)."""
    references = [[["red"]], [["blue"]]]
    found = cider([["red"] * 4, ["blue"]], references)
    expected = (10 / 4 * (1 / 4) * math.exp(-9 / 72) + 10 / 4) / 2
    assert found == pytest.approx(expected)


def test_nothing_written_scores_nothing():
    assert cider([[], []], TWO) == 0
    assert cider([["dog"]], [[["dog"]]]) == 0  # of a single picture every word is in every picture


def test_bleu4_takes_the_best_of_several_references_by_hand():
    """Against both references of picture 1 "a red dog runs home" matches 5/5, 4/4, 2/3, 1/2; picture 2 matches all."""
    hypotheses = ["A red dog runs home.", "one cat sits here"]
    references = [["a red dog runs", "The dog runs home"], ["One cat sits here", "a cat", "two cats"]]
    figures = score_captions(hypotheses, references)
    # 1-grams 5+4 of 9, 2-grams 4+3 of 7, 3-grams 3+2 of 5 (dog runs home from the second), 4-grams 1+1 of 3
    # nearest reference lengths 4 and 4, written 9: no brevity penalty
    assert figures["bleu4"] == pytest.approx(100 * (1 * 1 * 1 * 2 / 3) ** 0.25)
    assert figures["examples"] == 2
    assert figures["exact_match"] == 0  # letters count there
    assert figures["cider"] > 0
    assert "tok:none" in figures["bleu4_signature"]
