"""Texts where torch is not installed: the same ids as the library's."""

import sys
import unicodedata

import numpy as np
import pytest

from ostinato.core.errors import ConfigError
from ostinato.data.text.short_texts import learn_from_texts
from ostinato.data.text.stream_decoder import StreamDecoder
from ostinato.data.text.tokenizer import Tokenizer as Library
from ostinato.data.text.tokenizer import char_tokenizer, prose_tokenizer, word_tokenizer
from ostinato.runtime import archive, load
from ostinato.runtime.texts import Tokenizer
from tests.support import prose

TEXTS = [
    "",
    "the cat",
    "The CAT, sat?!\n on\x1c a\xa0mat\u3000",
    "café c\u0301af ß İ Σας",
    "<eos> <unk> 中文 test_1 ½",
    "a\ud800b",
]


def both(library):
    return library, Tokenizer(library.to_json(), library.level)


@pytest.mark.parametrize(
    "library",
    [
        Library(char_tokenizer(["a", "c", "t", " ", "é", "\n"])),
        Library(char_tokenizer(["a", "c", "t", "|"])).separating("|"),
        Library(char_tokenizer(["a", "c", "t"])).separating("at"),
        Library(word_tokenizer(["the", "cat", "a", "on", "test_1"])),
        Library(word_tokenizer(["the", "cat"])).separating("sat?!"),
        Library(prose_tokenizer(["the", "cat", ",", "?!", "sat", "ß", "ς", "i\u0307"])),
        Library(prose_tokenizer(["The", "cat", "CAT"], lowercase=False)),
        learn_from_texts([prose(20)], "bpe", 280),
    ],
    ids=["char", "char, separator", "char, long separator", "word", "word, separator", "prose", "capitals", "bpe"],
)
def test_ids_are_the_librarys(library):
    library, ours = both(library)
    assert (ours.size, ours.begin_id, ours.unk_id) == (library.size, library.begin_id, library.unk_id)
    for text in TEXTS:
        assert ours.encode(text) == library.encode(text), text
        if '"Whitespace"' not in library.to_json():  # words of prose, which no prompt is made of
            assert ours.unknown(text) == library.unknown(text), text
    ids = [*library.encode("the cat sat"), 0, *library.encode("a cat")]
    decoders = (StreamDecoder(ours, "a"), library.decoder(after="a"))
    said = ["".join([*map(one.step, ids), one.finish()]) for one in decoders]
    assert said[0] == said[1]


@pytest.mark.parametrize("end", [0x3000, pytest.param(sys.maxunicode, marks=pytest.mark.slow)])
def test_every_character_is_split_as_the_library_does(end):
    library = prose_tokenizer([])
    for low in range(0, end, 4096):
        known = [chr(code) for code in range(low, min(low + 4096, end + 1)) if not 0xD800 <= code < 0xE000]
        text = "\n".join(f"a{one}b {one}{one}." for one in known if unicodedata.category(one) != "Cn")
        lowered = library.normalizer.normalize_str(text)
        split = [word for word, _ in library.pre_tokenizer.pre_tokenize_str(lowered)]
        from ostinato.runtime.texts import _splitter

        assert _splitter({"normalizer": {"type": "Lowercase"}})(text) == split, hex(low)


class TestFiles:
    ABOUT = {"kind": "tagger", "model": {"cell": "lstm"}, "task": "tag"}  # noqa: RUF012

    def test_what_is_no_model(self, tmp_path):
        path = tmp_path / "m.npz"
        for content, message in ((b"PK\3\4 no zip", "damaged or cut off"), (b"", "damaged or cut off")):
            path.write_bytes(content)
            with pytest.raises(ConfigError, match=message):
                load(path)
        np.savez(path, weight=np.zeros(3))
        with pytest.raises(ConfigError, match="expected a model that `ostinato export --to numpy` wrote"):
            load(path)
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            load(tmp_path / "nothing.npz")
        np.savez(path, about=np.array([{"a": 1}], object))
        with pytest.raises(ConfigError, match="damaged or cut off"):
            load(path)

    def test_what_lacks_something(self, tmp_path):
        path = tmp_path / "m.npz"
        archive.write(path, self.ABOUT, {})
        with pytest.raises(ConfigError, match="damaged, it does not hold a tagger: KeyError"):
            load(path)
        archive.write(path, self.ABOUT | {"kind": "oracle"}, {})
        with pytest.raises(ConfigError, match="a oracle, which this version does not know"):
            load(path)
        archive.write(path, self.ABOUT | {"format": 9}, {})
        with pytest.raises(ConfigError, match="expected format 1, got 9"):
            load(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ConfigError, match="damaged or cut off"):
            load(path)
        with pytest.raises(ConfigError, match="a whole model knows its cell"):
            load(path, "lstm")
