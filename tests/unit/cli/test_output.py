"""Where answers are written."""

import os
import threading
from pathlib import Path

import pytest

from ostinato.cli.output import write_lines
from ostinato.core.errors import DataError


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


@pytest.mark.parametrize("name", [".", ""])
def test_a_folder_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"--output \.: expected a file, found a folder"):
        write_lines(Path(name), [])
