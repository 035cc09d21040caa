"""Files that are replaced in one step, whatever stands where, and whoever is killed."""

import multiprocessing
import os
import signal
import threading

import pytest

from ostinato.core.files import append_bytes, in_utf8, remove_left_over, replacing

FORKED = multiprocessing.get_context("fork")


def write(path, content, **options):
    with replacing(path, **options) as file:
        file.write(content)


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "mine").symlink_to("theirs")
    write(tmp_path / "mine", b"new")
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "mine").is_symlink()
    assert (tmp_path / "mine").read_text() == "new"


def test_a_name_that_is_taken_is_not_written_to(tmp_path, monkeypatch):
    """The name of the temporary file cannot be known; and where it were, what stands there is left alone."""
    drawn = iter(["0" * 16, "1" * 16])
    monkeypatch.setattr("ostinato.core.files.secrets.token_hex", lambda _: next(drawn))
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / f".file.{'0' * 16}.tmp").symlink_to("theirs")
    with pytest.raises(FileExistsError):
        write(tmp_path / "file", b"new")
    assert (tmp_path / "theirs").read_text() == "theirs"
    write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_text() == "new"


def test_two_writers_have_two_names(tmp_path):
    with replacing(tmp_path / "file") as one, replacing(tmp_path / "file") as two:
        assert one.name != two.name
        names = [item.name for item in tmp_path.iterdir()]
        assert len(names) == 2
        assert not any(str(os.getpid()) in name for name in names)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o400])
def test_permissions_are_kept(tmp_path, mode):
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    with replacing(file) as open_file:
        assert os.fstat(open_file.fileno()).st_mode & 0o777 == mode, "nobody may read it meanwhile either"
    assert file.stat().st_mode & 0o777 == mode
    write(tmp_path / "other", b"", like=file)
    assert (tmp_path / "other").stat().st_mode & 0o777 == mode


def test_a_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write(tmp_path / "new", b"")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_name_as_long_as_may_be(tmp_path):
    name = "ä" * 126 + "abc"  # 255 bytes
    write(tmp_path / name, b"new")
    assert [item.name for item in tmp_path.iterdir()] == [name]


def killed_while_writing(path):
    with replacing(path) as file:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_writer_left_is_removed_and_what_is_being_written_stays(tmp_path):
    for name in ("one", "two"):
        process = FORKED.Process(target=killed_while_writing, args=(tmp_path / name,))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / ".one.99.tmp").touch()  # of an earlier version
    others = {".one.tmp", "one.0123456789abcdef.tmp", ".one.0123456789abcdef", ".one.xyz.tmp"}
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / ".one.fedcba9876543210.tmp").symlink_to(tmp_path / ".one.tmp")
    with replacing(tmp_path / "one"):
        remove_left_over(tmp_path, "one")
        left = {item.name for item in tmp_path.iterdir()}
        (two,) = (name for name in left if name.startswith(".two."))
        mine = left - others - {two, ".one.fedcba9876543210.tmp"}
        assert len(mine) == 1
    assert {item.name for item in tmp_path.iterdir()} == others | {two, ".one.fedcba9876543210.tmp", "one"}
    remove_left_over(tmp_path)
    assert {item.name for item in tmp_path.iterdir()} == others | {".one.fedcba9876543210.tmp", "one"}


def test_writers_beside_who_tidies_up_lose_nothing(tmp_path):
    done = threading.Event()

    def tidy():
        while not done.is_set():
            remove_left_over(tmp_path)

    thread = threading.Thread(target=tidy)
    thread.start()
    try:
        for number in range(200):
            write(tmp_path / "file", str(number).encode())
            assert (tmp_path / "file").read_text() == str(number)
    finally:
        done.set()
        thread.join()
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_nothing_is_appended_through_a_link(tmp_path):
    append_bytes(tmp_path / "theirs", b"one\n")
    append_bytes(tmp_path / "theirs", b"two\n")
    assert (tmp_path / "theirs").read_text() == "one\ntwo\n"
    (tmp_path / "mine").symlink_to("theirs")
    with pytest.raises(OSError, match="symbolic links"):
        append_bytes(tmp_path / "mine", b"three\n")
    assert (tmp_path / "theirs").read_text() == "one\ntwo\n"


def test_a_name_for_libraries_that_take_utf8_only(tmp_path):
    for name in ("plain", "not utf-8 \udcff"):
        (tmp_path / name).write_text("content")
        with in_utf8(tmp_path / name) as found, open(found.encode()) as file:
            assert file.read() == "content"
