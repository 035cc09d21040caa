"""`find_lr` and `train --find-lr`: a rate for each task, and nothing written but the picture."""

import json
import math
import shlex
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator

import ostinato
from ostinato.cli.arguments import parse
from ostinato.cli.main import main
from tests.support import prose

ROOT = Path(__file__).parents[3]
SMALL = {"hidden": 8, "threads": 1}
FORECAST = {"target": "y", "window": 8, "horizon": 2, "batch": 16, **SMALL}
WORDS = ["good", "bad", "fine", "poor", "plot", "film"]


def texts(count=60):
    rows = [f"{WORDS[k % 4]} {WORDS[4 + k % 2]} {WORDS[(k * k) % 6]}" for k in range(count)]
    return {"text": rows, "label": ["ab"[k % 2] for k in range(count)], "n": [float(k % 4) for k in range(count)]}


def series(count=120):
    return {"y": [math.sin(0.3 * k) for k in range(count)]}


def files():
    Path("book.txt").write_text(prose(80))
    Path("pairs.tsv").write_text("".join(f"{k}+{k + 1}\t{2 * k + 1}\n" for k in range(80)))
    Path("tags.txt").write_text("".join(f"{WORDS[k % 6]} {'XY'[k % 2]}\n" + "\n" * (k % 5 == 0) for k in range(200)))


TASKS = {
    "lm": lambda: ("book.txt", {"steps": 10}),
    "classify": lambda: (texts(), {"text": "text", "label": "label"}),
    "regress": lambda: (texts(), {"text": "text", "target": "n"}),
    "tag": lambda: ("tags.txt", {}),
    "translate": lambda: ("pairs.tsv", {"level": "char"}),
    "forecast": lambda: (series(), {"target": "y", "window": 8, "horizon": 2}),
}


def test_a_rate_for_data_in_memory():
    state = torch.get_rng_state()
    found = ostinato.find_lr("forecast", series(), **FORECAST)
    assert torch.equal(torch.get_rng_state(), state)
    assert not list(Path().iterdir())
    assert (found.task, found.optimizer, found.command, found.picture) == ("forecast", "adamw", None, None)
    rates = [one.lr for one in found.tried]
    assert rates == sorted(rates)
    lowest = min((one for one in found.tried if one.smoothed is not None), key=lambda one: one.smoothed)
    assert 1e-5 < found.lr < lowest.lr
    assert found.verdict == (
        "too high" if found.used > 5 * found.lr else "too low" if found.used * 5 < found.lr else "fine"
    )
    assert f"{found.lr:g} is suggested" in found.sentence


def test_far_too_high_and_far_too_low_a_rate_are_called_so():
    data = series()
    high, low = (ostinato.find_lr("forecast", data, lr=lr, **FORECAST) for lr in (10.0, 1e-7))
    assert (high.verdict, low.verdict) == ("too high", "too low")
    assert (high.used, low.used) == (10.0, 1e-7)
    assert high.lr == low.lr


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("more", [{}, {"optimizer": "sgd", "accumulate": 2}], ids=["as it is", "sgd, accumulated"])
def test_every_task(task, more):
    files()
    data, options = TASKS[task]()
    before = sorted(Path().iterdir())
    found = ostinato.find_lr(task, data, **SMALL, **{"batch": 4, **options, **more})
    assert [path for path in sorted(Path().iterdir()) if path.name != "cache"] == before
    assert len(found.tried) > 20
    assert found.optimizer == more.get("optimizer", "adamw")


def test_the_command_writes_a_picture_and_leaves_a_run_alone(capsys):
    files()
    words = ["train", "lm", "book.txt", "--hidden", "8", "--batch", "4", "--steps", "10", "--threads", "1"]
    Path("run").mkdir()
    Path("run/mine").write_text("x")
    assert main([*words, "--out", "run", "--find-lr", "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out.splitlines()[-1])
    Draft202012Validator(json.loads((ROOT / "docs/schemas/find-lr.json").read_text())).validate(found)
    assert [path.name for path in Path("run").iterdir()] == ["mine"]
    assert found["picture"] == "find-lr-lm.png"
    assert Path("find-lr-lm.png").read_bytes().startswith(b"\x89PNG")
    assert "is suggested for adamw" in printed.err
    trains = parse(shlex.split(found["command"])[1:])
    assert (trains.text, trains.out, trains.training.lr) == (("book.txt",), "run", found["lr"])
    assert (trains.model.hidden, trains.training.batch, trains.training.steps) == (8, 4, 10)
    assert not trains.start.find_lr


def test_the_command_needs_no_out():
    options = parse(["train", "lm", "book.txt", "--find-lr"])
    assert (options.out, options.start.find_lr) == ("runs/lm", True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--picture", "a.png"], "--picture is what --find-lr draws"),
        (["--find-lr", "--picture", "a.pdf"], r"--picture a\.pdf: expected a name that ends in \.png or \.svg"),
        (["--find-lr", "--resume"], "--find-lr tries rates for a training's start"),
    ],
)
def test_what_does_not_go_together(words, message):
    with pytest.raises(ostinato.OstinatoError, match=message):
        parse(["train", "lm", "book.txt", "--out", "run", *words])


def test_a_picture_that_cannot_be_written(capsys):
    files()
    Path("file").write_text("")
    words = ["train", "lm", "book.txt", "--hidden", "4", "--batch", "2", "--steps", "5", "--threads", "1", "--find-lr"]
    assert main([*words, "--picture", "file/a.png"]) == 2
    assert "--picture file/a.png: cannot be written" in capsys.readouterr().err


def test_a_training_is_not_asked_to_find_a_rate():
    with pytest.raises(ostinato.OstinatoError, match=r"ostinato\.find_lr"):
        ostinato.train("forecast", series(), out="run", target="y", window=8, horizon=2, find_lr=True)
