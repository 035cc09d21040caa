"""Where answers are written."""

import io
import json
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from ostinato.cli.output import write_lines
from ostinato.core.errors import DataError
from ostinato.data.tables.writing import table_pieces


def test_a_link_leads_to_the_file(tmp_path):
    (tmp_path / "real.txt").write_text("before\n")
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert write_lines(tmp_path / "link.txt", ["after"]) == 1
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "after\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_pipe_takes_the_lines_and_stays(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert write_lines(pipe, ["one", "two"]) == 2
    reader.join()
    assert read == ["one\ntwo\n"]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_what_fails_on_the_way_leaves_what_was_there(tmp_path):
    file = tmp_path / "answers.txt"
    file.write_text("before\n")
    with pytest.raises(ZeroDivisionError):
        write_lines(file, (str(1 // number) for number in (1, 0)))
    assert file.read_text() == "before\n"
    assert list(tmp_path.iterdir()) == [file]


def killed_while_writing(file):
    def lines():
        yield "half"
        os.kill(os.getpid(), signal.SIGKILL)

    write_lines(file, lines())


def test_a_kill_leaves_the_old_answers_and_its_rest_goes_with_the_next_start(tmp_path):
    file, other = tmp_path / "answers.txt", tmp_path / ".other.txt.0123456789abcdef.tmp"
    file.write_text("before\n")
    other.touch()
    process = multiprocessing.get_context("fork").Process(target=killed_while_writing, args=(file,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert file.read_text() == "before\n"
    assert len(list(tmp_path.iterdir())) == 3
    assert write_lines(file, ["after"]) == 1
    assert {item.name for item in tmp_path.iterdir()} == {file.name, other.name}


def test_links_that_wait_for_it_are_not_followed(tmp_path):
    """What earlier versions wrote to was known beforehand: `.NAME.PID.tmp`."""
    (tmp_path / "theirs").write_text("theirs")
    for number in range(os.getpid() - 2, os.getpid() + 3):
        (tmp_path / f".answers.txt.{number}.tmp").symlink_to("theirs")
    write_lines(tmp_path / "answers.txt", ["mine"])
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert (tmp_path / "answers.txt").read_text() == "mine\n"


def test_permissions_of_answers_stay(tmp_path):
    file = tmp_path / "answers.txt"
    file.touch(mode=0o600)
    write_lines(file, ["one"])
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", [".", ""])
def test_a_folder_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"--output \.: expected a file, found a folder"):
        write_lines(Path(name), [])


def test_a_name_that_is_not_utf8_is_written_as_its_escape(tmp_path):
    """Such as that of a file, where each is an answer; JSON reads it back."""
    write_lines(tmp_path / "answers.txt", [json.dumps({"id": "x\udcff"}, ensure_ascii=False)])
    assert (tmp_path / "answers.txt").read_bytes() == b'{"id": "x\\udcff"}\n'
    for kind, parts in (("csv", b"id\nx\\udcff\n"), ("tsv", b"id\nx\\udcff\n"), ("jsonl", b'{"id": "x\\udcff"}\n')):
        assert b"".join(table_pieces([{"id": "x\udcff"}], kind)) == parts


def test_a_name_that_is_not_utf8_in_parquet():
    parquet = pytest.importorskip("pyarrow.parquet")
    whole = b"".join(table_pieces([{"id": "x\udcff", "of": 1}], "parquet"))
    assert parquet.read_table(io.BytesIO(whole)).to_pylist() == [{"id": "x\\udcff", "of": 1}]
