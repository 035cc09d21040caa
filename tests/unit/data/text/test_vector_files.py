"""Vectors of words from files, written here byte by byte as GloVe and word2vec.c write them."""

import gzip
import struct

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.text.vector_files import read_vectors, vector_width

VECTORS = {"the": [0.5, -1.25, 3.0], "Cat": [1.0, 2.0, -3.5], "cat": [4.0, 5.0, 6.0], "Mat": [7.0, 8.0, 9.5]}
WORDS = {"the": 2, "cat": 5, "mat": 3, "dog": 4}


def lines():
    return "".join(f"{word} {' '.join(map(str, vector))}\n" for word, vector in VECTORS.items()).encode()


def binary(end=b"\n"):
    """As `fprintf("%s ")` and `fwrite(float)` make it; word2vec.c ends each word with a line's end, others do not."""
    words = (word.encode() + b" " + struct.pack("<3f", *vector) + end for word, vector in VECTORS.items())
    return f"{len(VECTORS)} 3\n".encode() + b"".join(words)


FILES = {
    "glove": lines(),
    "word2vec text": b"4 3\n" + lines(),
    "word2vec binary": binary(),
    "binary without line ends": binary(b""),
    "gzipped": gzip.compress(lines()),
    "gzipped binary": gzip.compress(binary()),
    "windows": lines().replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_vectors_of_known_words(kind, tmp_path):
    """An exact spelling wins over one that differs in capitals; a word that the file lacks has none."""
    file = tmp_path / "vectors"
    file.write_bytes(FILES[kind])
    assert vector_width(str(file)) == 3
    ids, vectors = read_vectors(str(file), WORDS)
    assert ids.tolist() == [2, 3, 5]
    np.testing.assert_array_equal(vectors, [VECTORS["the"], VECTORS["Mat"], VECTORS["cat"]])
    assert vectors.dtype == np.float32


def test_a_word_with_blanks_and_many_buffers(tmp_path):
    draw, file = np.random.default_rng(0), tmp_path / "v.bin"
    table = draw.normal(size=(60_000, 8)).astype("<f4")
    words = [f"w{n}" for n in range(len(table))]
    file.write_bytes(
        b"60000 8\n" + b"".join(w.encode() + b" " + v.tobytes() for w, v in zip(words, table, strict=True))
    )
    told = []
    ids, vectors = read_vectors(str(file), {"w7": 0, "w59999": 1}, lambda done, all_of: told.append(done / all_of))
    np.testing.assert_array_equal(vectors, table[[7, 59_999]])
    assert told == sorted(told)
    assert len(told) == 3
    (tmp_path / "g.txt").write_text("the 1 2\nat name@domain.com 3 4\n")
    ids, vectors = read_vectors(str(tmp_path / "g.txt"), {"the": 1, "at": 2})
    assert (ids.tolist(), vectors.tolist()) == ([1], [[1, 2]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a word and its numbers in each line"),
        (b"once upon a time\n", r"expected a word and its numbers .* found b'once upon a time"),
        (b"the 1 2 3\ncat 1 2\n", r"v:2: expected a word and 3 numbers"),
        (b"the 1 2 3\ncat 1 x 3\n", r"v:2: expected a word and 3 numbers"),
        (b"the 1 nan 3\n", "the vector of 'the' has others"),
        (binary()[:-9], r"ends or is damaged in word 4 of 4"),
        (gzip.compress(lines(), mtime=0)[:-12], "cannot be read"),
    ],
)
def test_files_that_are_none(content, message, tmp_path):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_vectors(str(tmp_path / "v"), WORDS)
    with pytest.raises(DataError, match="--vectors no: cannot be read: No such file"):
        vector_width("no")
