"""`--from RUN`: a training that begins with another run's weights, what it takes over, and what it refuses."""

import csv
import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import ostinato
from ostinato.cli.main import main
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from tests.support import contents, metrics, prose

TINY = {"hidden": 6, "threads": 1, "dropout": 0.0, "epochs": 1, "batch": 8}
#: A rate at which no float32 changes: the weights at the end are those at the beginning.
STILL = {"lr": 1e-30, "average": 0.0, "weight_decay": 0.0, "epochs": 1}


def table(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def texts(path, seed, target):
    draw = random.Random(seed)
    rows = [(line, target(line, draw)) for line in prose(120, seed).splitlines()]
    return table(path, [("text", "said"), *rows])


def label(line, draw):
    return "yes" if "cat" in line else "no"


def number(line, draw):
    return f"{line.count('a') + draw.random():.3f}"


def tagged(path, seed):
    sentences = (line.split() for line in prose(60, seed).splitlines())
    blocks = ("".join(f"{word}\t{'N' if len(word) > 2 else 'F'}\n" for word in words) for words in sentences)
    path.write_text("\n".join(blocks) + "\n")
    return str(path)


def pairs(path, seed):
    path.write_text("".join(f"{line}\t{line[::-1]}\n" for line in (w[:5] for w in prose(80, seed).splitlines())))
    return str(path)


def series(path, seed):
    draw = np.random.default_rng(seed)
    values = 10 + np.sin(np.arange(160) / 3) + draw.normal(0, 0.1, 160)
    return table(path, [("load",), *((f"{value:.4f}",) for value in values)])


def book(path, seed):
    path.write_text(prose(60, seed))
    return str(path)


#: Of each task: how its data are written, and the options of the first run.
CASES = {
    "lm": (book, {"cell": "gru", "layers": 2, "steps": 10, "level": "word"}),
    "classify": (lambda p, s: texts(p, s, label), {"text": "text", "label": "said", "pooling": "mean"}),
    "regress": (lambda p, s: texts(p, s, number), {"text": "text", "target": "said", "level": "char"}),
    "tag": (tagged, {"char_hidden": 4, "embed": 5}),
    "translate": (pairs, {"level": "char", "embed": 5}),
    "forecast": (series, {"target": "load", "window": 8, "horizon": 3, "head": "point"}),
}


def names_of(task, tmp_path):
    ending = "csv" if task in ("classify", "regress", "forecast") else "txt"
    write, options = CASES[task]
    return write(tmp_path / f"one.{ending}", 0), write(tmp_path / f"two.{ending}", 1), options


@pytest.mark.parametrize("task", CASES)
def test_a_run_begins_with_the_weights_of_another(task, tmp_path):
    first, second, options = names_of(task, tmp_path)
    before = ostinato.train(task, first, out=tmp_path / "before", **TINY | options)
    after = ostinato.train(task, second, out=tmp_path / "after", from_run=tmp_path / "before", threads=1, **STILL)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("before", "after"))
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], name)
    config = json.loads((tmp_path / "after/config.json").read_text())
    digest = hashlib.sha256((tmp_path / "before/model.safetensors").read_bytes()).hexdigest()
    assert config["begun_from"] == {"run": str(tmp_path / "before"), "sha256": digest}
    assert config["model"] | {"word_dropout": 0} == before.config["model"] | {"word_dropout": 0}
    assert config["data"]["train"]["files"] == [second]
    if task != "forecast":  # whose windows are those that training was not given
        assert after.evaluate(second) == ostinato.load(tmp_path / "before").evaluate(second)


def test_captions_begin_with_another_run_of_features_as_wide(tmp_path):
    draw = np.random.default_rng(0)
    for name, width in (("one", 5), ("two", 5), ("wide", 6)):
        pictures = {f"{name}{n}.png": draw.normal(size=(3, width)).astype(np.float32) for n in range(30)}
        save_file(pictures, tmp_path / f"{name}.safetensors")
        lines = zip(pictures, prose(30, len(name)).splitlines(), strict=True)
        table(tmp_path / f"{name}.csv", [("image", "caption"), *lines])

    def train(data, out, **options):
        features = tmp_path / f"{data}.safetensors"
        return ostinato.train("caption", tmp_path / f"{data}.csv", out=tmp_path / out, features=features, **options)

    train("one", "before", level="word", **TINY)
    train("two", "after", from_run=tmp_path / "before", threads=1, **STILL)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("before", "after"))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], name)
    with pytest.raises(DataError, match="its model has feature_size = 5, this data asks for 6"):
        train("wide", "no", from_run=tmp_path / "before")


def test_from_another_run_training_learns(tmp_path):
    """It starts where the other ended: the first validation is better than a fresh run's."""
    (tmp_path / "one.txt").write_text(prose(200, 0))
    (tmp_path / "two.txt").write_text(prose(60, 1))
    shared = {"hidden": 24, "batch": 4, "steps": 20, "threads": 1, "dropout": 0.0}
    ostinato.train("lm", tmp_path / "one.txt", out=tmp_path / "one", epochs=6, **shared)
    own = {"epochs": 1, "batch": 4, "steps": 20, "threads": 1}
    ostinato.train("lm", tmp_path / "two.txt", out=tmp_path / "begun", from_run=tmp_path / "one", **own)
    ostinato.train("lm", tmp_path / "two.txt", out=tmp_path / "fresh", **shared | own)
    begun, fresh = (
        next(line["valid_loss"] for line in metrics(tmp_path / name) if "valid_loss" in line)
        for name in ("begun", "fresh")
    )
    assert begun < fresh - 0.3


@pytest.fixture
def run(tmp_path):
    (tmp_path / "book.txt").write_text(prose())
    options = {"hidden": 8, "batch": 4, "steps": 10, "threads": 1, "dropout": 0.0, "epochs": 1}
    ostinato.train("lm", tmp_path / "book.txt", out=tmp_path / "run", **options)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 9}, "--hidden 9: the run to begin with, .*, has 8; leave the option out"),
        ({"cell": "gru"}, "--cell gru: .* has lstm"),
        ({"embed": 3}, "--embed 3: .* has nothing"),
        ({"cell_options": ("forget_bias=1",)}, "--cell-options forget_bias=1: .* has nothing"),
        ({"level": "word"}, "--level word: .* has char"),
        ({"vocab_size": 20}, "--vocab-size 20: .* has nothing"),
    ],
)
def test_an_option_that_would_make_another_model_is_refused(run, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        ostinato.train("lm", tmp_path / "book.txt", out=tmp_path / "new", from_run=run, **options)
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_begun_with_is_refused(run, tmp_path):
    book, was = tmp_path / "book.txt", contents(run)
    with pytest.raises(RunFolderError, match="is the folder to write to"):
        ostinato.train("lm", book, out=run, from_run=run, overwrite=True)
    with pytest.raises(RunFolderError, match="no such run folder"):
        ostinato.train("lm", book, out=tmp_path / "new", from_run=tmp_path / "nothing")
    data = texts(tmp_path / "t.csv", 0, label)
    ostinato.train("classify", data, out=tmp_path / "labels", text="text", label="said", **TINY)
    with pytest.raises(RunFolderError, match="expected a run of task 'lm', found one of 'classify'"):
        ostinato.train("lm", book, out=tmp_path / "new", from_run=tmp_path / "labels")
    (run / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:-40])
    with pytest.raises(RunFolderError, match=r"model\.safetensors: damaged"):
        ostinato.train("lm", book, out=tmp_path / "new", from_run=run)
    assert not (tmp_path / "new").exists()
    assert {name for name in contents(run) if contents(run)[name] != was[name]} == {"model.safetensors"}


def test_an_imported_run_trains_on(tmp_path):
    """What no option says of its model stays: here a last layer of another width."""
    draw, words = np.random.default_rng(0), ["<unk>", "<eos>", *sorted(set(prose().split()))]
    shapes = {"encoder.weight": (len(words), 5), "decoder.weight": (len(words), 7), "decoder.bias": (len(words),)}
    for name, below, hidden in (("first", 5, 6), ("second", 6, 7)):
        own = {"weight_ih_l0": (4 * hidden, below), "weight_hh_l0": (4 * hidden, hidden)}
        own |= {"bias_ih_l0": (4 * hidden,), "bias_hh_l0": (4 * hidden,)}
        shapes |= {f"{name}.{of}": shape for of, shape in own.items()}
    save_file({name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}, "m.safetensors")
    Path("words.txt").write_text("\n".join(words))
    Path("book.txt").write_text(prose(80, 3))
    assert main(["import", "m.safetensors", "--out", "run", "--vocabulary", "words.txt"]) == 0
    before = ostinato.load("run")
    own = {"epochs": 4, "batch": 4, "steps": 10, "threads": 1, "lr": 0.02}
    after = ostinato.train("lm", "book.txt", out="new", from_run="run", **own)
    assert after.config["model"] == after.config["model"] | {"hidden_size": 6, "last_size": 7, "embed_size": 5}
    assert after.config["begun_from"]["imported"]["file"] == "m.safetensors"
    assert after.tokenizer.to_json() == before.tokenizer.to_json()
    assert after.evaluate("book.txt")["loss"] < before.evaluate("book.txt")["loss"] - 0.3
    again = ostinato.train("lm", "book.txt", out="again", from_run="new", **own)
    assert again.config["model"] == after.config["model"]
    with pytest.raises(ConfigError, match=r"--hidden 8: .* has 6"):
        ostinato.train("lm", "book.txt", out="no", from_run="new", hidden=8)


def test_labels_of_another_run_are_refused(tmp_path):
    data = texts(tmp_path / "one.csv", 0, label)
    ostinato.train("classify", data, out=tmp_path / "run", text="text", label="said", **TINY)
    other = texts(tmp_path / "two.csv", 0, lambda line, draw: "perhaps" if "mat" in line else label(line, draw))
    with pytest.raises(DataError, match=r"two\.csv.* the label 'perhaps' does not occur .* the run to begin with"):
        ostinato.train("classify", other, out=tmp_path / "new", from_run=tmp_path / "run")
    assert not (tmp_path / "new").exists()


def test_it_goes_on_without_the_run_it_began_with(run, tmp_path):
    """As if nothing had happened: the same weights as a training that was not interrupted."""
    book, own = tmp_path / "book.txt", {"batch": 4, "steps": 10, "threads": 1, "schedule": "constant"}
    ostinato.train("lm", book, out=tmp_path / "whole", from_run=run, epochs=2, **own)
    ostinato.train("lm", book, out=tmp_path / "halves", from_run=run, epochs=1, **own)
    run.rename(tmp_path / "moved")
    ostinato.train("lm", book, out=tmp_path / "halves", resume=True, epochs=2)
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "halves")


def test_the_command_takes_it_from_a_file_of_settings_too(run, tmp_path, capsys):
    (tmp_path / "s.toml").write_text(f'from = "{run}"\nepochs = 1\nbatch = 4\nsteps = 10\n')
    for number, given in enumerate((["--from", str(run), "--batch", "4", "--epochs", "1"], ["--config", "s.toml"])):
        words = ["train", "lm", "book.txt", "--out", f"n{number}", "--threads", "1", *given]
        assert main(words) == 0, capsys.readouterr().err
        config = json.loads((tmp_path / f"n{number}/config.json").read_text())
        assert (config["begun_from"]["run"], config["options"]["hidden"]) == (str(run), 8)
    assert main(["train", "lm", "book.txt", "--out", "n3", "--from", str(run), "--hidden", "9"]) == 2
    assert "--hidden 9: the run to begin with" in capsys.readouterr().err
