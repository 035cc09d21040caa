"""What stands between documents: one token wherever it is found, and between files."""

import numpy as np
import pytest

from ostinato.data.text.corpus import learned_tokenizer, token_ids
from ostinato.data.text.reading import open_text
from ostinato.data.text.tokenizer import Tokenizer

END = "<|end|>"
LEVELS = ("char", "word", "bpe")


@pytest.fixture
def text(tmp_path):
    (tmp_path / "one.txt").write_text(f"a cat sat\n{END}the mat{END}\n")
    (tmp_path / "two.txt").write_text("a mat, the cat\n")
    return open_text([tmp_path / "one.txt", tmp_path / "two.txt"])


@pytest.mark.parametrize("level", LEVELS)
def test_it_is_one_token_of_its_own(text, level, tmp_path):
    tokenizer = learned_tokenizer(text, level, cache_dir=tmp_path, separator=END)
    assert (tokenizer.separator, tokenizer.separator_id, tokenizer.begin_id) == (END, *[tokenizer.size - 1] * 2)
    assert tokenizer.token(tokenizer.separator_id) == END
    assert tokenizer.unknown(f"cat{END}mat") == []
    parts = f"cat{END}mat{END}{END}a".split(END)
    expected = tokenizer.encode(parts[0])
    for part in parts[1:]:
        expected += [tokenizer.separator_id, *tokenizer.encode(part)]
    assert tokenizer.encode(END.join(parts)) == expected
    again = Tokenizer.from_json(tokenizer.to_json())
    assert (again.separator_id, again.digest) == (tokenizer.separator_id, tokenizer.digest)


@pytest.mark.parametrize("level", LEVELS)
def test_the_vocabulary_is_that_of_the_text_without_it(text, level, tmp_path):
    with_it = learned_tokenizer(text, level, cache_dir=tmp_path, separator=END)
    if level != "bpe":
        assert learned_tokenizer(text, level, 6, tmp_path, separator=END).size == 6
    for path in tmp_path.glob("*.txt"):
        path.write_text(path.read_text().replace(END, " "))
    plain = learned_tokenizer(open_text(sorted(tmp_path.glob("*.txt"))), level, cache_dir=tmp_path)
    assert with_it.vocabulary == {**plain.vocabulary, END: plain.size}


def test_a_single_character_may_be_it(text, tmp_path):
    tokenizer = learned_tokenizer(text, "char", cache_dir=tmp_path, separator="\f")
    assert tokenizer.encode("a\fc") == [tokenizer.vocabulary["a"], tokenizer.separator_id, tokenizer.vocabulary["c"]]
    assert tokenizer.decode(tokenizer.encode("a\fc")) == "a\fc"


@pytest.mark.parametrize("level", LEVELS)
def test_files_are_documents(text, level, tmp_path):
    """The first file ends with a separator, behind which there is none more; the second does not."""
    tokenizer = learned_tokenizer(text, level, cache_dir=tmp_path, separator=END)
    ids = token_ids(text, tokenizer, tmp_path)
    assert np.count_nonzero(ids == tokenizer.separator_id) == 2
    other = open_text([tmp_path / "two.txt", tmp_path / "one.txt"])
    ids = token_ids(other, tokenizer, tmp_path)
    assert np.count_nonzero(ids == tokenizer.separator_id) == 3
    assert np.count_nonzero(ids == tokenizer.eos_id) == (3 if level == "word" else 0)
    cut = int(np.flatnonzero(ids == tokenizer.separator_id)[0])
    last = [tokenizer.eos_id] if level == "word" else tokenizer.encode("\n")
    assert ids[cut - len(last) : cut].tolist() == last
