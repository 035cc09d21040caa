"""What is made to be read for ever, or to fill the memory: refused, and read in one pass where it is only large."""

import gzip
import os
import time

import pytest

from ostinato.core import memory
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.pictures.views import Pictures
from ostinato.data.sources import files
from ostinato.data.sources.files import find_files, whole_lines
from ostinato.data.tables.reading import read_table
from ostinato.data.text.conll_layout import read_layout
from ostinato.data.text.pairs import read_lines


def test_lines_are_cut_at_line_feeds_alone():
    assert list(whole_lines(["a", "b\r\nc", "\n\n", "d\u2028e"])) == ["ab\r\n", "c\n", "\n", "d\u2028e"]
    assert list(whole_lines([])) == []


@pytest.mark.parametrize("read", [lambda file: list(read_lines(file)), read_layout])
def test_a_very_long_line_is_read_in_one_pass(write, read):
    (file,) = find_files(write("a" * 24_000_000 + " DT\nb NN\n"))
    began = time.process_time()
    read(file)
    assert time.process_time() - began < 4  # 20 seconds, when every piece was split again


def test_very_many_columns_are_read_in_one_pass(write):
    names = ",".join(f"c{n}" for n in range(40_000))
    began = time.process_time()
    assert len(read_table(write(f"{names}\n{names}\n", "a.csv")).columns) == 40_000
    assert time.process_time() - began < 4  # 15 seconds, when each was looked for among all


def test_devices_are_refused_but_for_the_empty_one():
    with pytest.raises(DataError, match=r"^/dev/zero: is a device; expected a file"):
        find_files("/dev/zero")
    assert list(find_files(os.devnull)[0].pieces()) == []


def test_no_name_is_not_the_current_folder():
    """What a shell makes of a variable that is not set."""
    with pytest.raises(DataError, match="expected the name of a file or folder, got an empty one"):
        find_files("")


def test_a_packed_file_that_swells_is_refused(write, monkeypatch):
    monkeypatch.setattr(files, "_LARGE", 1 << 20)
    (file,) = find_files(write(gzip.compress(b"a" * (1 << 23)), "a.txt.gz"))
    with pytest.raises(DataError, match="unpacks to more than 500 times its size"):
        list(file.pieces())


def test_a_stream_ends_where_the_disk_does(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "_ROOM", 1 << 60)
    os.mkfifo(tmp_path / "pipe")
    if os.fork() == 0:
        with open(tmp_path / "pipe", "wb") as pipe:
            pipe.write(b"a")
        os._exit(0)
    with pytest.raises(DataError, match="No space left on device"):
        find_files(tmp_path / "pipe")


@pytest.mark.parametrize("line", ["[" * 100_000, '{"a": ' * 100_000, '{"a": "\\ud83d' + '", "b": {' * 100_000])
def test_deep_json_is_refused(write, line):
    with pytest.raises(DataError, match="line 1: expected one JSON object a line"):
        read_table(write(line, "a.jsonl"))


def test_a_name_that_no_file_can_have():
    with pytest.raises(DataError, match="cannot be the name of a file"):
        find_files("a\0b")


def test_a_parquet_of_too_many_cells_is_refused(tmp_path, monkeypatch):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"a": [1] * 1000}), tmp_path / "a.parquet")
    assert len(read_table(tmp_path / "a.parquet")) == 1000
    monkeypatch.setattr(memory, "available", lambda: 30_000)
    with pytest.raises(ConfigError, match=r"a table of 1,000 cells takes 0 MiB of memory"):
        read_table(tmp_path / "a.parquet")


def test_parquet_strings_that_are_no_utf8(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    broken = arrow.array([b"good", b"b\xff\xfed"]).view(arrow.string())
    parquet.write_table(arrow.table({"text": broken}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet: column 'text': damaged: .*utf-8"):
        read_table(tmp_path / "a.parquet")


@pytest.mark.parametrize("kind", ["eps", "pipe", "text", "cut off", "folder", "nul"])
def test_what_is_no_picture_is_never_opened_by_another_program(tmp_path, monkeypatch, kind):
    image = pytest.importorskip("PIL.Image")
    name = "a.png"
    if kind == "eps":
        (tmp_path / name).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
        monkeypatch.setattr("subprocess.check_call", lambda *_: pytest.fail("a program was started"))
        monkeypatch.setattr("subprocess.Popen", lambda *_: pytest.fail("a program was started"))
    elif kind == "pipe":
        os.mkfifo(tmp_path / name)
    elif kind == "text":
        (tmp_path / name).write_text("P3 1 1 255")
    elif kind == "cut off":
        image.new("RGB", (64, 64)).save(tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:60])
    elif kind == "folder":
        (tmp_path / name).mkdir()
    else:
        name = "a\0.png"
    image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    assert Pictures(tmp_path, 4).usable(["good.png", name]) == (["good.png"], [name])


def test_whatever_a_decoder_raises_is_an_unusable_picture(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for error in (RuntimeError, KeyError, IndexError, MemoryError, OverflowError):

        def fail(self, *arguments, error=error):
            raise error

        monkeypatch.setattr(image.Image, "convert", fail)
        assert Pictures(tmp_path, 4).usable(["a.png"]) == ([], ["a.png"])
