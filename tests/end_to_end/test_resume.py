"""Stopped at any moment and gone on with: as if nothing had happened, to the last bit."""

import json
import os
import random
import signal
import time

import pytest

import ostinato
from ostinato.checkpoint import RunFolder
from tests.support import TINY, contents, metrics, prose, times

#: Two layers, dropout, a schedule, documents, lines and validations within an epoch: all there is to remember.
TRAIN = ["train", "lm", "book.txt", "--hidden", "24", "--layers", "2", "--batch", "8", "--steps", "20", "--epochs", "8"]
TRAIN += [
    "--document-separator",
    "\n",
    "--dropout",
    "0.2",
    "--save-every",
    "0.05",
    "--log-every",
    "7",
    "--valid-every",
    "30",
    "--threads",
    "1",
]


@pytest.fixture
def book(work):
    (work / "book.txt").write_text(prose(400))


def position(run):
    """Where a run stands, seconds aside; nothing where it has not begun."""
    try:
        return json.loads((run / "checkpoint/latest.json").read_text())["position"] | {"seconds": 0}
    except FileNotFoundError:
        return {"step": -1}


def require_same(run, reference):
    assert (run / "model.safetensors").read_bytes() == (reference / "model.safetensors").read_bytes()
    assert metrics(run) == metrics(reference)
    assert position(run) == position(reference)
    assert position(run)["finished"]


@pytest.mark.slow
def test_killed_again_and_again(book, work, spawn, hold):
    began = time.monotonic()
    assert spawn(*TRAIN, "--out", "reference").wait().status == 0
    seconds = time.monotonic() - began
    draw, stopped_at, held = random.Random(1), [], work / "held"
    for number in range(9):
        command = spawn(*TRAIN, "--out", "run", "--resume", *hold(400))
        if number % 3:  # at any moment of the training; else soon after the start, perhaps before there is anything
            before = position(work / "run")["step"]
            command.wait_until(lambda before=before: position(work / "run")["step"] > before or held.exists())
        time.sleep(draw.uniform(0, seconds / 12))
        command.kill()
        stopped_at.append(position(work / "run")["step"])
    assert stopped_at == sorted(stopped_at)
    assert 0 < stopped_at[-1] < 400 < position(work / "reference")["step"]
    result = spawn(*TRAIN, "--out", "run", "--resume", "--json").wait()
    assert result.status == 0, result.err
    require_same(work / "run", work / "reference")
    left = {file.name for file in (work / "run").iterdir() if not file.name.endswith(".tmp")}
    assert left == {item.name for item in (work / "reference").iterdir()}


def test_interrupted_it_saves_and_says_how_to_go_on(book, work, spawn, hold):
    assert spawn(*TRAIN, "--out", "reference").wait().status == 0
    for number, step in [(signal.SIGINT, 40), (signal.SIGTERM, 75)]:  # some steps after a validation, which saves
        command = spawn(*TRAIN, "--out", "run", "--resume", *hold(step), "--save-every", "1000", "--json")
        assert command.wait_until((work / "held").exists)
        assert position(work / "run")["step"] < step
        command.signal(number)
        result = command.wait()
        assert (result.status, result.out) == (130, "")
        assert result.err.endswith("ostinato: interrupted; the checkpoint is saved; go on with --out run --resume\n")
        assert "Traceback" not in result.err
        assert position(work / "run")["step"] == step
        assert not position(work / "run")["finished"]
    assert (
        spawn("train", "lm", "book.txt", "--out", "run", "--resume").wait().status == 0
    )  # options need not be repeated
    require_same(work / "run", work / "reference")


def test_interrupted_before_there_is_anything_to_save(work, spawn, tmp_path):
    os.mkfifo(tmp_path / "slow")
    handle = os.open(tmp_path / "slow", os.O_RDWR)  # someone who may still write: reading waits
    command = spawn("train", "lm", "-", "--out", "run", stdin=str(tmp_path / "slow"))
    assert command.wait_until((work / "run").exists)
    time.sleep(0.2)
    command.signal(signal.SIGINT)
    assert command.wait() == (130, "", "ostinato: interrupted\n")
    os.close(handle)


def test_a_finished_run_is_left_alone(book, work, cli):
    first = cli("train", "lm", "book.txt", "--out", "run", *TINY, "--json")
    before = contents(work / "run"), times(work / "run")
    for words in (["book.txt"], [], ["book.txt", "--epochs", "1"], ["book.txt", "--patience", "3"]):
        again = cli("train", "lm", *words, "--out", "run", "--resume", "--json")
        assert again.status == 0
        assert json.loads(again.out) | {"seconds": 0} == json.loads(first.out) | {"seconds": 0}
        assert (contents(work / "run"), times(work / "run")) == before


def test_a_finished_run_is_tested_again(book, work, cli):
    options = [*TINY, "--test", "book.txt"]
    first = json.loads(cli("train", "lm", "book.txt", "--out", "run", *options, "--json").out)
    before = contents(work / "run")
    (work / "book.txt").rename(work / "gone.txt")
    again = json.loads(cli("train", "lm", "--out", "run", "--resume", "--json").out)
    assert again["test"] == first["test"]
    other = cli("train", "lm", "--out", "run", "--resume", "--test", "gone.txt", "--json")
    assert json.loads(other.out)["test"] == first["test"]
    assert contents(work / "run") == before
    (work / "gone.txt").rename(work / "book.txt")
    (work / "run" / "README.md").unlink()  # killed while it was testing
    again = json.loads(cli("train", "lm", "book.txt", "--out", "run", *options, "--resume", "--json").out)
    assert again["test"] == first["test"]
    assert contents(work / "run") == before


def test_a_longer_run_that_is_killed_while_testing(book, work, cli, monkeypatch):
    words = ["train", "lm", "book.txt", "--out", "run", "--test", "book.txt"]
    assert cli(*words, *TINY).status == 0
    first = (work / "run" / "README.md").read_text()
    with monkeypatch.context() as patched:
        patched.setattr("ostinato.api.training._evaluated", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert cli(*words, "--resume", "--epochs", "2").status == 130
    assert cli(*words, "--resume").status == 0
    assert position(work / "run")["epoch"] == 2
    assert (work / "run" / "README.md").read_text() != first


def test_what_was_changed_is_kept(book, work, cli):
    """Interrupted again, a run that was lengthened goes on by the same plain --resume."""
    assert cli("train", "lm", "book.txt", "--out", "run", *TINY).status == 0
    assert cli("train", "lm", "book.txt", "--out", "run", "--resume", "--epochs", "2", "--save-every", "9").status == 0
    options = json.loads((work / "run" / "config.json").read_text())["options"]
    assert (options["epochs"], options["save_every"], options["hidden"]) == (2, 9, 8)


def test_more_epochs_after_patience_ran_out(book, work, cli):
    options = [*TINY[:-2], "--lr", "0.1", "--seed", "3", "--patience", "1"]
    assert cli("train", "lm", "book.txt", "--out", "run", *options, "--epochs", "30").status == 0
    ended = position(work / "run")["epoch"]
    assert ended < 30
    assert cli("train", "lm", "book.txt", "--out", "run", "--resume", "--epochs", "31").status == 0
    assert position(work / "run")["epoch"] > ended


def test_interrupted_while_it_reads_what_would_overwrite(book, work, cli, monkeypatch):
    assert cli("train", "lm", "book.txt", "--out", "run", *TINY).status == 0
    monkeypatch.setattr("ostinato.cli.main.STARTED", time.monotonic())
    monkeypatch.setattr("ostinato.tasks.lm.task.open_text", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    stopped = cli("train", "lm", "book.txt", "--out", "run", *TINY, "--overwrite")
    assert (stopped.status, stopped.err) == (130, "ostinato: interrupted\n")


def test_test_data_may_come_later(book, work, cli):
    assert cli("train", "lm", "book.txt", "--out", "run", *TINY).status == 0
    more = ["--resume", "--epochs", "2", "--test", "book.txt"]
    assert cli("train", "lm", "book.txt", "--out", "run", *more).status == 0
    assert "test: book.txt" in (work / "run" / "README.md").read_text()
    assert json.loads((work / "run" / "config.json").read_text())["data"]["test"]["files"] == ["book.txt"]


@pytest.mark.parametrize("ending", [["--patience", "1", "--epochs", "30"], ["--time-limit", "0.5"]])
def test_a_run_that_ended_early_is_finished_too(book, work, cli, monkeypatch, ending):
    monkeypatch.setattr("ostinato.cli.main.STARTED", time.monotonic())
    options = [*TINY[:-2], "--lr", "0.1", "--seed", "3"]
    assert cli("train", "lm", "book.txt", "--out", "run", *options, *ending).status == 0
    assert position(work / "run")["finished"]
    before = contents(work / "run"), times(work / "run")
    assert cli("train", "lm", "book.txt", "--out", "run", "--resume", *ending).status == 0
    assert (contents(work / "run"), times(work / "run")) == before


@pytest.mark.slow
def test_more_epochs_go_on(book, work, cli):
    """With a constant rate, one epoch and then two more are three."""
    options = [*TINY[:-2], "--schedule", "constant", "--dropout", "0.2"]
    assert cli("train", "lm", "book.txt", "--out", "reference", *options, "--epochs", "3").status == 0
    assert cli("train", "lm", "book.txt", "--out", "run", *options, "--epochs", "1").status == 0
    assert cli("train", "lm", "book.txt", "--out", "run", "--resume", "--epochs", "3").status == 0
    require_same(work / "run", work / "reference")
    assert position(work / "run")["epoch"] == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["book.txt", "--hidden", "9"], "the run in run was started with hidden = 8, now it is 9"),
        (["book.txt", "--lr", "0.1"], "was started with lr = 0.004, now it is 0.1"),
        (["book.txt", "--seed", "2"], "was started with seed = 1, now it is 2"),
        (["book.txt", "--level", "word"], "was started with level = 'char', now it is 'word'"),
        (["book.txt", "--valid", "other.txt"], "was started with valid = None, now it is 'other.txt'"),
        (
            ["other.txt", "--epochs", "2"],
            "the text to train on is not the one that the run in run was started with (book",
        ),
        (["--epochs", "2"], "TEXT: expected at least one file"),
    ],
)
def test_other_options_or_another_text_are_refused(book, work, cli, words, message):
    (work / "other.txt").write_text(prose(300, seed=5))
    cli("train", "lm", "book.txt", "--out", "run", *TINY)
    before = contents(work / "run"), times(work / "run")
    result = cli("train", "lm", *words, "--out", "run", "--resume")
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert (contents(work / "run"), times(work / "run")) == before


def test_a_text_that_has_changed_is_refused(book, work, cli):
    cli("train", "lm", "book.txt", "--out", "run", *TINY)
    (work / "book.txt").write_text(prose(400)[:-1] + "!")
    result = cli("train", "lm", "book.txt", "--out", "run", "--resume", "--epochs", "2")
    assert result.status == 2
    assert "the text to valid" in result.err or "the text to train" in result.err


def test_where_nothing_is_saved_it_starts_afresh(book, work, cli):
    assert cli("train", "lm", "book.txt", "--out", "reference", *TINY).status == 0
    assert cli("train", "lm", "book.txt", "--out", "run", *TINY, "--resume").status == 0
    require_same(work / "run", work / "reference")


def test_weights_without_a_checkpoint_are_not_trained_over(book, work, cli):
    assert cli("train", "lm", "book.txt", "--out", "run", *TINY).status == 0
    for file in (work / "run" / "checkpoint").iterdir():
        file.unlink()
    before = contents(work / "run")
    refused = cli("train", "lm", "book.txt", "--out", "run", *TINY, "--resume")
    assert refused.status == 2
    assert "run holds weights but no checkpoint to go on from" in refused.err
    assert contents(work / "run") == before


def test_from_python(book, work):
    options = {"hidden": 8, "batch": 4, "steps": 10, "threads": 1, "schedule": "constant"}
    ostinato.train("lm", "book.txt", out="reference", epochs=2, **options)
    ostinato.train("lm", "book.txt", out="run", epochs=1, **options)
    run = ostinato.train("lm", "book.txt", out="run", resume=True, epochs=2)
    require_same(work / "run", work / "reference")
    assert run.config["options"]["hidden"] == 8


@pytest.mark.slow
def test_two_processes_killed_and_interrupted(book, work, spawn, hold):
    """--devices 2: each process comes back to its own state and random numbers; a signal to the first reaches both."""
    (work / "book.txt").write_text(prose(250))
    two = [*TRAIN, "--devices", "2", "--epochs", "3"]
    assert spawn(*two, "--out", "reference").wait().status == 0
    command = spawn(*two, "--out", "run", *hold(13), "--save-every", "0")
    assert command.wait_until((work / "held").exists)
    command.kill()
    assert position(work / "run")["step"] == 12
    command = spawn(*two, "--out", "run", "--resume", *hold(40))
    assert command.wait_until((work / "held").exists)
    command.signal(signal.SIGINT, group=False)
    result = command.wait()
    assert result.status == 130
    assert "Traceback" not in result.err
    assert 40 == position(work / "run")["step"] < position(work / "reference")["step"]
    result = spawn(*two, "--out", "run", "--resume").wait()
    assert result.status == 0, result.err
    require_same(work / "run", work / "reference")


@pytest.mark.slow
def test_two_processes_interrupted_while_they_start(book, work, spawn):
    """They import torch for seconds; Ctrl-C is held back until there is something to save, and leaves no traceback."""
    command = spawn(*TRAIN, "--devices", "2", "--epochs", "1000", "--out", "run")
    assert command.wait_until(lambda: command.processes() >= 3)
    command.signal(signal.SIGINT)
    result = command.wait()
    assert result.status == 130
    assert "Traceback" not in result.err
    assert result.err.endswith("ostinato: interrupted; the checkpoint is saved; go on with --out run --resume\n")
    assert not position(work / "run")["finished"]


def test_a_run_that_is_being_trained_is_left_alone(book, work, cli):
    pytest.importorskip("fcntl")
    assert cli(*TRAIN, "--epochs", "1", "--out", "run").status == 0
    before = contents(work / "run")
    with RunFolder(work / "run").locked():
        for words in (["--resume", "--epochs", "2"], ["--overwrite"]):
            refused = cli(*TRAIN, "--out", "run", *words)
            assert (refused.status, "run: another process is training here" in refused.err) == (2, True)
    assert contents(work / "run") == before
