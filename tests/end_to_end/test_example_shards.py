"""Labelled texts and pairs in shards, trained on while they are encoded: stopped, gone on with, shared out."""

import gzip
import json
import random
import shutil

import pytest

from tests.support import metrics

OPTIONS = ["--shard-size", "0.02", "--hidden", "8", "--batch", "8", "--epochs", "2", "--dropout", "0.1"]
OPTIONS += ["--threads", "1", "--log-every", "25", "--save-every", "0.05", "--seed", "3"]
TASKS = {
    "classify": ["a.csv", "--text", "text", "--label", "label"],
    "regress": ["a.csv", "--text", "text", "--target", "score"],
    "tag": ["t.conll", "--embed", "8", "--char-embed", "4", "--char-hidden", "4"],
    "translate": ["p.txt", "--level", "word", "--embed", "8"],
}


@pytest.fixture
def data(work):
    draw, words = random.Random(3), [f"word{k}" for k in range(40)]
    files = [(work / name).open("w") for name in ("a.csv", "p.txt", "t.conll")]
    with files[0] as table, files[1] as pairs, files[2] as tagged:
        table.write("text,label,score\n")
        for row in range(1200):  # sorted by their labels
            kind, text = ("good", "bad")[row // 600], draw.choices(words, k=draw.randint(2, 9))
            table.write(f'"{" ".join([*text, kind])},\n""so""",{kind},{row // 600 + draw.random():.3f}\n')
            pairs.write(f"{' '.join(text)}\t{' '.join(reversed(text))}\n")
            tagged.write("".join(f"{word}\t{word[-1]}\n" for word in text) + "\n")
    return work


def command(task, *more):
    return ["train", task, *TASKS[task], *OPTIONS, *more]


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_killed_within_a_shard_it_goes_on_to_the_bit(data, spawn, hold, tmp_path, task):
    reference = spawn(*command(task), "--out", "reference").wait()
    assert reference.status == 0, reference.err
    assert " shards, " in reference.err
    for step in (35, 180):
        (data / "held").unlink(missing_ok=True)
        killed = spawn(*command(task), "--out", "run", "--resume", *hold(step))
        assert killed.wait_until((data / "held").exists)
        killed.kill()
    shutil.rmtree(tmp_path / "cache")  # shards are made again
    result = spawn(*command(task), "--out", "run", "--resume").wait()
    assert result.status == 0, result.err
    one, other = (data / run / "model.safetensors" for run in ("run", "reference"))
    assert one.read_bytes() == other.read_bytes()
    assert metrics(data / "run") == metrics(data / "reference")


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_two_processes_share_each_batch(data, spawn, task):
    for count in (1, 2):
        more = [
            "--dropout",
            "0",
            "--epochs",
            "1",
            "--devices",
            str(count),
            "--out",
            f"run-{count}",
            "--save-every",
            "9",
        ]
        more += [] if task == "translate" else ["--word-dropout", "0"]
        result = spawn(*command(task, *more)).wait()
        assert result.status == 0, result.err
    one, two = ([line["loss"] for line in metrics(data / f"run-{count}") if "loss" in line] for count in (1, 2))
    assert len(one) > 3
    assert two == pytest.approx(one, abs=1e-4)


@pytest.mark.slow
def test_what_a_sorted_file_teaches(data, cli):
    result = cli(*command("classify", "--epochs", "2", "--lr", "0.02", "--out", "run"))
    assert result.status == 0, result.err
    (data / "a.csv.gz").write_bytes(gzip.compress((data / "a.csv").read_bytes()))
    words = [word if word != "a.csv" else "a.csv.gz" for word in command("classify", "--epochs", "2", "--lr", "0.02")]
    assert cli(*words, "--out", "packed").status == 0
    one, two = (data / run / "model.safetensors" for run in ("run", "packed"))
    assert one.read_bytes() == two.read_bytes()
    config = json.loads((data / "run" / "config.json").read_text())["data"]
    assert config["train"]["examples"] + config["valid"]["examples"] == 1200
    assert sum(config["train"]["labels"].values()) == config["train"]["examples"]
    assert config["train"]["shards"] == 3
    assert max(line.get("valid_accuracy", 0) for line in metrics(data / "run")) > 0.9


@pytest.mark.parametrize("task", ["classify", "translate"])
def test_what_is_in_no_shards(data, cli, task):
    (data / "a.json").write_text('[{"text": "a", "label": "b"}]')
    words = [word if word not in ("a.csv", "p.txt") else "a.json" for word in command(task)]
    result = cli(*words, "--out", "run")
    assert result.status == 2
    assert "--shard-size: only" in result.err
    assert "a.json" in result.err
    assert len(result.err.splitlines()) == 1
