"""A text in shards: together they are the text, whoever makes them, when, and from whatever files."""

import gzip
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.sources import ahead
from ostinato.data.text import corpus, reading
from ostinato.data.text.corpus import learned_tokenizer, token_ids
from ostinato.data.text.reading import Sample, open_text
from ostinato.data.text.shards import Shards
from tests.support import prose

BOOK = prose(3000) + "naïve 고양이 🐈 words\n" * 2000


@pytest.fixture
def places(monkeypatch):
    """Files have places to begin at, and parts to sample, every few kilobytes."""
    monkeypatch.setattr(reading, "_PLACES", 10_000)
    monkeypatch.setattr(reading, "_PART", 200)


def made(text, level="word", size=20_000):
    tokenizer = learned_tokenizer(text, level)
    return Shards(text.shards(size, at="character" if level == "char" else "line"), tokenizer, 1.0)


@pytest.mark.parametrize("level", ["char", "word"])
def test_all_shards_are_the_text(write, places, level):
    text = open_text([write(BOOK), write("another\n" * 900, "b.txt")])
    found = made(text, level)
    assert len(found.texts) == round(text.characters / 20_000) > 5
    whole = token_ids(text, found.tokenizer)
    assert np.concatenate([found.ids(k) for k in range(len(found.texts))]).tolist() == whole.tolist()


@pytest.mark.parametrize("kind", ["plain", "marked", "packed", "utf-16", "old mac"])
def test_windows_of_any_file(write, places, kind, documents, monkeypatch):
    text = BOOK.replace("\n", "\r") if kind == "old mac" else BOOK
    content = text.encode({"utf-16": "utf-16", "marked": "utf-8-sig"}.get(kind, "utf-8"))
    name = write(gzip.compress(content) if kind == "packed" else content)
    with reading_as("utf-16" if kind == "utf-16" else None):
        found = open_text(name)
    assert bool(found.documents[0].places) == (kind in ("plain", "marked"))
    monkeypatch.setattr(reading, "_WORTH_A_COPY", 1000)
    for one in (found, found.seekable()):
        assert documents(one) == [BOOK]
        assert one.digest == found.digest
        for start, stop in [(0, 7), (9_999, 10_001), (25_000, 80_000), (len(BOOK) - 1, len(BOOK))]:
            assert documents(one._part(start, stop)) == [BOOK[start:stop]]
    assert found.seekable().documents[0].places


def reading_as(encoding):
    from ostinato.data.sources.encodings import read_as

    return read_as(encoding)


def test_only_what_is_wanted_of_a_long_file_is_read(write, places, monkeypatch):
    text, passed = open_text(write(BOOK)), []
    chunks = reading.TextFile._chunks

    def counted(self, start=0):
        for chunk in chunks(self, start):
            passed.append(len(chunk))
            yield chunk

    monkeypatch.setattr(reading.TextFile, "_chunks", counted)
    at = len(BOOK) - 100
    assert "".join(text._part(at, at + 50).blocks()) == BOOK[at : at + 50]
    assert sum(passed) < 20_000 < len(BOOK)


def test_a_sample_is_spread_over_the_text(write, places):
    text = open_text(write(BOOK))
    sample = Sample.of(text)
    assert sample.characters == 64 * 200
    assert [part.start for part in sample.parts][::63] == [0, len(BOOK) - 200]
    assert {"cat", "naïve", "고양이"} <= learned_tokenizer(sample, "word").vocabulary.keys()
    assert Sample.of(text._part(0, 5000)).parts == (text._part(0, 5000),)


def test_those_who_want_a_shard_at_once_make_it_once(write, monkeypatch):
    found, count, write_ids = made(open_text(write(BOOK))), [], corpus._write
    monkeypatch.setattr(ahead.Ahead, "_open_all", lambda *given: None)
    monkeypatch.setattr(corpus, "_write", lambda *given: count.append(1) or write_ids(*given))
    others = [pickle.loads(pickle.dumps(found)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        same = list(pool.map(lambda one: one.ids(2).tolist(), others))
    assert same[1:] == same[:-1]
    assert len(count) == 1
    assert not list(corpus.cache_folder().glob("*.lock"))


def test_the_next_ones_are_made_meanwhile(write):
    found = made(open_text(write(BOOK)))
    last = len(found.texts) - 1
    found.ids(last)
    found.ahead.wait()
    assert [found.file(k).exists() for k in range(len(found.texts))] == [True, True, *[False] * (last - 2), True]
    assert set(found.ahead._held) == {last, 0, 1}


def test_on_a_full_disk_shards_that_are_done_with_go(write, monkeypatch):
    found = made(open_text(write(BOOK)))
    monkeypatch.setattr(ahead, "ROOM", 1 << 60)
    monkeypatch.setattr(ahead, "_made_beside", lambda parts, wanted: [ahead.made(parts, one) for one in wanted])
    before = []
    for _ in range(2):
        before.append([])
        for k in range(len(found.texts)):
            before[-1].append(found.ids(k).tolist())
            found.ahead.wait()
            assert len(list(corpus.cache_folder().glob("ids-*.bin"))) <= 2 * ahead.AHEAD + 2
    assert before[0] == before[1]


def test_a_text_that_has_changed_is_an_error(write, places):
    name = write(BOOK)
    found = made(open_text(name))
    found.ids(0)
    found.ahead.wait()
    os.utime(name, ns=(1, 1))
    with pytest.raises(DataError, match="changed while it was in use"):
        found.ids(5)


def test_complete_for_another_machine(write):
    found = made(open_text(write(BOOK)))
    done = []
    whole = pickle.loads(pickle.dumps(found.complete(lambda *at: done.append(at))))
    assert done[-1] == (len(BOOK), len(BOOK))
    os.unlink(found.texts[0].documents[0].file.path)
    assert whole.ids(3).tolist() == found.ids(3).tolist()
