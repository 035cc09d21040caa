"""Errors become one message and an exit status."""

import json
import os
import subprocess
import sys
import warnings

import pytest

from ostinato.cli import commands
from ostinato.cli.main import main
from ostinato.cli.output import Output
from ostinato.core.errors import ConfigError, DataError, RunFolderError, TrainingError


@pytest.fixture
def failing(monkeypatch):
    """Let every command end in an error."""

    def fail_with(error):
        def run(options, started):
            raise error

        monkeypatch.setattr(commands, "run", run)

    return fail_with


@pytest.mark.parametrize("kind", [ConfigError, DataError, RunFolderError, TrainingError])
def test_what_the_user_can_mend_is_2(failing, capsys, kind):
    failing(kind("book.txt: no such file"))
    assert main(["info"]) == 2
    assert capsys.readouterr() == ("", "ostinato: book.txt: no such file\n")


def test_an_interruption_is_130(failing, capsys):
    failing(KeyboardInterrupt())
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", "ostinato: interrupted\n")
    failing(KeyboardInterrupt("the checkpoint is saved"))
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", "ostinato: interrupted; the checkpoint is saved\n")


def test_a_mistake_of_ours_is_not_hidden(failing):
    failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["info"])


def test_a_reader_that_has_gone_is_no_error(failing, monkeypatch):
    class Closed:
        closed = False

        def close(self):
            self.closed = True

    stream = Closed()
    monkeypatch.setattr(sys, "stderr", stream)
    failing(BrokenPipeError())
    assert main(["info"]) == 0
    assert stream.closed


def test_for_people_all_is_on_standard_output(capsys):
    output = Output(as_json=False)
    output.text("hello", "you")
    output.figures({"valid_loss": 1.23456, "tokens": 12345, "level": "char"})
    output.result({"loss": 1})
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "hello you",
        "valid loss                1.2346",
        "tokens                    12,345",
        "level                     char",
    ]
    assert err == ""


def test_for_programs_one_line_is(capsys):
    output = Output(as_json=True)
    output.text("hello")
    output.figures({"loss": 1.0})
    output.result({"text": "ä\n", "loss": 0.1})
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert json.loads(out) == {"text": "ä\n", "loss": 0.1}
    assert err.splitlines() == ["hello", "loss                      1.0000"]


def test_warnings_are_plain_lines(capsys):
    Output(as_json=True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        Output(as_json=True)
        warnings.warn("set XDG_CACHE_HOME", stacklevel=1)
    assert capsys.readouterr() == ("", "ostinato: set XDG_CACHE_HOME\n")


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, "None")],
)
def test_threads_spin_briefly_unless_the_user_says_how(given, expected):
    code = "import os, ostinato.cli.main; print(os.environ.get('GOMP_SPINCOUNT'))"
    plain = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    said = subprocess.run([sys.executable, "-c", code], env=plain | given, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == expected
