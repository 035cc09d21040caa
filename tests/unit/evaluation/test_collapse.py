"""The best constant answer against sacrebleu over all candidates, and when a warning says that answers are alike."""

import random
import warnings

import pytest
from sacrebleu.metrics.bleu import BLEU

from ostinato.evaluation.collapse import constant_bleu, tell_collapsed
from ostinato.tasks.caption.figures import score_captions
from ostinato.tasks.translate.figures import score_translations

WORDS = ["a", "the", "dog", "cat", "man", "runs", "sits", "on", "in", "grass", "water", "red", "big", "with"]


def pictures(count, seed):
    """References of each: two or three captions of one kind of sentence."""
    draw = random.Random(seed)
    return [
        [
            " ".join(draw.choices(WORDS, weights=[9, 6, *[2] * 12], k=draw.randrange(3, 9)))
            for _ in range(draw.choice([2, 3]))
        ]
        for _ in range(count)
    ]


def by_sacrebleu(text, references):
    most = max(map(len, references))
    streams = [[texts[i] if i < len(texts) else None for texts in references] for i in range(most)]
    return BLEU(tokenize="none", force=True).corpus_score([text] * len(references), streams).score


@pytest.mark.parametrize("seed", range(4))
def test_constant_bleu_is_sacrebleus_of_the_best_reference(seed):
    references = pictures(8, seed)
    split = [[text.split() for text in texts] for texts in references]
    every = [by_sacrebleu(text, references) for texts in references for text in texts]
    assert len(every) <= 24  # about as many as are tried
    found = constant_bleu([["nothing"]] * 8, split)
    assert any(found == pytest.approx(score) for score in every)
    assert found >= sorted(every)[-3]
    # an answer that the model gives again and again is tried as well, whatever the references are
    better = ["a", "dog", "runs", "on", "the", "grass"]
    same = constant_bleu([better] * 8, split)
    assert same == pytest.approx(max(found, by_sacrebleu(" ".join(better), references)))


def test_nothing_expected_or_written():
    assert constant_bleu([], []) == 0.0
    assert constant_bleu([[]], [[[]]]) == 0.0
    assert constant_bleu([["a"]], [[["a"]]]) == 0.0, "no 4-gram: sacrebleu's is 0 as well"


def test_captions_that_are_all_the_same_say_so():
    references = [[f"a {colour} dog runs over the grass"] for colour in ("red", "blue", "big", "wet", "old", "tall")]
    with pytest.warns(UserWarning, match="the 6 answers are all the same caption, 'a dog runs over the grass'"):
        figures = score_captions(["a dog runs over the grass"] * 6, references)
    assert figures["distinct"] == 1
    assert figures["constant_bleu4"] >= figures["bleu4"] > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = score_captions([texts[0] for texts in references], references)
    assert (figures["distinct"], figures["bleu4"]) == (6, pytest.approx(100))
    assert figures["constant_bleu4"] < 100


def test_translations_that_are_all_the_same_say_so():
    expected = ["19 May 2001", "3 June 1999", "3 June 1999", "7 July 2020", "1 May 1970"]
    with pytest.warns(UserWarning, match="all the same text"):
        figures = score_translations(["3 June 1999"] * 5, expected)
    assert (figures["distinct"], figures["exact_match"], figures["constant_exact_match"]) == (1, 0.4, 0.4)


@pytest.mark.parametrize(
    ("answers", "expected", "warned"),
    [
        ("aaaaa", "abcde", True),
        ("aaaab", "abcab", False),  # two of three kinds
        ("aaaab", "abcde", True),  # two of five
        ("aaaaa", "aaaaa", False),  # there is but one
        ("aaaa", "abcd", False),  # too few to tell
    ],
)
def test_half_of_the_kinds_may_be_missing(answers, expected, warned):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert tell_collapsed("label", answers, expected, kinds=True) == len(set(answers))
    assert bool(told) == warned
