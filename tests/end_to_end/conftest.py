import os
import warnings

import pytest

from ostinato.cli.main import main
from tests.end_to_end.harness import Result, start


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty folder to be in, with a cache of its own."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "work"


@pytest.fixture
def cli(work, capsys, monkeypatch):
    """Run a command in this process, which spares the seconds that importing torch takes."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as exit:
            status = exit.code
        return Result(status, *capsys.readouterr())

    return run


@pytest.fixture
def spawn(work, tmp_path):
    """Start a command in a process of its own, which may be killed; whatever still runs at the end is."""
    started = []

    def run(*arguments, **options):
        logs = tmp_path / f"logs-{len(started)}"
        started.append(start([str(argument) for argument in arguments], work, logs, dict(os.environ), **options))
        return started[-1]

    yield run
    for process in started:
        process.kill()
