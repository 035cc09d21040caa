"""`train transcribe`, from noisy frames to digits: learned, measured, written, resumed; and what is wrong with data."""

import csv
import json
import random

import msgspec
import pytest

import ostinato
from ostinato.cli.main import main
from ostinato.core.errors import DataError, RunFolderError
from tests.support import metrics

SMALL = {"label": "said", "id": "id", "values": "a,b,c", "hidden": 24, "threads": 1, "batch": 16}


def frames(symbol, draw):
    """A symbol lasts two to five frames, each its place on a circle with noise; the third channel is loudness."""
    place = int(symbol) % 4 if symbol.isdigit() else len(symbol) % 4
    shape = ((1, 0), (0, 1), (-1, 0), (0, -1))[place]
    return [(*(x + draw.gauss(0, 0.2) for x in shape), 1 + draw.gauss(0, 0.1)) for _ in range(draw.randrange(2, 6))]


def silence(draw):
    return [tuple(draw.gauss(0, 0.2) for _ in range(3)) for _ in range(draw.randrange(1, 4))]


def write(path, count, seed, digits="0123", between=""):
    draw = random.Random(seed)
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "said", "a", "b", "c"])
        for number in range(count):
            said = [draw.choice(digits) for _ in range(draw.randrange(1, 6))]
            steps = [frame for digit in said for frame in [*frames(digit, draw), *silence(draw)]]
            rows.writerows([f"s{number}", between.join(said), *map("{:.4f}".format, frame)] for frame in steps)
    return str(path)


@pytest.mark.slow
def test_digits_are_learned_without_alignment(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write("train.csv", 240, 0)
    write("test.csv", 60, 1)
    words = ["train", "transcribe", "train.csv", "--label", "said", "--id", "id", "--values", "a,b,c", "--out", "run"]
    words += [
        "--hidden",
        "24",
        "--threads",
        "1",
        "--batch",
        "16",
        "--epochs",
        "8",
        "--lr",
        "0.02",
        "--test",
        "test.csv",
    ]
    assert main([*words, "--json"]) == 0, capsys.readouterr().err
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["test"]["error_rate"] < 0.05
    assert summary["test"]["exact_match"] > 0.8
    assert main(["evaluate", "run", "test.csv", "--beam", "1", "--json"]) == 0
    greedy = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert greedy["error_rate"] < 0.08
    assert (greedy["examples"], greedy["unknown"]) == (60, 0)
    assert main(["predict", "run", "test.csv", "--output", "said.jsonl"]) == 0
    answers = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    truth = {row["id"]: row["said"] for row in csv.DictReader((tmp_path / "test.csv").read_text().splitlines())}
    right = sum(truth[answer["id"]] == answer["text"] for answer in answers)
    assert right / len(truth) == pytest.approx(summary["test"]["exact_match"])
    assert all(answer["log_probability"] < 1e-9 for answer in answers)
    with open("other.csv", "w") as file:  # columns of other names, and no labels
        file.write("n,x,y,z\n" + "".join(f"1,{x},{y},1\n" for x, y in [(0, 1)] * 3 + [(0, 0)] * 2 + [(-1, 0)] * 3))
    run = ostinato.load("run")
    (answer,) = run.predict("other.csv", id="n", values="x,y,z")
    assert (answer["id"], len(answer["text"]) > 0) == ("1", True)


def test_it_resumes_and_begins_with_another(tmp_path):
    data = write(tmp_path / "t.csv", 60, 0)
    own = SMALL | {"schedule": "constant"}
    ostinato.train("transcribe", data, out=tmp_path / "whole", epochs=2, **own)
    ostinato.train("transcribe", data, out=tmp_path / "halves", epochs=1, **own)
    ostinato.train("transcribe", data, out=tmp_path / "halves", resume=True, epochs=2)
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "halves")
    begun = ostinato.train("transcribe", data, out=tmp_path / "begun", from_run=tmp_path / "whole", epochs=1, threads=1)
    assert begun.config["model"]["hidden_size"] == 24
    with pytest.raises(DataError, match="symbol '9' does not occur among those of the run"):
        ostinato.train("transcribe", write(tmp_path / "nine.csv", 5, 0, "0129"), out=tmp_path / "no",
                       from_run=tmp_path / "whole")  # fmt: skip


def test_words_as_symbols(tmp_path):
    data = write(tmp_path / "t.csv", 60, 0, ("one", "two", "three", "seven"), " ")
    run = ostinato.train("transcribe", data, out=tmp_path / "run", symbols="words", epochs=1, **SMALL)
    assert run.config["symbols"] == ["one", "seven", "three", "two"]
    assert set(" ".join(answer["text"] for answer in run.predict(data)).split()) <= set(run.config["symbols"])
    found = run.evaluate(write(tmp_path / "other.csv", 10, 1, ("one", "nothing"), " "))
    assert 0.2 < found["unknown"] < 0.8


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("id,said,a\n1,22222,0\n1,22222,1\n2,3333,1\n3,3333,1\n4,2222,1\n", "fewer frames than its label has symbols"),
        ("id,said,a\n1,,0\n2,,1\n", "expected a label for each example, found none"),
        ("id,said,b\n1,2,0\n", "no column 'a'"),
    ],
)
def test_data_that_cannot_be_used(rows, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(rows)
    words = ["train", "transcribe", "t.csv", "--label", "said", "--id", "id", "--values", "a", "--out", "run"]
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run/config.json").exists()


def test_sequences_that_are_too_short_are_left_out_and_told(tmp_path):
    data = write(tmp_path / "t.csv", 40, 0)
    with open(data, "a") as file:
        file.write("short,3333,0,0,0\n")
    options = SMALL | {"seed": 3, "epochs": 1}
    with pytest.warns(UserWarning, match=r"1 frames for 4 symbols \(so in 1 sequences\).* left out of training"):
        ostinato.train("transcribe", data, valid=write(tmp_path / "v.csv", 5, 1), out=tmp_path / "run", **options)
    with pytest.raises(ValueError, match="--values and --id belong together"):
        ostinato.train("transcribe", data, out=tmp_path / "no", label="said", id="id")


def test_a_damaged_run_is_told(tmp_path):
    run = ostinato.train("transcribe", write(tmp_path / "t.csv", 30, 0), out=tmp_path / "run", epochs=1, **SMALL)
    config = msgspec.json.decode((tmp_path / "run/config.json").read_bytes())
    del config["symbols"]
    (tmp_path / "run/config.json").write_bytes(msgspec.json.encode(config))
    with pytest.raises(RunFolderError, match="symbols"):
        ostinato.load(run.folder.path)


def test_a_table_of_which_nobody_has_said_what_the_frames_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("said,a\n12,0.5\n")
    assert main(["train", "transcribe", "table.csv", "--out", "run"]) == 2
    said = capsys.readouterr().err
    assert "--values COL,COL --id COL --label COL" in said
    assert "--text" not in said
    assert not (tmp_path / "run").exists()
