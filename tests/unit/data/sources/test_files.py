"""What may be given as text, and what the messages say where it cannot be read."""

import gc
import gzip
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ostinato.core.errors import DataError
from ostinato.data.sources import files
from ostinato.data.text.reading import open_text

POEM = "Weiß ist der Schnee,\nроза красная,\n日本語\n😀\n"


def message(*sources: str) -> str:
    with pytest.raises(DataError) as caught:
        open_text(list(sources))
    return str(caught.value)


def test_plain_file_is_kept_to_the_character(write, documents):
    for content in (POEM, "a\r\nb\rc\n\n", " no line end", "\ttab \x0b\x0c\x1c\x85\u2028 end\n\n\n"):
        assert documents(open_text(write(content))) == [content]


def test_lines_of_an_old_mac_end_as_others_do(write, documents, monkeypatch):
    assert documents(open_text(write("\ufeffone\rtwo\r\rend\r"))) == ["one\ntwo\n\nend\n"]
    assert documents(open_text(write("no line end\r"))) == ["no line end\r"]
    monkeypatch.setattr(files, "CHUNK", 4)
    assert documents(open_text(write("one\r\ntwo\r\n"))) == ["one\r\ntwo\r\n"]


def test_byte_order_mark_is_dropped_in_front_only(write, documents):
    assert documents(open_text(write(b"\xef\xbb\xbfone\xef\xbb\xbftwo"))) == ["one\ufefftwo"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7])
def test_characters_may_lie_across_reads(write, documents, monkeypatch, chunk):
    monkeypatch.setattr(files, "CHUNK", chunk)
    assert documents(open_text(write("\ufeff" + POEM))) == [POEM]


def test_gzip_is_known_by_content_not_by_name(write, documents):
    zipped = gzip.compress(POEM.encode())
    assert documents(open_text(write(zipped, "zipped.txt"))) == [POEM]
    assert documents(open_text(write(POEM, "plain.gz"))) == [POEM]
    assert open_text(write(zipped, "a")).digest == open_text(write(POEM, "b")).digest


def test_folder_gives_sorted_visible_files_as_documents(write, documents, tmp_path):
    for name in ("b.txt", "a/z.txt", "a/y", ".hidden", ".git/config", "c/.secret"):
        write(f"this is {name}", f"folder/{name}")
    write(" \n", "folder/blank")
    (tmp_path / "folder" / "dangling").symlink_to("nowhere")
    text = open_text(str(tmp_path / "folder"))
    assert [Path(name).relative_to(tmp_path / "folder").as_posix() for name in text.names] == [
        "a/y",
        "a/z.txt",
        "b.txt",
    ]
    assert documents(text) == ["this is a/y", "this is a/z.txt", "this is b.txt"]


def test_several_sources_keep_their_order(write, documents):
    sources = [write("second", "2"), write("first", "1")]
    text = open_text(sources)
    assert documents(text) == ["second", "first"]
    assert list(text.names) == sources
    assert text.digest != open_text(sources[::-1]).digest
    assert text.digest != open_text(write("secondfirst", "both")).digest


def test_standard_input_is_spooled_and_the_copy_removed(documents, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(POEM.encode()))))
    text = open_text("-")
    assert (text.names, documents(text), documents(text)) == (("standard input",), [POEM], [POEM])
    assert len(list(tmp_path.iterdir())) == 1
    del text
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_spool_is_removed_at_exit(tmp_path):
    code = "from ostinato.data.text.reading import open_text; t = open_text('-'); print(t.characters)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=POEM.encode(),
        capture_output=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert (done.returncode, int(done.stdout)) == (0, len(POEM)), done.stderr
    assert not list(tmp_path.iterdir())


def test_pipe_can_be_read_more_than_once(documents, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(POEM,))
    writer.start()
    text = open_text(str(pipe))
    writer.join()
    assert documents(text) == documents(text) == [POEM]


def test_latin_1_names_line_byte_and_remedy(write):
    said = message(write(b"eins\nzwei\n" + "drei für\n".encode("latin-1")))
    assert "text.txt: line 3, byte 16: expected UTF-8 text, but byte 0xFC" in said
    assert "give --encoding cp1252, or convert it: iconv -f CP1252 -t UTF-8 " in said


def test_place_is_right_far_into_a_gzipped_file_with_a_mark(write, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 10)
    good = b"\xef\xbb\xbf" + "ä\n".encode() * 1000
    assert f"line 1001, byte {len(good) + 1}: " in message(write(gzip.compress(good + b"a\xffb")))


def test_character_cut_short_at_the_end(write):
    assert "line 1, byte 3: " in message(write(b"abc" + "é".encode()[:1]))


def test_binary_and_utf_16_say_so(write):
    assert "text.txt: line 2, byte 4: expected UTF-8 text, but this file is binary" in message(write(b"ab\nc\0d\xff"))
    for encoding in ("utf-16", "utf-16-be"):
        assert "UTF-16" in message(
            write(("\ufeff" if encoding[-2:] == "be" else "").encode(encoding) + "abc".encode(encoding))
        )


def test_blank_text_and_empty_folder(write, tmp_path):
    for content in ("", " \n\t\n", "\ufeff", gzip.compress(b"")):
        assert "the text is empty, or white space only" in message(write("text", "good"), write(content))
    (tmp_path / "folder").mkdir()
    assert "folder holds no files" in message(str(tmp_path / "folder"))
    assert "no text was given" in message()


def test_missing_file():
    assert message("nowhere.txt").startswith("nowhere.txt: no such file; expected")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(write):
    path = write("text")
    os.chmod(path, 0)
    assert "cannot be read: Permission denied" in message(path)


@pytest.mark.parametrize(
    "damage", [lambda z: z[:-30], lambda z: z[:-4], lambda z: z[:40] + bytes(9) + z[49:], lambda z: z[:5]]
)
def test_damaged_gzip(write, damage):
    zipped = gzip.compress("".join(map(chr, range(40, 5000))).encode())
    said = message(write(damage(zipped), "text.gz"))
    assert "text.gz" in said
    assert "cut short or damaged" in said


def test_file_that_changes_after_the_survey(write, documents):
    text = open_text(path := write("before"))
    Path(path).write_text("afterwards")
    with pytest.raises(DataError, match="changed while it was in use"):
        documents(text)
