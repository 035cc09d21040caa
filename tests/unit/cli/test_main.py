"""Errors become one message and an exit status."""

import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

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


def broken_pipe():
    """A stream that nobody reads, as before `| head` once that has ended."""
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "w")


def full_disk():
    return Path("/dev/full").open("w")


@pytest.fixture
def saying(monkeypatch):
    """Let every command say something on both streams, and then do its work: note that it came so far."""
    came = []

    def run(options, started):
        print("about to begin", file=sys.stderr, flush=True)
        print("a result", flush=True)
        came.append(True)
        return 0

    monkeypatch.setattr(commands, "run", run)
    return came


@pytest.mark.parametrize(("lost", "status"), [(full_disk, 2), (broken_pipe, 0)])
def test_output_that_is_lost_is_said_unless_nobody_reads_it(saying, capsys, monkeypatch, lost, status):
    with lost() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["info"]) == status
    said = "ostinato: standard output: cannot be written: No space left on device\n" if status else ""
    assert capsys.readouterr().err == "about to begin\n" + said
    assert not saying


@pytest.mark.parametrize("lost", [full_disk, broken_pipe])
def test_a_display_that_is_lost_stops_nothing(saying, capsys, monkeypatch, lost):
    with lost() as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert main(["info"]) == 0
        assert sys.stderr is stream
    assert saying
    assert capsys.readouterr().out == "a result\n"


def test_a_pipe_of_somebody_elses_is_not_taken_for_ours(failing):
    failing(BrokenPipeError(32, "Broken pipe"))  # of a process that was killed, say
    with pytest.raises(BrokenPipeError):
        main(["info"])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("train lm --help >/dev/full", 2, "ostinato: standard output: cannot be written: No space left on device\n"),
        ("--help >/dev/full 2>/dev/full", 2, ""),
        ("train lm - --out run <&-", 2, "ostinato: standard input: closed; name a file, or pipe the data in\n"),
        ("nothing 2>&-", 2, ""),
        ("--version 2>&-", 0, ""),
        ("--version >&-", 0, ""),
    ],
)
def test_streams_as_a_shell_may_make_them(tmp_path, words, status, said):
    command = f'exec "$0" -m ostinato.cli.main {words}'
    ran = subprocess.run(["sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (status, said)
    assert not list(tmp_path.iterdir())


def test_no_file_takes_the_place_of_a_stream_that_is_closed(tmp_path):
    code = "import sys; from ostinato.cli.streams import standard_streams\nwith standard_streams(): "
    code += f"print(open({str(tmp_path / 'file')!r}, 'w').fileno())"
    command = 'exec "$0" -c "$1" <&- 2>&-'
    ran = subprocess.run(["sh", "-c", command, sys.executable, code], capture_output=True, text=True)
    assert int(ran.stdout) > 2


def test_what_a_terminal_would_act_on_is_shown_instead(failing, capsys):
    failing(DataError("no column 'a\x1b]0;owned\x07' in \x9b2J.csv\nexpected name\udcff\t1"))
    assert main(["info"]) == 2
    assert capsys.readouterr().err == (
        "ostinato: no column 'a\\x1b]0;owned\\x07' in \\x9b2J.csv\nexpected name\\udcff\t1\n"
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_text_for_people_is_shown_and_data_is_left_alone_but_on_a_terminal(capsys, monkeypatch):
    output = Output(as_json=False)
    output.text("a\x1b[2J")
    output.figures({"f1": {"per\x1b[2J": 1.0}})
    assert output.lines(["a\x1b[2Jä\t"]) == 1
    assert capsys.readouterr().out.splitlines() == [r"a\x1b[2J", r"f1" + " " * 24 + r"per\x1b[2J 1", "a\x1b[2Jä\t"]
    monkeypatch.setattr(sys, "stdout", Terminal())
    output = Output(as_json=False)
    output.lines(["a\x1b[2Jä\t"])
    assert sys.stdout.getvalue() == "a\\x1b[2Jä\t\n"


def test_a_name_that_is_not_utf8_is_json_all_the_same(capfd):
    Output(as_json=True).result({"run": "run\udcff"})
    assert json.loads(capfd.readouterr().out) == {"run": "run\udcff"}


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
