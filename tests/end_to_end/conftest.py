import os
import warnings

import pytest

from ostinato.cli.main import main
from tests.end_to_end.harness import Result, start

#: Imported in every process before it trains.
HOLD = """
import time
from pathlib import Path
from ostinato.training.clock import Interrupt
from ostinato.training.loop import Trainer

step, note, heard = Trainer.step, Interrupt._note, []

def held(self, batch):
    step(self, batch)
    if self.position.step == {step}:
        Path("held").touch()
        while not (heard or Path("go").exists()):
            time.sleep(0.01)

def noted(self, *given):
    note(self, *given)
    heard.append(True)

if step.__module__ == "ostinato.training.loop":
    Trainer.step, Interrupt._note = held, noted
"""


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


@pytest.fixture
def hold(work):
    """Options with which a training waits inside a step, before that is saved, until it is killed or interrupted, or
    until there is a file `go`.

    There is a file `held` then. So a test need not hurry: a slow machine does not train past it.
    """

    def at(step):
        (work / "held").unlink(missing_ok=True)
        plugin = work / f"hold_{step}.py"  # of the same length and second, Python would take the compiled one for it
        plugin.write_text(HOLD.replace("{step}", str(step)))
        return "--plugin", plugin.name

    return at
