"""`ostinato train regress`, from files to figures and answers."""

import csv
import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import ostinato
from ostinato.cli.main import main
from ostinato.core.errors import DataError
from tests.support import metrics

SMALL = ["--hidden", "8", "--lr", "0.02", "--epochs", "3", "--threads", "1", "--batch", "8"]
WORTH = {"fine": 2.0, "good": 1.0, "dull": -1.0, "poor": -2.0}


def texts(path, count, seed):
    draw = random.Random(seed)
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "stars", "size"])
        for _ in range(count):
            words = draw.choices(list(WORTH), k=3)
            rows.writerow([" ".join(words), 5 + sum(map(WORTH.get, words)), 1000 * words.count("fine")])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts("train.csv", 200, 1)
    texts("test.csv", 40, 2)
    return tmp_path


def trained(*more, out="run"):
    words = ["train", "regress", "train.csv", "--text", "text", "--target", "stars,size", "--hold-out", "0.2"]
    return main([*words, "--test", "test.csv", "--out", out, *SMALL, *more])


def test_texts_several_targets(home, capsys):
    assert trained("--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["targets"] == 2
    assert found["valid_r2"] > 0.5
    assert found["test"]["scaled_rmse"] < 0.7 * found["test"]["mean_scaled_rmse"]
    assert set(found["test"]["targets"]) == {"stars", "size"}
    run = ostinato.load("run")
    answers = run.predict("test.csv")
    with open("test.csv") as file:
        stars = np.array([float(row["stars"]) for row in csv.DictReader(file)])
    said = np.array([answer["stars"] for answer in answers])
    assert run.evaluate("test.csv")["targets"]["stars"]["mae"] == pytest.approx(np.abs(said - stars).mean(), rel=1e-5)
    with open("train.csv") as file:
        mean = np.mean([float(row["stars"]) for row in csv.DictReader(file)])
    assert run.config["target_scale"]["mean"][0] == pytest.approx(mean, abs=0.3)  # of those that were not held out
    (one,) = run.predict(["fine fine fine"])
    assert one["stars"] > 7
    assert main(["predict", "run", "test.csv", "--output", "said.csv"]) == 0
    with open("said.csv") as file:
        assert [float(row["size"]) for row in csv.DictReader(file)] == [answer["size"] for answer in answers]
    assert "RMSE" in (home / "run" / "README.md").read_text()


def test_stopped_and_resumed_is_the_same_run(work, spawn):
    texts("train.csv", 160, 1)
    course = ("--epochs", "4", "--log-every", "2", "--dropout", "0.1")
    command = ("train", "regress", "train.csv", "--text", "text", "--target", "stars,size", *SMALL, *course)
    assert main([*command, "--out", "whole"]) == 0
    started = spawn(*command, "--out", "killed", "--save-every", "0")
    started.wait_until(lambda: (work / "killed/metrics.jsonl").is_file() and len(metrics(work / "killed")) > 6)
    started.kill()
    assert main(["train", "regress", "train.csv", "--out", "killed", "--resume"]) == 0
    assert (work / "killed/model.safetensors").read_bytes() == (work / "whole/model.safetensors").read_bytes()
    assert metrics(work / "killed") == metrics(work / "whole")


@pytest.mark.slow
def test_two_processes_learn_what_one_does(work, spawn):
    texts("train.csv", 90, 1)
    # by SGD: Adam would make as much of the rounding of a gradient that is nearly zero as of any other
    course = ("--optimizer", "sgd", "--lr", "0.2", "--dropout", "0", "--word-dropout", "0", "--epochs", "2")
    command = ("train", "regress", "train.csv", "--text", "text", "--target", "stars,size", *SMALL, *course)
    one, two = spawn(*command, "--out", "one"), spawn(*command, "--out", "two", "--devices", "2")
    assert one.wait().status == two.wait().status == 0
    for name, tensor in load_file("one/model.safetensors").items():
        torch.testing.assert_close(load_file("two/model.safetensors")[name], tensor, rtol=1e-4, atol=1e-5)


def test_a_file_of_options_is_as_good_as_their_names(home):
    (home / "own.toml").write_text('loss = "huber"\ntarget = "stars,size"\ntext = "text"\nhold_out = 0.2\n')
    assert main(["train", "regress", "train.csv", "--config", "own.toml", "--out", "run", *SMALL]) == 0
    assert trained("--loss", "huber", out="named") == 0
    assert (home / "run/model.safetensors").read_bytes() == (home / "named/model.safetensors").read_bytes()


def test_tables_with_decimal_commas_and_tables_in_memory_are_as_good(home):
    pandas = pytest.importorskip("pandas")
    with open("train.csv") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [row[name] for row in rows] for name in ("text", "stars", "size")}
    with open("commas.csv", "w") as file:
        print("text;stars;size", file=file)
        for row in rows:
            print(row["text"], row["stars"].replace(".", ","), row["size"], sep=";", file=file)
    same = {"text": "text", "target": "stars,size", "hidden": 8, "epochs": 1, "threads": 1}
    frame = pandas.DataFrame(columns).astype({"stars": float, "size": float})
    of_commas = ostinato.train("regress", "commas.csv", out="commas", decimal=",", separator=";", **same)
    plain, held = (ostinato.train("regress", each, out=out, **same) for each, out in (("train.csv", "a"), (frame, "b")))
    expected = plain.predict("test.csv")
    assert held.predict("test.csv") == of_commas.predict("test.csv", decimal=".", separator=",") == expected
    assert plain.predict(pandas.read_csv("test.csv")) == expected
    assert plain.evaluate(pandas.read_csv("test.csv")) == plain.evaluate("test.csv")
    assert plain.evaluate(frame[:40]) != plain.evaluate("test.csv")
    renamed = frame.rename(columns={"stars": "points"})
    assert plain.evaluate(renamed, target="points,size") == plain.evaluate(frame)


@pytest.mark.parametrize("view", ["gates", "gradients"])
def test_inspect(view, home):
    assert trained("--epochs", "1") == 0
    assert main(["inspect", "run", view, "--data", "test.csv", "--out", "seen"]) == 0
    assert any((home / "seen").iterdir())


def test_numbers_from_a_long_table(home):
    with open("waves.csv", "w") as file:
        print("wave,level,pace", file=file)
        for wave in range(60):
            for step in range(8):
                print(f"{wave},{step * wave / 60},{wave / 10 if step else ''}", file=file)
    run = ostinato.train(
        "regress", "waves.csv", out="run", id="wave", values="level", target="pace", hold_out=0.2,
        hidden=8, epochs=6, threads=1,
    )  # fmt: skip
    answers = run.predict("waves.csv")
    assert [answer["id"] for answer in answers[:2]] == ["0", "1"]
    assert np.corrcoef([answer["pace"] for answer in answers], np.arange(60))[0, 1] > 0.9


def test_ts_with_a_target(home):
    lines = [f"{','.join(str(n * t / 40) for t in range(6))}:{n / 4}" for n in range(40)]
    head = "@problemName made\n@timestamps false\n@targetlabel true\n@data\n"
    (home / "made.ts").write_text(head + "\n".join(lines[:-1]) + "\n1,2,3,4,5,6:?\n")
    with pytest.warns(UserWarning, match=r"made.ts: line 44: no target \(so in 1 rows\); left out"):
        run = ostinato.train("regress", "made.ts", out="run", hidden=4, epochs=1, threads=1)
    assert run.config["targets"] == ["target"]
    assert run.config["data"]["train"]["examples"] == 39
    assert run.config["target_scale"]["mean"] == [pytest.approx(np.arange(39).mean() / 4)]


def test_huber_is_another_training(home):
    assert trained("--loss", "huber", out="huber") == 0
    assert trained() == 0
    huber, mse = (ostinato.load(name) for name in ("huber", "run"))
    assert huber.predict(["poor poor poor"]) != mse.predict(["poor poor poor"])


@pytest.mark.parametrize(
    ("table", "more", "said"),
    [
        ("text,stars\na,1\nb,two\n", (), "line 3: column 'stars': expected a number"),
        ("text,stars\na,1\nb,1\n", (), "expected different numbers to learn, got 1 as 'stars' of all 2 examples"),
        ("text,stars\na,\nb,\n", (), "expected numbers to learn for each example, found none at all"),
        ("text,stars\na,1\nb,2\n", ("--target", "text"), "--target text: that column is read"),
        ("text,stars\na,1\nb,2\n", ("--target", "stars,stars"), "--target stars,stars: expected different columns"),
        ("text,stars\na,1\nb,2\n", ("--target", "price"), "price"),
    ],
)
def test_bad_input_is_one_message(table, more, said, home, capsys):
    (home / "bad.csv").write_text(table)
    words = ["train", "regress", "bad.csv", "--text", "text", "--target", "stars", "--out", "run", *SMALL]
    assert main([*words, *more]) == 2
    err = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ostinato: ")]
    assert len(err) == 1
    assert said in err[0]
    assert not (home / "run").exists()


def test_two_targets_of_one_sequence(home):
    (home / "two.csv").write_text("id,x,y\na,1,2\na,2,3\nb,1,1\n")
    with pytest.raises(DataError, match=r"expected one target a sequence, got 3.0 and 2.0 for 'a'"):
        ostinato.train("regress", "two.csv", out="run", id="id", values="x", target="y")
