"""Runs of an earlier version, stopped on their way: they load, give the figures of then, and go on to the end of then.

`tests/golden/trained` was made by commit fecddad; the expected figures are what it
printed then. The data was made up by a script. Other processors round otherwise, hence the tolerances.
"""

import json
import shutil
from pathlib import Path

import pytest

import ostinato
from ostinato.cli.main import main

GOLDEN = Path(__file__).parents[1] / "golden" / "trained"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("lm", "valid.txt", {"tokens": 447, "loss": 2.773974895477295}),
        (
            "tag",
            "valid.conll",
            {"tokens": 95, "accuracy": 0.42105263157894735, "constant_accuracy": 0.3157894736842105},
        ),
    ],
)
def test_it_evaluates_to_the_figures_of_then(runs, name, data, expected):
    figures = ostinato.load(name).evaluate(data)
    assert {key: figures[key] for key in expected} == pytest.approx(expected, rel=1e-5)


def test_it_forecasts_what_it_did(runs):
    rows = list(ostinato.load("forecast").predicted_lines("sales.csv"))
    assert len(rows) == 1 + 7
    cells = rows[1].split(",")
    assert cells[0] == "2024-04-30"
    expected = [11.019873379131605, 8.569946374078334, 14.278367238642868, 7.397794768481761, 15.528180234899033]
    assert [float(cell) for cell in cells[1:]] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "data", "steps", "expected"),
    [
        ("lm", "book.txt", 228, {"valid_loss": 2.761742836720235}),
        ("tag", "words.conll", 48, {"valid_loss": 1.3256341218948364, "valid_accuracy": 0.6210526315789474}),
        ("forecast", "sales.csv", 200, {"valid_loss": 0.1633458137512207, "valid_mase": 0.27128136132990815}),
    ],
)
def test_it_goes_on_to_the_end_of_then(runs, name, data, steps, expected):
    run = ostinato.train(name, data, out=name, resume=True)
    lines = (runs / name / "metrics.jsonl").read_text().splitlines()
    validations = [entry for entry in map(json.loads, lines) if "valid_loss" in entry]
    assert validations[-1]["step"] == steps
    kept = [entry for entry in validations if entry["best"]][-1]
    assert {key: kept[key] for key in expected} == pytest.approx(expected, rel=1e-3)
    assert run.config["task"] == name


def test_it_is_asked_for_nothing_that_it_does_not_do(runs, capsys):
    assert main(["evaluate", "lm", "valid.txt", "--dynamic", "0.1", "--retrain"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    expected = "--retrain: a run of task 'lm' has no use for it in evaluate, only of forecast; leave it out"
    assert expected in said.err
