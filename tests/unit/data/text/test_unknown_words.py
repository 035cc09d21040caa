"""How many tokens a vocabulary lacks, counted by hand, and when that is told."""

import warnings

import numpy as np
import pytest

from ostinato.data.text.short_texts import learn_from_texts
from ostinato.data.text.unknown_words import unknown_figures, unknown_note, unknown_of, unknown_share, warn_unknown


def test_share_is_of_all_tokens():
    pieces = [np.array([1, 2, 1], np.uint16), np.array([], np.uint16), np.array([5, 0], np.uint16)]
    assert unknown_share(pieces, 1) == 2 / 5
    assert unknown_share([], 1) == 0.0


def test_a_vocabulary_that_is_cut_leaves_out_its_rarest_words():
    texts = ["a a a a b b c d", "a e"]  # 10 words; two of five kept, beside <eos> and <unk>
    words = learn_from_texts(texts, "word", 4)
    assert unknown_of(words.encode_all(texts), words) == {"unknown": 3 / 10}
    pieces = learn_from_texts(texts, "bpe", 300)
    assert unknown_of(pieces.encode_all(["ü"]), pieces) == {}, "bytes are all known"


def test_told_in_words():
    data = {"train": {"unknown": 0.021}, "valid": {"unknown": 0.4}}
    assert unknown_figures(data) == {"unknown": 0.021, "valid_unknown": 0.4}
    assert unknown_note(data) == " (unknown: 2.1% of the tokens to train on, 40.0% of those to validate on)"
    assert unknown_note({"train": {"unknown": 0.0}, "valid": {"unknown": 0.0}}) == ""
    assert unknown_figures({"train": {}, "valid": {}}) == {}, "a run of before"


def test_more_than_a_few_in_a_hundred_are_a_warning():
    with pytest.warns(UserWarning, match=r"a.txt: 42\.0% of the words are unknown to the model: look elsewhere"):
        warn_unknown("a.txt", {"unknown": 0.42}, "word", "look elsewhere")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unknown("a.txt", {"unknown": 0.05}, "char", "")
        warn_unknown("a.txt", {}, "bpe", "")
