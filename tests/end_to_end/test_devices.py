"""Two processes compute what one does on the same global batch."""

import json
import random
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from tests.end_to_end.harness import next_port
from tests.support import contents, metrics, prose

TRAIN = ["train", "lm", "book.txt", "--hidden", "24", "--layers", "2", "--batch", "8", "--steps", "20", "--epochs", "2"]
TRAIN += ["--dropout", "0", "--clip", "0", "--log-every", "1", "--threads", "1", "--plugin", "watch.py"]

#: Imported in every process before it trains; writes down the gradients of the first step, and what it was given. Where
#: a run stands, the second process asks late, when the first may have moved it: nobody may wait for the other then.
WATCH = """
import time
from pathlib import Path
import torch.distributed
from ostinato.checkpoint import RunFolder
from safetensors.torch import save_file
from ostinato.training.loop import Trainer

original = Trainer.step

def step(self, batch):
    original(self, batch)
    if self.position.step == 1:
        names, learned = zip(*self.job.model.named_parameters())
        if self.processes.divides:
            learned = self.processes.memory.model.own
        found = {name: p.grad.to_dense().contiguous() for name, p in zip(names, learned)}
        rank = self.processes.rank
        save_file(found | {"inputs": batch.inputs.contiguous()}, f"gradients-{self.processes.size}-{rank}")
        if self.processes.memory is not None and self.processes.memory.shares:
            Path(f"shared-{rank}").touch()

replaces = RunFolder.replaces.fget

def late(folder):
    if torch.distributed.is_initialized() and torch.distributed.get_rank():
        time.sleep(1)
    return replaces(folder)

if Trainer.step.__module__ == "ostinato.training.loop":
    Trainer.step = step
    RunFolder.replaces = property(late)
"""


@pytest.fixture
def both(work, spawn):
    """The same training by one process and by two, with a watch on the first step."""

    def run(lines, *options, watch=WATCH):
        (work / "book.txt").write_text(prose(lines))
        (work / "watch.py").write_text(watch)
        results = {}
        for devices in (1, 2):
            out = ("--devices", devices, "--out", f"run-{devices}", "--json")
            results[devices] = spawn(*TRAIN, *options, *out).wait()
            assert results[devices].status == 0, results[devices].err
        return results

    return run


def assert_first_gradients_equal(work):
    one = load_file(work / "gradients-1-0")
    both = [load_file(work / f"gradients-2-{rank}") for rank in range(2)]
    inputs = one.pop("inputs")
    assert torch.equal(
        torch.cat([found.pop("inputs") for found in both], dim=1), inputs
    )  # each its slice of the streams
    for name, gradient in one.items():
        each = [found[name] for found in both]
        if sum(own.numel() for own in each) == gradient.numel():  # each has a part of it
            each = [torch.cat(each).view(gradient.shape)]
        for own in each:
            torch.testing.assert_close(own, gradient, rtol=0, atol=1e-6, msg=name)
    assert max(float(gradient.abs().max()) for gradient in one.values()) > 1e-3


def test_two_processes_are_one(both, work):
    ran = both(400)
    assert_first_gradients_equal(work)
    assert len(list(work.glob("shared-*"))) == 2  # gloo would do as well, and take longer
    lines = {devices: [line for line in metrics(work / f"run-{devices}") if "loss" in line] for devices in (1, 2)}
    assert len(lines[1]) == len(lines[2]) > 100
    for single, double in zip(lines[1][:100], lines[2][:100], strict=True):
        assert abs(single["loss"] - double["loss"]) < 1e-4
        assert single["gradient_norm"] == pytest.approx(double["gradient_norm"], rel=1e-2)
        for same in ("step", "epoch", "tokens", "lr"):
            assert single[same] == double[same]
    results = [json.loads(ran[devices].out) for devices in (1, 2)]
    assert results[0]["tokens"] == results[1]["tokens"]
    assert results[0]["valid_loss"] == pytest.approx(results[1]["valid_loss"], abs=1e-3)
    assert ran[2].err.count("validation: loss") == 2  # one process speaks for both


APART = """
from ostinato.training.shared_memory import SharedMemory

SharedMemory.share = lambda self, model: False
"""

SGD = ["--optimizer", "sgd", "--lr", "0.5", "--weight-decay", "0", "--epochs", "1"]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--tied"], id="tied"),
        pytest.param([], id="a sparse gradient", marks=pytest.mark.slow),
        pytest.param(["--level", "word", "--adaptive", "4", "9"], id="adaptive softmax", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_with_every_kind_of_output_layer(both, work, options):
    """Embedding and output with one gradient; with a gradient of rows; with clusters that a process may have no word
    of. SGD ends with the same weights.
    """
    both(100, *SGD, *options)
    assert_first_gradients_equal(work)
    require_same_course(work)


@pytest.mark.slow
def test_where_memory_cannot_be_shared(both, work):
    """By gloo, whose buckets are dense."""
    both(100, *SGD, watch=WATCH + APART)
    assert not list(work.glob("shared-*"))
    assert_first_gradients_equal(work)
    require_same_course(work)


def require_same_course(work):
    lines = {devices: [line for line in metrics(work / f"run-{devices}") if "loss" in line] for devices in (1, 2)}
    assert len(lines[1]) == len(lines[2]) >= 5
    weights, others = (load_file(work / f"run-{devices}/model.safetensors") for devices in (1, 2))
    assert set(weights) == set(others)
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=0, atol=2e-5, msg=name)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_both_with_one_message(work, spawn):
    (work / "book.txt").write_text(prose(60))
    options = ["--hidden", "8", "--batch", "4", "--steps", "10", "--threads", "1", "--lr", "1e30", "--optimizer", "sgd"]
    result = spawn("train", "lm", "book.txt", "--out", "run", *options, "--weight-decay", "1", "--devices", "2").wait()
    assert result.status == 2
    assert "ostinato: training stopped in epoch 1, step " in result.err
    assert result.err.count("ostinato: ") == 1
    assert "Traceback" not in result.err
    assert all(tensor.isfinite().all() for tensor in load_file(work / "run/model.safetensors").values())


#: Each reading of the time is two seconds later; the second process has been there for five minutes more.
LATER = """
import itertools
import torch
from ostinato.training.clock import Clock

readings = itertools.count()
Clock.elapsed = lambda self: 2.0 * next(readings) + 300.0 * torch.distributed.get_rank()
"""


@pytest.mark.slow
def test_a_time_limit_ends_both_and_the_rate_falls_alike(work, spawn):
    """Seconds are those of the first process."""
    (work / "book.txt").write_text(prose(200))
    (work / "later.py").write_text(LATER)
    options = [
        "--hidden",
        "16",
        "--batch",
        "4",
        "--steps",
        "10",
        "--threads",
        "1",
        "--log-every",
        "1",
        "--valid-every",
        "20",
    ]
    options += ["--time-limit", "1000", "--plugin", "later.py"]
    result = spawn("train", "lm", "book.txt", "--out", "run", *options, "--devices", "2").wait()
    assert result.status == 0, result.err
    rates = [line["lr"] for line in metrics(work / "run") if "lr" in line]
    assert len(rates) > 20
    assert rates[-1] < max(rates) / 3


@pytest.mark.slow
def test_processes_with_unequal_shares_resume_with_the_same_loss(work, spawn, hold):
    """Each remembers how much of an interval was its own."""
    draw = random.Random(3)
    lines = [
        "".join(f"w{draw.randrange(9)}\t{draw.choice('AB')}\n" for _ in range(draw.randrange(1, 30))) for _ in range(60)
    ]
    (work / "words.txt").write_text("\n".join(lines))
    words = [
        "train",
        "tag",
        "words.txt",
        "--hidden",
        "8",
        "--embed",
        "8",
        "--batch",
        "4",
        "--threads",
        "1",
        "--dropout",
        "0",
    ]
    words += ["--devices", "2", "--log-every", "9", "--epochs", "2"]
    whole = spawn(*words, "--out", "whole").wait()
    assert whole.status == 0, whole.err
    command = spawn(*words, "--out", "run", *hold(14), "--save-every", "0")
    assert command.wait_until((work / "held").exists)
    command.kill()
    latest = json.loads((work / "run/checkpoint/latest.json").read_text())["position"]
    assert (latest["step"], latest["interval"]["steps"]) == (13, 4)
    again = spawn(*words, "--out", "run", "--resume").wait()
    assert again.status == 0, again.err
    assert metrics(work / "run") == metrics(work / "whole")


TWO = ["train", "lm", "book.txt", "--hidden", "8", "--batch", "4", "--steps", "10", "--threads", "1", "--epochs", "2"]


def of_torch(rank, port):
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "RANK": str(rank)}


def of_slurm(rank, port):
    """Two machines of one process each, which meet at a port that goes by the job's number."""
    one = {"NTASKS": "2", "NTASKS_PER_NODE": "1", "NNODES": "2", "JOB_NAME": "book", "NODELIST": "127.0.0.1"}
    one |= {"PROCID": str(rank), "LOCALID": "0", "NODEID": str(rank), "JOB_ID": str(int(port) - 15000)}
    return {f"SLURM_{name}": value for name, value in one.items()}


@pytest.fixture
def joined(work, spawn):
    """Two processes as torchrun starts them: each runs the command, and finds the other by its variables."""
    (work / "book.txt").write_text(prose(60))

    def run(*arguments, by=of_torch):
        port, started = next_port(), []
        for rank in (0, 1):
            with pytest.MonkeyPatch.context() as patch:
                for name, value in by(rank, port).items():
                    patch.setenv(name, value)
                started.append(spawn(*arguments))
        return [command.wait() for command in started]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("by", [of_torch, of_slurm])
def test_processes_of_torchrun_train_as_those_started_here(work, spawn, joined, by):
    assert spawn(*TWO, "--out", "here", "--devices", "2").wait().status == 0
    first, second = joined(*TWO, "--out", "joined", "--json", by=by)
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert (second.out, second.err) == ("", "")  # one speaks
    assert json.loads(first.out)["steps"] > 10
    assert (work / "joined/model.safetensors").read_bytes() == (work / "here/model.safetensors").read_bytes()
    lines = [metrics(work / folder) for folder in ("joined", "here")]
    norms = [[line.pop("gradient_norm", 0) for line in of] for of in lines]  # added up in another order
    assert lines[0] == lines[1]
    assert norms[0] == pytest.approx(norms[1], rel=1e-6)
    before = contents(work / "joined")
    again = joined(*TWO, "--out", "joined", "--resume", by=by)
    assert [one.status for one in again] == [0, 0]
    assert contents(work / "joined") == before


def without_tasks_per_node(rank, port):
    return {name: value for name, value in of_slurm(rank, port).items() if name != "SLURM_NTASKS_PER_NODE"}


@pytest.mark.parametrize(
    ("by", "words", "said"),
    [
        (of_torch, ["--devices", "4"], "--devices 4: torchrun has started 2 processes; leave the option out"),
        (of_slurm, ["--devices", "4"], "--devices 4: Slurm has started 2 processes; leave the option out"),
        (of_torch, ["--batch", "3"], "--batch 3 is shared out over --devices 2: expected a multiple of 2"),
        (of_slurm, ["--batch", "3"], "--batch 3 is shared out over --devices 2: expected a multiple of 2"),
        (of_torch, ["--valid", "gone.txt"], "gone.txt: no such file"),
        (without_tasks_per_node, [], "several processes cannot work together here: You set `--ntasks=2`"),
    ],
)
def test_what_cannot_be_is_said_once_by_torchruns_processes(work, joined, by, words, said):
    first, second = joined(*TWO, "--out", "run", *words, by=by)
    assert (first.status, second.status) == (2, 2)
    assert first.err.startswith(f"ostinato: {said}")
    assert first.err.count("\n") == 1
    assert (second.out, second.err) == ("", "")
    assert not (work / "run").exists()


@pytest.mark.slow
def test_by_torchrun_itself(work, spawn):
    (work / "book.txt").write_text(prose(60))
    assert spawn(*TWO, "--out", "here", "--devices", "2").wait().status == 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ran = subprocess.run([*torchrun, "-m", "ostinato", *TWO, "--out", "run"], cwd=work, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("valid loss") == 1
    assert (work / "run/model.safetensors").read_bytes() == (work / "here/model.safetensors").read_bytes()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_accelerator_that_is_not_there_is_refused(work, cli):
    (work / "book.txt").write_text(prose(60))
    result = cli(*TWO, "--out", "run", "--accelerator", "cuda")
    assert result.status == 2
    assert result.err.startswith("ostinato: --accelerator cuda: torch ")
    assert result.err.count("\n") == 1
    assert not (work / "run").exists()
    assert cli(*TWO, "--out", "run", "--accelerator", "cpu").status == 0


DIES = """
import os, signal
from ostinato.training.loop import Trainer

step = Trainer.step

def dies(self, *parts):
    step(self, *parts)
    if (self.position.step, os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]) == (20, "1", "0"):
        os.kill(os.getpid(), signal.SIGKILL)

if step.__module__ == "ostinato.training.loop":
    Trainer.step = dies
"""


@pytest.mark.slow
def test_torchrun_starts_a_training_again_that_has_lost_a_process(work, spawn):
    (work / "book.txt").write_text(prose(60))
    (work / "dies.py").write_text(DIES)
    assert spawn(*TWO, "--out", "here", "--devices", "2").wait().status == 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "--max-restarts", "2", "-m", "ostinato", *TWO, "--out", "run", "--plugin", "dies.py"]
    ran = subprocess.run([*command, "--save-every", "0"], cwd=work, capture_output=True, text=True, timeout=500)
    print(ran.stderr)
    assert ran.returncode == 0, ran.stderr
    assert metrics(work / "run") == metrics(work / "here")
    assert (work / "run/model.safetensors").read_bytes() == (work / "here/model.safetensors").read_bytes()
