"""Training on two machines: processes in network namespaces of their own, which see each other by a cable alone."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.end_to_end.harness import next_port
from tests.end_to_end.hosts import two_hosts
from tests.end_to_end.pair import TASKS, TINY, Pair, write_data
from tests.support import metrics, prose

TRAIN = ["train", "lm", "book.txt", "--out", "run", "--hidden", "8", "--batch", "4", "--steps", "10", "--threads", "1"]
TRAIN += ["--dropout", "0", "--epochs", "2"]


@pytest.fixture(scope="module")
def hosts():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2's `ip`")
    try:
        with two_hosts() as both:
            yield both
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"network namespaces are not permitted here: {error}")


@pytest.fixture
def pair(hosts, work, tmp_path):
    made = Pair(hosts, tmp_path / "hosts")
    yield made
    made.end()


def losses(run):
    return [line["loss"] for line in metrics(run) if "loss" in line]


def assert_close(run, reference):
    assert len(losses(run)) == len(losses(reference)) > 5
    assert max(abs(a - b) for a, b in zip(losses(run), losses(reference), strict=True)) < 1e-4


def test_two_hosts_train_as_one_process_with_the_data_on_the_first_alone(pair, work, spawn):
    text = prose(60)
    (work / "book.txt").write_text(text)
    (pair.folders[0] / "book.txt").write_text(text)
    alone = spawn(*TRAIN)
    first, second = pair.run(*TRAIN, "--json")
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert (second.out, second.err) == ("", "")
    assert alone.wait().status == 0
    assert_close(pair.folders[0] / "run", work / "run")
    assert not list(pair.folders[1].iterdir())  # the run is the first one's
    assert all(
        0 <= line["waiting"] <= 1 for line in metrics(pair.folders[0] / "run", with_times=True) if "loss" in line
    )
    assert "processes waited for each other" in first.err
    sent = sorted((pair.folders[1].parent / "cache/ostinato").glob("sent-*.bin"))
    assert len(sent) == 2  # what is trained on, and what is validated on


def write_book(pair, lines=60):
    for folder in pair.folders:
        (folder / "book.txt").write_text(prose(lines))


def assert_said_once(results, *words, by=0):
    assert [result.status for result in results] == [2, 2], results
    said, silent = results[by].err, results[1 - by].err
    assert said.count("ostinato: ") == 1
    assert "Traceback" not in said + silent
    assert silent == ""
    for word in words:
        assert word in said


def test_other_data_on_the_second_host_is_said_once(pair):
    write_book(pair)
    (pair.folders[1] / "book.txt").write_text(prose(60, seed=1))
    assert_said_once(pair.run(*TRAIN), "book.txt: on ", "(rank 1) it is not what it is at the first process")
    assert not (pair.folders[0] / "run").exists()


#: Imported by every Python before anything else.
OTHER_VERSION = """
import importlib.metadata as metadata
known = metadata.version
metadata.version = lambda name: "1.2.3" if name == "numpy" else known(name)
"""


@pytest.mark.slow
def test_another_version_on_the_second_host_is_said_once(pair, monkeypatch):
    write_book(pair)
    (pair.root / "site").mkdir()
    (pair.root / "site/other.py").write_text(OTHER_VERSION)
    results = pair.run(*TRAIN, environment={1: {"TEST_IMPORT": str(pair.root / "site/other.py")}})
    assert_said_once(results, "rank 1 on ", "has numpy 1.2.3, the first process has", "install the same versions")


@pytest.mark.slow
def test_a_wrong_address_is_said_by_those_who_wait_there(pair):
    write_book(pair)
    port = next_port()
    (first,) = pair.start(*TRAIN, "--lost-after", "6", port=port, ranks=(0,))
    (second,) = pair.start(*TRAIN, "--lost-after", "6", port=port, ranks=(1,), address="10.77.0.9")
    first, second = first.wait(), second.wait()
    assert (first.status, second.status) == (2, 2)
    assert first.err.startswith("ostinato: 1 of 2 processes have come to 10.77.0.1:"), first.err
    assert "rank 1 on " in second.err
    assert "has not found the first process at 10.77.0.9:" in second.err
    for result in (first, second):
        assert result.err.count("\n") == 1


@pytest.mark.slow
def test_a_port_that_is_taken_is_said(pair):
    write_book(pair)
    port = next_port()
    taken = subprocess.Popen(
        ["ip", "netns", "exec", pair.hosts.names[0], "python3", "-c",
         f"import socket; s = socket.socket(); s.bind(('', {port})); s.listen(); print(flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        taken.stdout.readline()
        (first,) = pair.run(*TRAIN, "--lost-after", "6", port=port, ranks=(0,))
    finally:
        taken.communicate(b"\n")
    assert first.status == 2
    assert first.err.startswith(f"ostinato: port {port} is taken by another program of this machine"), first.err
    assert first.err.count("\n") == 1


@pytest.mark.slow
def test_a_killed_rank_is_named_and_the_run_goes_on_in_one_process(pair, work, spawn, hold):
    """With the loss of one that was not disturbed, and that of a single process."""
    write_book(pair)
    (work / "book.txt").write_text(prose(60))
    assert spawn(*TRAIN).wait().status == 0
    option, plugin = hold(20)
    for folder in pair.folders:
        shutil.copy(work / plugin, folder)
    first, second = pair.start(*TRAIN, "--save-every", "0", option, plugin)
    assert first.wait_until((pair.folders[0] / "held").exists)
    second.signal(signal.SIGKILL)
    (pair.folders[0] / "go").touch()
    result = first.wait()
    assert result.status == 2
    assert "Traceback" not in result.err
    assert result.err.count("ostinato: ") == 1
    assert f"rank 1 (process {second.process.pid} on " in result.err
    assert "is no longer heard of" in result.err
    position = json.loads((pair.folders[0] / "run/checkpoint/latest.json").read_text())["position"]
    assert 15 < position["step"] < 24
    again = spawn(*TRAIN[:3], "--out", pair.folders[0] / "run", *TRAIN[5:], "--resume", "--devices", "1").wait()
    assert again.status == 0, again.err
    assert "--resume: 1 processes now, 2 before" in again.err
    assert_close(pair.folders[0] / "run", work / "run")


@pytest.mark.slow
def test_a_cut_cable_ends_both_within_the_time_out(hosts, pair):
    write_book(pair, 2000)
    (first, second) = pair.start(*TRAIN, "--epochs", "100", "--lost-after", "12", "--save-every", "0")
    latest = pair.folders[0] / "run/checkpoint/latest.json"
    assert first.wait_until(latest.exists), first.wait().err + second.wait().err
    hosts.cut()
    try:
        results = first.wait(), second.wait()
    finally:
        hosts.mend()
    assert [result.status for result in results] == [2, 2], results
    assert "ostinato: rank 1 (process " in results[0].err
    assert "ostinato: rank 0 (process " in results[1].err  # nobody else speaks on that host
    for result in results:
        assert "Traceback" not in result.err
        assert result.err.count("ostinato: ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_every_task_on_two_hosts_as_in_one_process(pair, work, spawn, task):
    """Features and all else is at the first host alone."""
    for folder in (work, pair.folders[0]):
        write_data(folder)
    words = ["train", task, *TASKS[task], *TINY, "--out", "run"]
    alone = spawn(*words)
    first, second = pair.run(*words)
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert alone.wait().status == 0
    assert_close(pair.folders[0] / "run", work / "run")


@pytest.mark.slow
def test_two_hosts_of_two_processes_each_as_one_process(pair, work, spawn):
    for folder in (work, pair.folders[0]):
        write_data(folder)
    words = ["train", "lm", *TASKS["lm"], *TINY, "--out", "run"]
    alone = spawn(*words)
    ended = pair.run(*words, beside=2)
    assert [one.status for one in ended] == [0] * 4, [one.err for one in ended]
    assert alone.wait().status == 0
    assert len(losses(work / "run")) >= 100
    assert_close(pair.folders[0] / "run", work / "run")


@pytest.mark.slow
def test_a_text_in_shards_is_sent_in_shards(pair, work, spawn):
    for folder in (work, pair.folders[0]):
        (folder / "book.txt").write_text(prose(400))
    words = [*TRAIN, "--shard-size", "0.004", "--log-every", "10"]
    alone = spawn(*words)
    ended = pair.run(*words)
    assert [one.status for one in ended] == [0, 0], [one.err for one in ended]
    assert alone.wait().status == 0
    assert_close(pair.folders[0] / "run", work / "run")
    assert len(list((pair.folders[1].parent / "cache/ostinato").glob("sent-*.bin"))) == 3 + 1  # and one to validate on


@pytest.mark.slow
def test_a_host_that_is_half_as_fast_is_waited_for(pair, work):
    """It stands still for half of the time, as where something else has its processor."""
    write_data(pair.folders[0])
    words = ["train", "lm", *TASKS["lm"], *TINY]
    assert all(ended.status == 0 for ended in pair.run(*words, "--out", "steady"))
    commands = pair.start(*words, "--out", "slowed")
    slow, stops = commands[1], 0
    while slow.process.is_alive() and all(command.process.is_alive() for command in commands):
        slow.signal(signal.SIGSTOP)
        stops += 1
        time.sleep(0.05)
        slow.signal(signal.SIGCONT)
        time.sleep(0.05)
    ended = [command.wait() for command in commands]
    assert [one.status for one in ended] == [0, 0], [one.err for one in ended]
    assert stops > 3
    runs = [pair.folders[0] / run for run in ("steady", "slowed")]
    assert metrics(runs[0]) == metrics(runs[1])  # the same steps, to the bit
    assert (runs[0] / "model.safetensors").read_bytes() == (runs[1] / "model.safetensors").read_bytes()
    waited = [line["waiting"] for line in metrics(runs[1], with_times=True) if "waiting" in line]
    assert waited
    assert all(0 <= share <= 1 for share in waited)
    assert "processes waited for each other" in ended[0].err


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_steps_of_several_batches_are_steps_of_one_as_large(work, spawn, task):
    write_data(work)
    words = ["train", task, *TASKS[task], *TINY]
    whole, parts = spawn(*words, "--out", "whole"), spawn(*words, "--batch", "2", "--accumulate", "4", "--out", "parts")
    for command in (whole, parts):
        result = command.wait()
        assert result.status == 0, result.err
    assert_close(work / "parts", work / "whole")
