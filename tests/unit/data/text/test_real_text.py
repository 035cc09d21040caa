"""Penn Treebank and tinyshakespeare, against the official counts and plain Python."""

from collections import Counter

import numpy as np
import pytest

from ostinato.data.batching.streams import single_stream
from ostinato.data.text.corpus import learned_tokenizer, token_ids
from ostinato.data.text.reading import open_text


def test_penn_treebank_has_its_official_counts(corpora, tmp_path):
    folder = corpora("ptb")
    tokenizer = learned_tokenizer(open_text(folder / "ptb.train.txt"), "word", cache_dir=tmp_path)
    plain = (folder / "ptb.train.txt").read_text().replace("\n", " <eos> ").split()
    assert tokenizer.size == len(set(plain)) == 10_000
    found = {}
    for part in ("train", "valid", "test"):
        ids = token_ids(open_text(folder / f"ptb.{part}.txt"), tokenizer, tmp_path)
        found[part] = len(ids)
        words = (folder / f"ptb.{part}.txt").read_text().replace("\n", " <eos> ").split()
        assert np.array_equal(ids, [tokenizer.vocabulary[word] for word in words])
    assert found == {"train": 929_589, "valid": 73_760, "test": 82_430}
    ranks = [word for word, _ in sorted(Counter(plain).items(), key=lambda item: (-item[1], item[0]))]
    learned = sorted(tokenizer.vocabulary, key=tokenizer.vocabulary.__getitem__)
    assert learned[2:] == [word for word in ranks if word not in ("<eos>", "<unk>")]
    assert sum(piece.tokens for piece in single_stream(ids, 100)) == 82_430


@pytest.mark.parametrize("level", ["char", pytest.param("bpe", marks=pytest.mark.slow)])
def test_shakespeare_there_and_back(corpora, tmp_path, level):
    path = corpora("tinyshakespeare/input.txt")
    text = open_text(path)
    train, valid = text.split(0.9, "character" if level == "char" else "line")
    tokenizer = learned_tokenizer(train, level, cache_dir=tmp_path)
    parts = [token_ids(part, tokenizer, tmp_path) for part in (train, valid)]
    whole = path.read_text()
    assert "".join(map(tokenizer.decode, parts)) == whole
    if level == "char":
        assert tokenizer.size == 2 + len(set(whole[:1_003_854])) == 67
        assert list(map(len, parts)) == [1_003_854, 111_540]
