"""sacrebleu's figures against BLEU counted by hand, and exact match."""

import math

import pytest

from ostinato.tasks.translate.figures import exact_match, score_translations


def test_bleu_is_papinenis_by_hand():
    """12 tokens against 12, the full stop being one: matches 10/12, 7/10, 4/8, 2/6, and no brevity penalty."""
    hypotheses = ["the cat sat on the mat .", "a dog ran home ."]
    references = ["the cat lay on the mat .", "the dog ran home ."]
    figures = score_translations(hypotheses, references)
    precisions = [10 / 12, 7 / 10, 4 / 8, 2 / 6]
    assert figures["bleu"] == pytest.approx(100 * math.prod(precisions) ** 0.25)
    assert figures["examples"] == 2
    assert figures["exact_match"] == 0


def test_signatures_say_how_it_was_computed():
    figures = score_translations(["a"], ["a"])
    assert figures["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert figures["chrf_signature"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")


def test_letters_case_counts_and_the_right_text_is_100():
    right = ["Ein Hund läuft über die Wiese .", "Zwei Männer ."]
    assert score_translations(right, right) | {"bleu": 100, "chrf": 100, "exact_match": 1} == pytest.approx(
        score_translations(right, right)
    )
    assert score_translations([text.lower() for text in right], right)["bleu"] < 50


def test_exact_match_looks_past_padding_only():
    assert exact_match(["91  ", "a b", "a  b", "1"], ["91", "a b", "a b", "2"]) == 0.5
    assert exact_match([], []) == 0
