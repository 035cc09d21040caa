"""How far something is: a line that is written over where somebody watches, a few lines in a log."""

import time

import pytest

from ostinato.cli.progress import ProgressLine


@pytest.fixture
def told(monkeypatch, capsys):
    """Tell of an hour's work, a second at a time, in no time; gives what was printed."""

    def run(watched):
        now = [100.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        monkeypatch.setattr("sys.stderr.isatty", lambda: watched)
        tell = ProgressLine("testing")
        for done in range(3601):
            tell(done, 3600)
            now[0] += 1
        return capsys.readouterr().err

    return run


def test_a_log_file_gets_a_line_a_minute_at_last(told):
    lines = told(False).splitlines()
    assert lines[:2] == ["testing: 0%, 3597 s left", "testing: 0%, 3592 s left"]
    assert 55 < len(lines) < 70  # 1,200, when there was one every two seconds


def test_one_line_is_written_over_and_is_gone_at_the_end(told):
    out = told(True)
    assert out.count("\n") == 0
    assert out.count("testing: ") > 1000
    assert out.endswith("\r")
    assert out.rsplit("\r", 2)[1].strip() == ""


def test_what_takes_a_moment_is_not_told(monkeypatch, capsys):
    tell = ProgressLine("reading")
    for done in range(100):
        tell(done, 100)
    assert capsys.readouterr().err == ""
