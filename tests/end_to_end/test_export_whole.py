"""Whole models for NumPy and for torch.nn alone: in processes without torch, and without us, they answer as the run."""

import csv
import json
import runpy
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

import ostinato
from ostinato import runtime
from ostinato.api.exporting import describing
from ostinato.core.errors import ConfigError, DataError
from ostinato.interop.outgoing.described import flat
from tests.support import prose
from tests.unit.api.test_begin_from import label, number, pairs, tagged, texts

TINY = {"hidden": 6, "threads": 1, "dropout": 0.0, "epochs": 1, "batch": 8}
CELLS = {"rnn": "RNN", "rnn_relu": "RNN", "lstm": "LSTM", "gru": "GRU"}


def book(path):
    path = path.with_suffix(".txt")
    path.write_text(prose(60, 1))
    return str(path)


def moves(path):
    """Sequences of two channels, some of which are missing a number."""
    draw, rows = np.random.default_rng(1), [("of", "x", "y", "way")]
    for n in range(60):
        for step in range(draw.integers(1, 9)):
            x = "" if n == 3 and not step else f"{n % 2 * 2 - 1 + draw.normal():.3f}"
            rows.append((str(n), x, f"{draw.normal():.3f}", "up" if n % 2 else "down"))
    with path.with_suffix(".csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path.with_suffix(".csv"))


def loads(path):
    """Days with a load, the weather, and a kind of day that is known in advance, ten days beyond the end."""
    draw, rows = np.random.default_rng(2), [("day", "load", "weather", "kind")]
    for n in range(130):
        load, weather = (f"{20 + 5 * np.sin(n / 3) + draw.random():.3f}", f"{draw.random():.3f}")
        day = (date(2025, 1, 1) + timedelta(n)).isoformat()
        rows.append((day, *((load, weather) if n < 120 else ("", "")), "rest" if n % 7 > 4 else "work"))
    with path.with_suffix(".csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path.with_suffix(".csv"))


def lines(path):
    return texts(path.with_suffix(".csv"), 0, label)


def several(path):
    return texts(path.with_suffix(".csv"), 0, lambda line, draw: ";".join(w for w in ("cat", "mat") if w in line))


def counts(path):
    return texts(path.with_suffix(".csv"), 0, number)


def spans(path):
    path = path.with_suffix(".txt")
    rows = (line.split() for line in prose(60, 5).splitlines())
    tags = {"cat": "B-X", "mat": "I-X", "the": "B-Y"}
    path.write_text("\n".join("".join(f"{w}\t{len(w)}\t{tags.get(w, 'O')}\n" for w in words) for words in rows) + "\n")
    return str(path)


LOADS = {"target": "load", "time": "day", "past": "weather", "future": "kind", "window": 14, "horizon": 5, "season": 7}
NUMBERS = {"values": "x,y", "id": "of", "label": "way"}
slow = pytest.mark.slow
CASES = {
    "characters": ("lm", book, {"cell": "gru", "layers": 2}),
    "labels": ("classify", lines, {"text": "text", "label": "said"}),
    "spans": ("tag", spans, {"char_hidden": 4, "embed": 5, "features": "2"}),
    "quantiles": ("forecast", loads, LOADS),
    "documents": ("lm", book, {"cell": "lstm", "document_separator": "sat", "level": "char"}),
    "rare words": ("lm", book, {"level": "word", "adaptive": [5, 9], "hidden": 16, "cell": "rnn"}),
    "narrow": ("lm", book, {"level": "word", "tied": True, "layers": 2, "embed": 5, "hidden": 7}),
    "pieces": ("lm", book, {"level": "bpe", "vocab_size": 300, "cell_options": ["proj_size=4"]}),
    "moves": ("classify", moves, NUMBERS | {"pooling": "attention", "cell": "lstm"}),
    "side by side": ("classify", lines, {"text": "text", "label": "said", "pooling": "concat"}),
    "marks": ("classify", several, {"text": "text", "label": "said", "multi_label": ";", "pooling": "mean"}),
    "last": ("classify", moves, NUMBERS | {"bidirectional": False, "pooling": "last", "embed": 3, "cell": "rnn_relu"}),
    "counts": ("regress", counts, {"text": "text", "target": "said", "pooling": "last", "max_length": 5}),
    "tags": ("tag", lambda p: tagged(p.with_suffix(".txt"), 0), {"char_hidden": 0, "embed": 5, "cell": "gru"}),
    "normal": ("forecast", loads, LOADS | {"head": "gaussian", "cell": "rnn"}),
    "student": ("forecast", loads, LOADS | {"head": "student", "transform": "log", "cell": "gru"}),
    "point": ("forecast", loads, LOADS | {"head": "point", "decoding": "autoregressive"}),
}


def cases(*quick):
    """All of them, of which some are quick."""
    named = [name if name in quick else pytest.param(name, marks=slow) for name in CASES]
    return pytest.mark.parametrize("made", named, indirect=True, scope="module")


@pytest.fixture(scope="module")
def made(request, tmp_path_factory):
    """A run, the name of its case, and its data."""
    folder = tmp_path_factory.mktemp("runs")
    task, write, options = CASES[request.param]
    data = write(folder / "data")
    run = ostinato.train(task, data, out=folder / "run", **TINY | options)
    with torch.no_grad():  # answers that differ from one input to the next
        for name, parameter in run.model.named_parameters():
            parameter.mul_(1 if task == "lm" or "embedding" in name else 3)
    return run, request.param, data


def ran(script, folder):
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, check=False)
    assert not found.returncode, found.stderr
    return json.loads(found.stdout)


WITHOUT_TORCH = """
import json, sys, warnings
warnings.simplefilter("ignore")
sys.modules["torch"] = None
from ostinato import runtime
model = runtime.load("model.npz", threads=1)
print(json.dumps({}))
assert ("tokenizers" in sys.modules) == {}
"""


def asked(kind, data):
    """What is asked of the file, as an expression, and of the run."""
    if kind == "lm":
        ways = [{"seed": 1}, {"seed": 2, "temperature": 0.6, "top_k": 4}, {"seed": 3, "top_p": 0.7}, {"greedy": True}]
        return f"[model.generate('the cat', 40, **way) for way in {ways!r}]", lambda run: [
            "".join(run.generate("the cat", 40, **way)) for way in ways
        ]
    if kind == "tag":
        words = [line.split() for line in [*prose(5, 9).splitlines(), "a stranger in Abcdefghijklmnopqrstuvwxyzzz"]]
        beside = [[[str(len(word)) for word in own]] for own in words]
        return words, beside
    return None


def empty_batches(run, folder):
    """What the run, the NumPy runtime and the script of torch.nn answer to no sequences at all."""
    described = run.task.described(run)
    ostinato.export(run, to="torch", out=folder / "alone")
    ostinato.export(run, to="numpy", out=folder / "alone.npz")
    alone, light = runpy.run_path(str(folder / "alone" / "model.py"))["load"](), runtime.load(folder / "alone.npz")
    for T in (1, 5):
        inputs = described.example(np.random.default_rng(1), 0, T)
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        with torch.no_grad():
            yield described.outputs(run.model, tensors), list(flat(alone(**tensors))), [*flat(light.numbers(**inputs))]


@cases("characters", "spans", "quantiles")
@pytest.mark.filterwarnings("ignore")
def test_no_sequences_are_answered_as_by_the_run(made, tmp_path):
    for answers in empty_batches(made[0], tmp_path):
        shapes = [[tuple(one.shape) for one in found] for found in answers]
        assert 0 in shapes[0][0]
        assert shapes[1:] == [shapes[0]] * 2


@cases("characters", "labels", "spans", "quantiles")
@pytest.mark.filterwarnings("ignore")
def test_numpy_answers_as_the_run(made, tmp_path):
    run, name, data = made
    task = CASES[name][0]
    said = ostinato.export(run, to="numpy", out=tmp_path / "model.npz")
    assert said.difference < 1e-5
    assert said.checked == 20
    if task == "lm":
        expression, same = asked(task, data)
        assert ran(WITHOUT_TORCH.format(expression, name == "pieces"), tmp_path) == same(run)
    elif task == "tag":
        words, beside = asked(task, data)
        columns = beside if name == "spans" else []
        script = WITHOUT_TORCH.format(f"model.tag({words!r}, {columns!r})", False)
        assert ran(script, tmp_path) == run.codec.tag(run, words, features=columns)
    elif task == "forecast":
        rows, found = list(run.predict(data)), ran(WITHOUT_TORCH.format(f"model.predict({data!r})", False), tmp_path)
        assert [list(row) for row in rows] == [list(row) for row in found]
        for row, other in zip(rows, found, strict=True):
            assert row["day"] == other["day"]
            numbers = [key for key in row if key != "day"]
            np.testing.assert_allclose([other[k] for k in numbers], [row[k] for k in numbers], 2e-5)
    else:
        if name in ("moves", "last"):
            inputs = [[[0.3, -1.0], [1.0, float("nan")]], [[2.0, 0.1]]]
            expected = list(run.predict([np.array(one) for one in inputs]))
        else:
            inputs = [*prose(4, 9).splitlines(), "", "Cat?! sat; Über-cat\u0301"]
            expected = list(run.predict(inputs))
        script = WITHOUT_TORCH.format(f"model.predict({inputs!r})", False).replace("nan", "float('nan')")
        close(ran(script, tmp_path), expected)


def close(found, expected):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            close(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-6, rel=1e-5)
    else:
        assert found == expected


WITHOUT_US = """
import json, os, sys
os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"] = "0"  # it is installed, and would be asked for
sys.modules["ostinato"] = None
sys.path.insert(0, "theirs")
import numpy as np, torch
from model import load
model, given = load(), np.load("inputs.npz")
with torch.no_grad():
    found = model(**{name: torch.from_numpy(given[name]) for name in given.files})
found = found[0] if isinstance(found, tuple) else found
np.save("found.npy", found.numpy())
best = model.best(found[: given["lengths"][0], 0]) if hasattr(model, "best") else []
print(json.dumps({"classes": sorted({type(one).__name__ for one in model.modules()}), "best": best}))
"""


@cases("spans")
def test_torch_answers_as_the_run(made, tmp_path):
    run, name, _ = made
    said = ostinato.export(run, to="torch", out=tmp_path / "theirs")
    assert said.difference < 1e-5
    assert {Path(file.file).name for file in said.files} == {"model.py", "weights.pt", "about.json"}
    described = run.task.described(run)
    inputs = described.example(np.random.default_rng(7), 3, 11)
    np.savez(tmp_path / "inputs.npz", **inputs)
    found = ran(WITHOUT_US, tmp_path)
    with torch.no_grad():
        tensors = {key: torch.from_numpy(array) for key, array in inputs.items()}
        expected = described.outputs(run.model, tensors)[0]
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, rtol=1e-4, atol=1e-5)
    cell = CASES[name][2].get("cell", "gru" if CASES[name][1] is moves else "lstm")
    assert CELLS[cell] in found["classes"]
    if CASES[name][0] == "tag":
        from ostinato.tasks.tag.heads import decode_tags

        with torch.no_grad():
            best = decode_tags(run.model(**tensors), run.codec.constraints)
        assert found["best"] == best[: inputs["lengths"][0], 0].tolist()


def test_what_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "book.txt").write_text(prose())
    options = TINY | {"hidden": 6, "batch": 4, "steps": 10}
    mgu = ostinato.train("lm", tmp_path / "book.txt", out=tmp_path / "mgu", cell="min_gru", **options)
    held = ostinato.train("lm", tmp_path / "book.txt", out=tmp_path / "held", zoneout=0.1, **options)
    backwards = {"cell": "min_gru", "level": "char", "embed": 4}
    other = ostinato.train("translate", pairs(tmp_path / "p.txt", 0), out=tmp_path / "t", **TINY | backwards)
    for run, form, message in (
        (mgu, "torch", "torch.nn has no layer of cell 'min_gru'; --to onnx has every cell"),
        (mgu, "numpy", "--to numpy: cell 'min_gru': the runtime has .*; --to onnx has every cell"),
        (held, "torch", r"torch\.nn's layers have no zoneout=0\.1"),
        (other, "numpy", "--to numpy: cell 'min_gru': the runtime has .*; --to onnx has every cell"),
        (other, "torch", "torch.nn has no layer of cell 'min_gru'; --to onnx has every cell"),
    ):
        with pytest.raises(DataError, match=message):
            ostinato.export(run, to=form, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert ostinato.export(held, to="numpy", out=tmp_path / "held.npz").difference < 1e-5
    with pytest.raises(ConfigError, match="--opset: --to numpy has no use for it"):
        ostinato.export(held, to="numpy", out=tmp_path / "out", opset=18)


def test_a_file_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    (tmp_path / "book.txt").write_text(prose())
    run = ostinato.train("lm", tmp_path / "book.txt", out=tmp_path / "r", **TINY | {"batch": 4, "steps": 10})
    honest = describing.largest_difference

    def shifted(model, described, other, checks):
        return honest(model, described, lambda inputs: [one + 1e-3 for one in other(inputs)], checks)

    monkeypatch.setattr(describing, "largest_difference", shifted)
    for form in ("numpy", "torch"):
        with pytest.raises(DataError, match=r"gives other numbers than the run, 1\.0e-03 apart"):
            ostinato.export(run, to=form, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
