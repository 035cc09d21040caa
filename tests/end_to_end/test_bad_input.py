"""Every mistake of the table in bad_input.py: one message that names it, an exit status, and nothing lost."""

import os
import shutil

import pytest

from ostinato.cli.main import main
from tests.end_to_end.bad_input import CASES, RUN, make_folder
from tests.support import contents


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The text, and a run trained on it, once."""
    home = tmp_path_factory.mktemp("template")
    folder = home / "work"
    folder.mkdir()
    make_folder(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.chdir(folder)
        assert main(RUN) == 0
    return folder


@pytest.fixture
def prepared(template, work):
    shutil.copytree(template, work, dirs_exist_ok=True)
    return work


def require_one_message(result, status):
    """What stands on standard error is a message, whole, and nothing else."""
    assert result.status == status, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    lines = result.err.strip().splitlines()
    assert lines[0].startswith("ostinato: ")
    assert len(lines) == 1


@pytest.mark.parametrize("case", [case for case in CASES if case.status], ids=lambda case: case.name)
def test_one_message_and_nothing_changed(prepared, cli, case):
    case.prepare(prepared)
    before = contents(prepared)
    result = cli(*case.command)
    require_one_message(result, case.status)
    for words in case.mentions:
        assert words in result.err
    assert contents(prepared) == before


@pytest.mark.parametrize("case", [case for case in CASES if case.status == 0], ids=lambda case: case.name)
def test_what_only_looks_like_a_mistake(prepared, cli, case):
    case.prepare(prepared)
    result = cli(*case.command)
    assert result.status == 0
    assert "Traceback" not in result.err
    assert contents(prepared)["new/model.safetensors"] == contents(prepared)["run/model.safetensors"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission(prepared, cli):
    (prepared / "locked").mkdir(mode=0o500)
    result = cli("train", "lm", "book.txt", "--out", "locked/run")
    require_one_message(result, 2)
    assert "--out locked/run: cannot be written: Permission denied; choose another place" in result.err


def test_a_file_that_may_not_be_read(prepared, cli, monkeypatch):
    """As any user but root would find it."""
    import builtins

    original = builtins.open

    def refuse(file, *arguments, **keywords):
        if str(file).endswith("book.txt"):
            raise PermissionError(13, "Permission denied")
        return original(file, *arguments, **keywords)

    monkeypatch.setattr(builtins, "open", refuse)
    result = cli("train", "lm", "book.txt", "--out", "new")
    require_one_message(result, 2)
    assert "book.txt: cannot be read: Permission denied" in result.err


def test_with_json_too_nothing_is_on_standard_output(prepared, cli):
    for case in CASES[:3]:
        case.prepare(prepared)
        require_one_message(cli(*case.command, "--json"), 2)
