"""Vocabularies against plain counts."""

import random
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.text import vocabulary
from ostinato.data.text.reading import open_text
from ostinato.data.text.vocabulary import count_characters, count_words, learn_tokenizer

ENGLISH = "the cat sat on the mat\nthe end <unk> of <unk>\n"


def ranked(tokenizer):
    return sorted(tokenizer.vocabulary, key=tokenizer.vocabulary.__getitem__)


@settings(deadline=None, max_examples=25)  # a high code point costs a count of a million entries
@given(st.lists(st.text()))
def test_characters_are_counted(blocks):
    counts = count_characters(blocks)
    assert {chr(code): n for code, n in enumerate(counts) if n} == Counter("".join(blocks))


def test_characters_by_code_point(write):
    text = open_text(write("zebra äß\n日😀 zz"))
    assert ranked(learn_tokenizer(text, "char")) == ["<eos>", "<unk>", *sorted(set("zebra äß\n日😀"))]
    assert ranked(learn_tokenizer(text, "char", 4)) == ["<eos>", "<unk>", " ", "z"]


def test_words_by_frequency_then_alphabet(write):
    text = open_text(write(ENGLISH))
    assert ranked(learn_tokenizer(text, "word")) == ["<eos>", "<unk>", *["the", "cat", "end", "mat", "of", "on", "sat"]]
    assert ranked(learn_tokenizer(text, "word", 4)) == ["<eos>", "<unk>", "the", "cat"]


def test_bpe_has_all_bytes_and_merges_the_frequent(write):
    tokenizer = learn_tokenizer(open_text(write(ENGLISH * 50)), "bpe", 300)
    assert tokenizer.size <= 300
    assert len([token for token in tokenizer.vocabulary if len(token) == 1]) == 256
    assert len(tokenizer.encode(" the")) == 1
    assert tokenizer.token(0) == "<eos>"


def test_bpe_sample_is_spread_evenly(write, monkeypatch):
    monkeypatch.setattr("ostinato.data.text.reading.BLOCK", 100)
    text = open_text(write("".join(f"{line:09d}\n" for line in range(10_000))))
    taken = list(vocabulary._evenly(text, 10_000))
    assert sum(map(len, taken)) == pytest.approx(10_000, rel=0.02)
    starts = [int(block[:9]) for block in taken]
    assert starts == sorted(starts)
    assert [sum(low <= s < low + 1000 for s in starts) for low in range(0, 10_000, 1000)] == pytest.approx(
        [10] * 10, abs=1
    )
    assert sum(map(len, vocabulary._evenly(text, 10**9))) == text.characters
    russian = open_text(write("да\n" * 10_000))
    assert sum(map(len, vocabulary._evenly(russian, 10_000))) == pytest.approx(10_000 * 3 / 5, rel=0.02)
    assert "".join(vocabulary._evenly(russian, 50_000)) == "да\n" * 10_000


def test_learning_is_the_same_in_every_process(write):
    path = write(ENGLISH * 30 + "some other words for the others\n" * 7)
    code = (
        "import sys; from ostinato.data.text.reading import open_text\n"
        "from ostinato.data.text.vocabulary import learn_tokenizer\n"
        "print([learn_tokenizer(open_text(sys.argv[1]), level).digest for level in ('char', 'word', 'bpe')])"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True).stdout for _ in range(2)
    }
    here = [learn_tokenizer(open_text(path), level).digest for level in ("char", "word", "bpe")]
    assert runs == {f"{here}\n".encode()}


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcdefgh"))), st.integers(4, 20))
def test_counts_are_near_and_few(lines, held):
    blocks = [" ".join(line) for line in lines]
    exact = Counter(" ".join(blocks).split())
    counts = count_words(blocks, held)
    assert len(counts) <= held
    if len(exact) <= held:
        assert counts == exact


def test_frequent_words_survive_a_flood_of_rare_ones():
    draw = random.Random(0)
    blocks, exact = [], Counter()
    for index in range(300):
        words = [f"w{draw.paretovariate(1):.0f}" for _ in range(500)] + [f"n{index}x{rare}" for rare in range(500)]
        exact.update(words)
        blocks.append(" ".join(words))
    counts = count_words(blocks, held=5_000)
    assert len(counts) <= 5_000
    off = [counts[word] - count for word, count in exact.most_common(50)]
    assert min(off) >= 0
    assert max(off) < 0.001 * exact.total()
    assert {word for word, _ in counts.most_common(20)} == {word for word, _ in exact.most_common(20)}


@pytest.mark.parametrize("level", ["char", "bpe"])
def test_one_character_has_nothing_to_predict(write, level):
    with pytest.raises(DataError, match=r"text\.txt: one-character vocabulary: the text holds nothing but 'a'"):
        learn_tokenizer(open_text(write("a" * 1000)), level)


@pytest.mark.parametrize(("level", "least"), [("char", 3), ("word", 3), ("bpe", 257)])
def test_too_small_a_vocabulary(write, level, least):
    text = open_text(write(ENGLISH))
    with pytest.raises(ConfigError, match=f"at least {least}"):
        learn_tokenizer(text, level, least - 1)
    assert learn_tokenizer(text, level, least).size == least


def test_what_was_held_out_is_not_said_to_be_missing(write):
    """Of "ab" the b is held out."""
    train, _ = open_text(write("ab")).split(0.9)
    with pytest.raises(
        DataError, match="part to train on, 1 of 2 characters with the rest held out, holds nothing but 'a'"
    ):
        learn_tokenizer(train, "char")
