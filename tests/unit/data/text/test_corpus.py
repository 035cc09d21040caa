"""The cache: used where it is whole, made again where it is not, never in the way."""

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.text import corpus
from ostinato.data.text.corpus import cache_folder, learned_tokenizer, token_ids
from ostinato.data.text.reading import open_text
from ostinato.data.text.tokenizer import Tokenizer

CONTENT = "the cat sat\non the mat\n" * 500


@pytest.fixture
def text(write):
    return open_text(write(CONTENT))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def not_again(monkeypatch):
    """From the call on, tokenizing and learning are errors."""

    def forbid():
        def fail(*args):
            raise AssertionError("tokenized again")

        monkeypatch.setattr(Tokenizer, "encode_blocks", fail)
        monkeypatch.setattr(corpus, "learn_tokenizer", fail)

    return forbid


def made(text, cache, level="word"):
    return token_ids(text, learned_tokenizer(text, level, cache_dir=cache), cache)


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_second_use_maps_the_file(text, cache, level, not_again):
    first = made(text, cache, level)
    assert first.tolist() == learned_tokenizer(text, level).encode(CONTENT)
    not_again()
    second = made(text, cache, level)
    assert isinstance(second, np.memmap)
    assert not second.flags.writeable
    assert (second.dtype, second.tolist()) == (np.uint16, first.tolist())


def test_key_is_content_and_tokenizer(text, cache, write, not_again):
    made(text, cache)
    head, tail = text.split(0.5, "line")
    made(head, cache, "char")
    tokenizer = learned_tokenizer(text, "word", cache_dir=cache)
    limited = learned_tokenizer(text, "word", 4, cache_dir=cache)
    assert token_ids(head, tokenizer, cache).tolist() == tokenizer.encode(CONTENT[: head.characters])
    assert token_ids(text, limited, cache).tolist() == limited.encode(CONTENT)
    not_again()
    made(open_text(write(CONTENT, "copy under another name")), cache)
    with pytest.raises(AssertionError, match="again"):
        token_ids(tail, tokenizer, cache)


@pytest.mark.parametrize(
    "damage",
    [
        lambda ids, record: ids.write_bytes(ids.read_bytes()[:-2]),
        lambda ids, record: ids.write_bytes(ids.read_bytes()[:-1]),
        lambda ids, record: ids.write_bytes(b""),
        lambda ids, record: ids.write_bytes(b"\xff\xff" + ids.read_bytes()[2:]),
        lambda ids, record: ids.unlink(),
        lambda ids, record: record.unlink(),
        lambda ids, record: record.write_bytes(b"{"),
        lambda ids, record: record.write_bytes(b"[]"),
    ],
)
def test_damaged_entry_is_made_again(text, cache, damage, not_again):
    expected = made(text, cache).tolist()
    (ids,) = cache.glob("ids-*.bin")
    damage(ids, ids.with_suffix(".json"))
    assert made(text, cache).tolist() == expected
    not_again()
    assert made(text, cache).tolist() == expected


def test_damaged_tokenizer_is_learned_again(text, cache):
    expected = learned_tokenizer(text, "word", cache_dir=cache)
    (path,) = cache.glob("tokenizer-*.json")
    path.write_bytes(path.read_bytes()[:-20])
    assert learned_tokenizer(text, "word", cache_dir=cache).digest == expected.digest
    assert Tokenizer.load(path).digest == expected.digest


def test_folder_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ostinato"
    monkeypatch.setenv("HOME", "/home/someone")
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == Path("/home/someone/.cache/ostinato")


def test_without_a_cache_a_temporary_file_serves_with_a_warning(text, cache, tmp_path, monkeypatch):
    cache.write_text("a file where the folder should be")
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    tokenizer = learned_tokenizer(text, "word", cache_dir=cache)
    with pytest.warns(UserWarning, match="XDG_CACHE_HOME"):
        ids = token_ids(text, tokenizer, cache)
    assert ids.tolist() == tokenizer.encode(CONTENT)
    assert not list(spare.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.warns(UserWarning, match="temporary file"), pytest.raises(DataError, match="cannot be written"):
        token_ids(text, tokenizer, cache)


def test_interrupted_writing_leaves_nothing(text, cache):
    tokenizer = learned_tokenizer(text, "word", cache_dir=cache)
    before = sorted(cache.iterdir())

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        token_ids(text, tokenizer, cache, interrupt)
    assert sorted(cache.iterdir()) == before


def test_files_left_by_a_killed_process_go_after_a_day(text, cache):
    cache.mkdir()
    for name, age in (("old.tmp", 2 * 86400), ("new.tmp", 60)):
        (cache / name).touch()
        os.utime(cache / name, times=(time.time() - age,) * 2)
    made(text, cache)
    assert [path.name for path in cache.glob("*.tmp")] == ["new.tmp"]


def test_progress_counts_characters_up_to_the_end(write, cache):
    text = open_text([write(CONTENT, "1"), write(CONTENT * 20, "2")])
    seen = []
    token_ids(text, learned_tokenizer(text, "char"), cache, lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == (text.characters, text.characters) == (21 * len(CONTENT),) * 2


def test_two_processes_at_once(text, cache):
    code = (
        "import sys; from ostinato.data.text.reading import open_text; from ostinato.data.text.corpus import *\n"
        "sys.stdin.readline(); text = open_text(sys.argv[1])\n"
        "ids = token_ids(text, learned_tokenizer(text, 'bpe', cache_dir=sys.argv[2]), sys.argv[2])\n"
        "print(ids.tobytes().hex())"
    )
    command = [sys.executable, "-c", code, text.names[0], str(cache)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in both]
    with warnings.catch_warnings(action="error"):
        assert outputs == [made(text, cache, "bpe").tobytes().hex() + "\n"] * 2
    assert not list(cache.glob("*.tmp"))
