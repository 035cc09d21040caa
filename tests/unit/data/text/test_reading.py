"""Blocks and windows: nothing is lost, moved or held."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.core.errors import DataError
from ostinato.data.sources import files
from ostinato.data.text import reading as module
from ostinato.data.text.reading import END, open_text

written = st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(lambda t: t.strip("\ufeff \n\t"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("texts")


@pytest.fixture(autouse=True, scope="module")
def _small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 8)
        patch.setattr(files, "CHUNK", 5)
        yield


def stored(folder, *contents):
    paths = [folder / str(index) for index in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content.encode())
    return open_text(paths)


def streamed(text):
    groups = itertools.groupby(text.blocks(), lambda block: block is END)
    return ["".join(group) for end, group in groups if not end]


@settings(deadline=None)
@given(st.lists(written.filter(str.strip).filter(lambda t: t[0] != "\ufeff"), min_size=1, max_size=4), st.floats(0, 1))
def test_blocks_and_parts_make_up_the_text(folder, contents, fraction):
    text = stored(folder, *contents)
    whole = "".join(contents)
    assert streamed(text) == contents
    assert text.characters == len(whole)
    for at in ("character", "line"):
        try:
            head, tail = text.split(fraction, at)
        except DataError:
            assert int(len(whole) * fraction) in (0, len(whole))
            continue
        cut = int(len(whole) * fraction)
        assert "".join(streamed(head)) + "".join(streamed(tail)) == whole
        assert min(head.characters, tail.characters) > 0
        assert head.characters == cut if at == "character" else head.characters >= cut
        assert len({text.digest, head.digest, tail.digest}) == 3
        assert streamed(head) == split_documents(contents, 0, head.characters)
        assert streamed(tail) == split_documents(contents, head.characters, len(whole))


def split_documents(contents, start, stop):
    position, parts = 0, []
    for content in contents:
        parts.append(content[max(start - position, 0) : max(stop - position, 0)])
        position += len(content)
    return [part for part in parts if part]


@settings(deadline=None)
@given(written.filter(str.strip))
def test_blocks_end_at_lines_then_at_white_space(folder, content):
    blocks = list(stored(folder, content).blocks())
    for block in blocks[:-1]:
        assert 0 < len(block) <= 8
        cuts = [i + 1 for i, c in enumerate(block) if c == "\n"] or [i + 1 for i, c in enumerate(block) if c.isspace()]
        if cuts:
            assert cuts[-1] == len(block)
        else:
            assert len(block) == 8


@pytest.mark.parametrize(
    ("content", "head"),
    [
        ("aa\nbb\ncc\ndd\n", "aa\nbb\n"),  # the middle is just behind a line's end already
        ("aa\nbbb\ncc\nd\n", "aa\nbbb\n"),
        ("one two three four", "one two three "),  # no lines
        ("aaaaaaaaaaaa", "aaaaaa"),  # no white space either
        ("aa bb cc d\n", "aa bb "),  # the only line's end is the last character
    ],
)
def test_cut_at_a_line(folder, content, head):
    assert streamed(stored(folder, content).split(0.5, "line")[0]) == [head]


def test_cut_takes_the_end_of_a_document_for_a_line_end(folder):
    head, tail = stored(folder, "abc def", "gh ij\nkl").split(0.4, "line")
    assert (streamed(head), streamed(tail)) == (["abc def"], ["gh ij\nkl"])


def test_windows_of_windows(folder):
    head, tail = stored(folder, "abcdefghij").split(0.8)
    assert [streamed(part) for part in (*head.split(0.5), *tail.split(0.5))] == [["abcd"], ["efgh"], ["i"], ["j"]]


def test_too_short_to_split(folder):
    with pytest.raises(DataError, match="1 characters are too few"):
        stored(folder, "a").split(0.9)
