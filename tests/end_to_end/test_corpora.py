"""A text in shards, trained on while it is tokenised: stopped, gone on with, shared out, from any files."""

import gzip
import shutil

import pytest
from safetensors.torch import load_file

from tests.support import metrics, prose

#: Eleven shards of 4,000 characters, of which each has some fifty pieces.
TRAIN = ["train", "lm", "book.txt", "--shard-size", "0.004", "--hidden", "16", "--batch", "4", "--steps", "20"]
TRAIN += ["--epochs", "2", "--dropout", "0.1", "--threads", "1", "--log-every", "25", "--save-every", "0.05"]


@pytest.fixture
def book(work):
    (work / "book.txt").write_text(prose(1500))
    return work


def weights(run):
    return (run / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_killed_within_a_shard_it_goes_on_to_the_bit(book, spawn, hold, tmp_path):
    reference = spawn(*TRAIN, "--out", "reference").wait()
    assert reference.status == 0, reference.err
    assert "shards, " in reference.err
    for step in (75, 230):
        (book / "held").unlink(missing_ok=True)
        command = spawn(*TRAIN, "--out", "run", "--resume", *hold(step))
        assert command.wait_until((book / "held").exists)
        command.kill()
    shutil.rmtree(tmp_path / "cache")  # shards are made again, from the one that is gone on in
    result = spawn(*TRAIN, "--out", "run", "--resume").wait()
    assert result.status == 0, result.err
    assert weights(book / "run") == weights(book / "reference")
    assert metrics(book / "run") == metrics(book / "reference")


@pytest.mark.slow
def test_packed_and_in_a_folder_it_is_the_same_text(book, cli):
    assert cli(*TRAIN, "--out", "plain").status == 0
    (book / "folder").mkdir()
    (book / "folder" / "book.txt.gz").write_bytes(gzip.compress((book / "book.txt").read_bytes()))
    words = [word if word != "book.txt" else "folder" for word in TRAIN]
    assert cli(*words, "--out", "packed").status == 0
    assert weights(book / "plain") == weights(book / "packed")


@pytest.mark.parametrize("size", ["0", "nan", "-1", "1e-5"])
def test_a_shard_size_that_is_none(book, cli, size):
    result = cli(*TRAIN, "--shard-size", size, "--out", "run")
    assert result.status == 2
    assert "shard-size" in result.err
    assert len(result.err.splitlines()) == 1


def test_a_shard_as_large_as_you_like_is_the_text(book, cli):
    words = [*TRAIN, "--epochs", "1", "--steps", "100", "--log-every", "5"]
    for size in ("1e300", "1"):
        assert cli(*words, "--shard-size", size, "--out", size).status == 0
    whole = [word for word in words if word not in ("--shard-size", "0.004")]
    assert cli(*whole, "--out", "whole").status == 0
    assert weights(book / "1e300") == weights(book / "1")
    # the same streams, in pieces whose lengths differ by a step
    losses = [[line["loss"] for line in metrics(book / run) if "loss" in line] for run in ("1", "whole")]
    assert len(losses[0]) == len(losses[1])
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.slow
def test_two_processes_share_each_shard(book, spawn):
    words = [*TRAIN, "--dropout", "0", "--level", "word"]
    commands = [spawn(*words, "--devices", str(count), "--out", f"run-{count}") for count in (1, 2)]
    for command in commands:
        result = command.wait()
        assert result.status == 0, result.err
    one, two = (load_file(book / f"run-{count}" / "model.safetensors") for count in (1, 2))
    for name, tensor in one.items():
        assert tensor.allclose(two[name], atol=1e-4), name
