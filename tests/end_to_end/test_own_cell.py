"""A cell of --plugin is compiled, trains, resumes and answers as those of the package do."""

import json
import re
import signal
from pathlib import Path

import pytest

from ostinato.compiler import build
from tests.conformance import own_cell
from tests.support import TINY, metrics, prose

MINE = Path(own_cell.__file__).read_text(encoding="utf-8") + "\n\nimport ostinato\nostinato.register(FeedbackMGU)\n"
PLUGIN = ("--plugin", "mine.py")
CELL = ("--cell", "feedback_mgu", *PLUGIN)
TRAIN = ("train", "lm", "book.txt", *TINY, "--log-every", "1", *CELL)
SAYS_SO = re.compile(r"^compiled feedback_mgu in \d+\.\d s; kept in (.+)$", re.MULTILINE)


@pytest.fixture
def book(work, monkeypatch):
    if isinstance(lacking := build.compiler(), str):
        pytest.skip(lacking)
    monkeypatch.delenv("OSTINATO_COMPILE", raising=False)
    (work / "mine.py").write_text(MINE)
    (work / "book.txt").write_text(prose(30))


def losses(run):
    return [line["loss"] for line in metrics(run) if "loss" in line]


def test_training_that_is_interrupted_and_resumed_is_the_references(book, work, spawn, hold, monkeypatch):
    command = spawn(*TRAIN, hold(5)[1], "--out", "run")
    assert command.wait_until((work / "held").exists), command.wait().err
    command.signal(signal.SIGINT)
    stopped = command.wait()
    assert stopped.status == 130, stopped.err
    assert len(SAYS_SO.findall(stopped.err)) <= 1  # none where the tests' kernels hold it
    again = spawn(*TRAIN, "--out", "run", "--resume").wait()
    assert again.status == 0, again.err
    assert "compiled" not in again.err
    monkeypatch.setenv("OSTINATO_COMPILE", "0")
    loop = spawn(*TRAIN, "--out", "loop").wait()
    assert loop.status == 0, loop.err
    assert loop.err.count("on the reference: turned off (OSTINATO_COMPILE=0)") == 1
    assert len(losses(work / "run")) > 20
    assert losses(work / "run") == pytest.approx(losses(work / "loop"), abs=1e-4)


@pytest.mark.slow
def test_two_processes_compile_once_and_the_run_answers(book, work, spawn, tmp_path, monkeypatch):
    kernels = tmp_path / "kernels"
    monkeypatch.setenv(build.CACHE_VARIABLE, str(kernels))
    ran = spawn(*TRAIN, "--out", "run", "--devices", "2").wait()
    assert ran.status == 0, ran.err
    assert SAYS_SO.findall(ran.err) == [str(kernels)]
    assert [file.suffix for file in kernels.iterdir()] == [".so"] * 2
    evaluated = spawn("evaluate", "run", "book.txt", *PLUGIN, "--json").wait()
    assert json.loads(evaluated.out)["loss"] < losses(work / "run")[0]
    told = spawn("generate", "run", *PLUGIN, "--prompt", "the ", "--length", "9", "--seed", "1").wait()
    assert len(told.out.rstrip("\n")) == 13, told.err
    rows = ("text\tfirst\n", *(f"{line}\t{line[0]}\n" for line in prose(30).splitlines()))
    (work / "rows.tsv").write_text("".join(rows))
    columns = ("--text", "text", "--label", "first")
    asked = (*columns, *CELL, "--hidden", "8", "--epochs", "1", "--out", "by")
    trained = spawn("train", "classify", "rows.tsv", *asked).wait()
    assert trained.status == 0, trained.err
    answered = spawn("predict", "by", "the cat sat", *PLUGIN).wait()
    assert answered.status == 0, answered.err
    for later in (evaluated, told, trained, answered):
        assert "compiled" not in later.err
