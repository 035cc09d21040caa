"""What is lost on the way: the display, the terminal, a process of several, the disk. What is trained is kept."""

import json
import os
import signal

import pytest

from tests.end_to_end.test_resume import TRAIN, position, require_same
from tests.support import TINY, contents, prose

hangs_up = pytest.mark.skipif(
    signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, reason="hang-ups are ignored here, as by nohup"
)


@pytest.fixture(autouse=True)
def book(work):
    (work / "book.txt").write_text(prose(120))


def test_a_display_that_goes_does_not_end_a_training(work, spawn, hold):
    """As `2>&1 | head -1` does: whoever reads both streams leaves in the middle."""
    assert spawn(*TRAIN, "--epochs", "2", "--out", "reference").wait().status == 0
    os.mkfifo(work / "display")
    reader = os.open(work / "display", os.O_RDONLY | os.O_NONBLOCK)
    command = spawn(*TRAIN, "--epochs", "2", "--out", "run", *hold(10), out="display", err="display")
    assert command.wait_until((work / "held").exists)
    os.close(reader)
    (work / "go").touch()
    assert command.wait().status == 0
    require_same(work / "run", work / "reference")
    assert (work / "run" / "README.md").exists()


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_display_on_a_full_disk_does_not_either(work, spawn, devices):
    result = spawn(*TRAIN, "--epochs", "1", "--devices", devices, "--out", "run", "--json", err="/dev/full").wait()
    assert result.status == 0
    assert json.loads(result.out)["epochs"] == 1


def test_a_result_on_a_full_disk_is_said_and_the_run_is_there(work, spawn):
    result = spawn(*TRAIN, "--epochs", "1", "--out", "run", out="/dev/full").wait()
    assert result.status == 2
    assert result.err.endswith("ostinato: standard output: cannot be written: No space left on device\n")
    assert position(work / "run")["finished"]


@hangs_up
def test_a_terminal_that_is_closed_saves(work, spawn, hold):
    """A real one, with a bar on it: to close it is a hang-up, and nothing can be written to it any more."""
    window, terminal = os.openpty()
    name = os.ttyname(terminal)
    command = spawn(*TRAIN, "--out", "run", *hold(20), "--save-every", "1000", stdin=name, out=name, err=name)
    assert command.wait_until((work / "held").exists)
    os.close(terminal)
    os.close(window)
    assert command.wait().status == 130
    assert position(work / "run")["step"] == 20


@hangs_up
def test_a_hang_up_says_how_to_go_on(work, spawn, hold):
    command = spawn(*TRAIN, "--out", "run", *hold(20), "--save-every", "1000")
    assert command.wait_until((work / "held").exists)
    command.signal(signal.SIGHUP)
    result = command.wait()
    assert result.status == 130
    assert result.err.endswith("the checkpoint is saved; go on with --out run --resume\n")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=hangs_up)])
def test_two_processes_save_when_the_first_is_asked_to_end(work, spawn, hold, number):
    command = spawn(*TRAIN, "--devices", "2", "--out", "run", *hold(20), "--save-every", "1000")
    assert command.wait_until((work / "held").exists)
    command.signal(number, group=False)
    result = command.wait()
    assert result.status == 130
    assert "Traceback" not in result.err
    assert result.err.endswith("the checkpoint is saved; go on with --out run --resume\n")
    assert position(work / "run")["step"] == 20


@pytest.mark.slow
def test_a_process_of_two_that_is_killed_is_said(work, spawn, hold):
    command = spawn(*TRAIN, "--devices", "2", "--out", "run", *hold(20), "--save-every", "0")
    assert command.wait_until((work / "held").exists)
    os.kill(command.workers()[1], signal.SIGKILL)
    result = command.wait()
    assert result.status == 2
    assert "Traceback" not in result.err
    assert "ostinato: a training process was ended from outside (SIGKILL), for lack of memory perhaps" in result.err
    assert position(work / "run")["step"] == 19


@pytest.mark.parametrize("end", ["killed", "full disk"])
def test_the_old_run_stays_until_the_new_one_has_a_checkpoint(work, cli, spawn, hold, end):
    assert cli("train", "lm", "book.txt", "--out", "run", *TINY).status == 0
    before = contents(work / "run")
    if end == "full disk":
        (work / "full.py").write_text("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))")
        larger = ["--hidden", "64", "--overwrite", "--plugin", "full.py"]
        result = spawn("train", "lm", "book.txt", "--out", "run", *TINY, *larger).wait()
        assert result.status == 2
        assert ".safetensors: cannot be written: File too large" in result.err
        assert contents(work / "run") == before
    else:
        command = spawn("train", "lm", "book.txt", "--out", "run", *TINY, "--overwrite", *hold(1))
        assert command.wait_until((work / "held").exists)
        command.kill()
    assert {name: digest for name, digest in contents(work / "run").items() if name in before} == before
    assert cli("evaluate", "run", "book.txt").status == 0
    assert cli("train", "lm", "book.txt", "--out", "run", "--resume").status == 0
    assert contents(work / "run") == before


def test_a_new_run_takes_the_place_of_the_old_one_with_its_first_step(work, cli, spawn, hold):
    assert cli("train", "lm", "book.txt", "--out", "run", *TINY).status == 0
    command = spawn("train", "lm", "book.txt", "--out", "run", *TINY, "--overwrite", *hold(2))
    assert command.wait_until((work / "held").exists)
    command.kill()
    assert position(work / "run")["step"] == 1
    assert not (work / "run" / "model.safetensors").exists()
    assert cli("train", "lm", "book.txt", "--out", "reference", *TINY).status == 0
    assert cli("train", "lm", "book.txt", "--out", "run", "--resume").status == 0
    require_same(work / "run", work / "reference")


@pytest.mark.parametrize("there", [True, False])
def test_data_that_is_refused_leaves_no_folder(work, cli, there):
    if there:
        (work / "runs").mkdir()
    (work / "empty.txt").touch()
    for words in (["empty.txt"], ["gone.txt"], ["book.txt", "--test", "gone.txt"]):
        assert cli("train", "lm", *words, "--out", "runs/a/b", *TINY).status == 2
        assert (work / "runs").exists() == there
        assert not list(work.glob("runs/*"))
