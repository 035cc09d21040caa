"""Words of prose: which they are, and what is kept of a long text."""

import re
from collections import Counter

import numpy as np
import pytest

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.text.short_texts import encode_texts, learn_from_texts, shorten
from ostinato.data.text.tokenizer import Tokenizer

TEXTS = ["It's GOOD -- good!<br /><br />", "Not so good, 10/10?", "", "ÄPFEL äpfel 😀 é"]


def by_hand(text):
    """Runs of letters and digits, runs of other signs; the library's pattern, in Python's words."""
    return re.findall(r"\w+|[^\w\s]+", text.lower())


def test_words_the_most_frequent_first():
    tokenizer = learn_from_texts(TEXTS, "word")
    counts = Counter(word for text in TEXTS for word in by_hand(text))
    expected = ["<eos>", "<unk>", *sorted(counts, key=lambda word: (-counts[word], word))]
    assert [tokenizer.token(index) for index in range(tokenizer.size)] == expected
    for text, ids in zip(TEXTS, encode_texts(TEXTS, tokenizer), strict=True):
        assert [tokenizer.token(index) for index in ids] == by_hand(text)
    small = learn_from_texts(TEXTS, "word", 4)
    assert [small.token(index) for index in range(4)] == expected[:4]
    assert encode_texts(["good apples"], small)[0].tolist() == [2, 1]


def test_capitals_may_count():
    tokenizer = learn_from_texts(TEXTS, "word", lowercase=False)
    assert {"GOOD", "good", "It"} <= set(tokenizer.vocabulary)


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_there_and_back_through_its_file(tmp_path, level):
    tokenizer = learn_from_texts(TEXTS, level)
    tokenizer.save(tmp_path / "t.json")
    other = Tokenizer.load(tmp_path / "t.json")
    assert (other.level, other.size) == (level, tokenizer.size)
    for one, two in zip(encode_texts(TEXTS, tokenizer), encode_texts(TEXTS, other), strict=True):
        assert one.tolist() == two.tolist()
    if level != "word":
        assert [tokenizer.decode(ids) for ids in encode_texts(TEXTS, tokenizer)] == TEXTS


def test_of_a_long_text_both_ends_are_kept():
    ids = np.arange(10)
    assert shorten(ids, None).tolist() == shorten(ids, 10).tolist() == list(range(10))
    assert shorten(ids, 5).tolist() == [0, 1, 2, 8, 9]
    assert shorten(ids, 4).tolist() == [0, 1, 8, 9]
    assert shorten(ids, 1).tolist() == [0]
    tokenizer = learn_from_texts(["a b c d"], "word")
    (found,) = encode_texts(["a b c d"], tokenizer, 2)
    assert [tokenizer.token(index) for index in found] == ["a", "d"]


def test_what_cannot_be():
    with pytest.raises(DataError, match="the texts are all empty"):
        learn_from_texts(["", " "], "word")
    with pytest.raises(ConfigError, match="--vocab-size: expected at least 3 for level word, got 2"):
        learn_from_texts(TEXTS, "word", 2)


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_half_of_a_pair_is_learned_as_the_replacement_character(level):
    texts = ["ab \ud83d c", "x y \ufffd"]
    tokenizer = learn_from_texts(texts, level)
    first, second = encode_texts(["\ud83d", "\ufffd"], tokenizer)
    assert tokenizer.decode(second.tolist()) == "\ufffd"
    assert first.tolist() == ([tokenizer.unk_id] if level == "char" else second.tolist())
