"""Ids and text against plain Python, against the library, and there and back again."""

import json

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.core.errors import DataError
from ostinato.data.text.reading import END, open_text
from ostinato.data.text.tokenizer import Tokenizer, bpe_tokenizer, char_tokenizer, split_words, word_tokenizer
from ostinato.data.text.vocabulary import learn_tokenizer

SAMPLE = "The cat sat on the mat.\n\nDer Bär aß Süßes; 日本語 😀!\n" * 20
LEVELS = ("char", "word", "bpe")
characters = Tokenizer(char_tokenizer("\n abcdeäß日😀"))
words = Tokenizer(word_tokenizer(["the", "cat", "sat", "é", "##x", "x<eos>"]))


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    path = tmp_path_factory.mktemp("learned") / "text"
    path.write_text(SAMPLE, encoding="utf-8")
    return {level: learn_tokenizer(open_text(path), level) for level in LEVELS}


@pytest.fixture(scope="module")
def bytes_only():
    """Byte-level BPE without merges: nearly every id is a part of a character."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(["<eos>", *alphabet])}
    return Tokenizer(bpe_tokenizer(tokenizers.models.BPE(vocabulary, [])))


def joined(tokenizer, blocks):
    return np.concatenate(list(tokenizer.encode_blocks(blocks))).tolist()


@settings(deadline=None)
@given(st.text())
def test_characters_are_looked_up_as_the_library_does(text):
    ids = characters.encode(text)
    assert ids == [characters.vocabulary.get(c, 1) for c in text]
    assert ids == tokenizers.Tokenizer.from_str(characters.to_json()).encode(text).ids
    if not characters.unknown(text):
        assert characters.decode(ids) == text
    assert characters.unknown(text) == list(dict.fromkeys(c for c in text if c not in characters.vocabulary))


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(["the", "cat", "é", "##x", "dog", "<unk>", "x<eos>", "<eos>y"]))))
def test_words_against_split(lines):
    text = "\n".join("  ".join(line) for line in lines) + "\n"
    expected = [words.vocabulary.get(token, 1) for line in lines for token in [*line, "<eos>"]]
    assert words.encode(text) == (expected if lines else [0])
    known = "\n".join(" ".join(w if w in words.vocabulary else "<unk>" for w in line) for line in lines) + "\n"
    assert words.decode(words.encode(text)) == known


@settings(deadline=None)
@given(st.text())
def test_byte_level_bpe_is_exact(learned, text):
    tokenizer = learned["bpe"]
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.unknown(text) == []


@settings(deadline=None)
@given(st.text(alphabet=st.characters()))
def test_words_split_as_the_library_splits_them(text):
    sound = text.encode("utf-8", "replace").decode()
    pieces = tokenizers.pre_tokenizers.WhitespaceSplit().pre_tokenize_str(sound)
    assert split_words(sound) == [piece for piece, _ in pieces]
    assert split_words("a\x1cb\x1fc\u3000d\x85e") == ["a\x1cb\x1fc", "d", "e"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 256)))
def test_bytes_come_as_whole_characters(bytes_only, ids):
    decoder = bytes_only.decoder()
    steps = [decoder.step(token) for token in ids]
    assert "".join(steps) + decoder.finish() == bytes_only.decode(ids)
    assert not any(step.endswith("\ufffd") for step in steps)
    assert decoder.finish() == ""


@settings(deadline=None)
@given(st.text())
def test_streamed_text_is_the_decoded_text(learned, text):
    for level in LEVELS:
        ids = learned[level].encode(text)
        decoder = learned[level].decoder()
        assert "".join(map(decoder.step, ids)) + decoder.finish() == learned[level].decode(ids)


def test_characters_come_as_soon_as_they_are_complete(bytes_only):
    decoder = bytes_only.decoder()
    assert [decoder.step(token) for token in bytes_only.encode("aé😀b")] == ["a", "", "é", "", "", "", "😀", "b"]


def test_words_are_spaced_once():
    ids = words.encode("the cat\nsat")
    assert [*map(words.decoder().step, ids)] == ["the", " cat", "\n", "sat"]
    assert [words.decoder(after=text).step(ids[0]) for text in ("", "a", "a ", "a\n")] == ["the", " the", "the", "the"]


def test_documents_are_parted_by_eos(learned):
    char, word, bpe = (learned[level] for level in LEVELS)
    blocks = ["The c", "at", END, "sat\n"]
    assert joined(char, blocks) == [*char.encode("The cat"), 0, *char.encode("sat\n")]
    assert joined(bpe, blocks) == [*bpe.encode("The c"), *bpe.encode("at"), 0, *bpe.encode("sat\n")]
    blocks = ["The cat\n", "sat", END, "on\n", END, "the\n", "mat."]
    the, cat, sat, on, the_, mat = (word.vocabulary[w] for w in ["The", "cat", "sat", "on", "the", "mat."])
    assert joined(word, blocks) == [the, cat, 0, sat, 0, on, 0, the_, 0, mat, 0]


def test_specials_are_text_where_they_are_not_words(learned):
    assert learned["char"].encode("<eos>") == [1, learned["char"].vocabulary["e"], *learned["char"].encode("os>")]
    assert 0 not in learned["bpe"].encode("<eos>")
    assert words.encode("<eos> <unk> a<unk>b") == [0, 1, 1]
    assert words.unknown("the dog <unk> dog ate\nthe") == ["dog", "ate"]


def test_half_characters_of_a_command_line_are_unknown(learned):
    for level in LEVELS:
        assert learned[level].unknown("cat \udce9") == ["\udce9"]
        learned[level].encode("cat \udce9")


def test_file_is_the_librarys_own(learned, tmp_path):
    for level, tokenizer in learned.items():
        path = tmp_path / f"{level}.json"
        tokenizer.save(path)
        again = Tokenizer.load(path)
        assert (again.level, again.size, again.digest) == (level, tokenizer.size, tokenizer.digest)
        assert (again.eos_id, again.unk_id) == (0, None if level == "bpe" else 1)
        assert again.encode(SAMPLE) == tokenizer.encode(SAMPLE)
        assert tokenizers.Tokenizer.from_file(str(path)).encode(SAMPLE).ids == tokenizer.encode(SAMPLE)


def test_other_files_are_refused(learned, tmp_path):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(DataError, match=r"tokenizer\.json"):
        Tokenizer.load(path)
    foreign = tokenizers.Tokenizer(tokenizers.models.BPE()).to_str()
    data = json.loads(learned["char"].to_json())
    data["model"]["vocab"]["<eos>"], data["model"]["vocab"]["\n"] = 2, 0
    for content in ("", "{}", foreign, learned["char"].to_json()[:-50], json.dumps(data)):
        path.write_text(content)
        with pytest.raises(DataError, match="expected the JSON file of a tokenizer"):
            Tokenizer.load(path)


@pytest.mark.parametrize(("size", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_ids_fit_their_type(size, dtype):
    tokenizer = Tokenizer(word_tokenizer([f"w{index}" for index in range(size - 2)]))
    assert tokenizer.dtype == dtype
    assert joined(tokenizer, [f"w0 w{size - 3}\n"]) == [2, size - 1, 0]


def test_ids_outside_of_the_vocabulary():
    with pytest.raises(DataError, match="token id 99"):
        words.decode([99])
