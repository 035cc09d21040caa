"""Run folders that somebody damaged, or made to be believed: one OstinatoError, whatever stands in them."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import ostinato
from ostinato.core import memory
from ostinato.core.errors import ConfigError, OstinatoError, RunFolderError
from tests.support import prose

SMALL = {"hidden": 6, "batch": 4, "threads": 1, "epochs": 1}
STRANGE = (None, "x", -1, 1e300, [], {}, True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A language model and a tagger, trained for a moment."""
    home = tmp_path_factory.mktemp("whole")
    (home / "book.txt").write_text(prose(60))
    (home / "tags.txt").write_text("the D\ncat N\n\na D\ndog N\n\n" * 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        ostinato.train("lm", home / "book.txt", out=home / "lm", steps=10, average=0.1, **SMALL)
        ostinato.train("tag", home / "tags.txt", out=home / "tag", embed=4, char_hidden=2, **SMALL)
    return home


@pytest.fixture
def runs(whole, tmp_path):
    """Copies of them to break."""
    shutil.copytree(whole, tmp_path / "runs")
    return tmp_path / "runs"


def resumed(runs):
    return ostinato.train("lm", runs / "book.txt", out=runs / "lm", resume=True, epochs=2)


def places(value, path=()):
    """The path of everything in a JSON object, but for the long lists' inside."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name)
            yield from places(item, (*path, name))


def changed(content, path, value):
    """A copy of a JSON object with another value at a path; ... takes the key out."""
    whole = json.loads(json.dumps(content))
    within = whole
    for key in path[:-1]:
        within = within[key]
    if value is ...:
        del within[path[-1]]
    else:
        within[path[-1]] = value
    return whole


@pytest.mark.slow
@pytest.mark.parametrize(("task", "data"), [("lm", "book.txt"), ("tag", "tags.txt")])
def test_whatever_a_configuration_says(runs, task, data):
    config = json.loads((runs / task / "config.json").read_text())
    refused = 0
    for number, path in enumerate(places(config)):
        for value in (..., STRANGE[number % len(STRANGE)], STRANGE[(number + 3) % len(STRANGE)]):
            (runs / task / "config.json").write_text(json.dumps(changed(config, path, value)))
            try:
                ostinato.load(runs / task).evaluate(runs / data)
            except OstinatoError:
                refused += 1
    assert refused > 40


@pytest.mark.parametrize(
    ("name", "value"), [("vocab_size", 300_000_000), ("hidden_size", 10**9), ("num_layers", 10**6)]
)
def test_sizes_are_not_believed(runs, monkeypatch, name, value):
    """9.7 GB were taken before anybody looked at the weights."""
    config = json.loads((runs / "lm/config.json").read_text())
    (runs / "lm/config.json").write_text(json.dumps(changed(config, ("model", name), value)))
    with pytest.raises(RunFolderError, match=r"not fit config.json|num_layers is 1000000|overflowed"):
        ostinato.load(runs / "lm")


@pytest.mark.parametrize("file", ["config.json", "checkpoint/latest.json", "tokenizer.json"])
@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "[]", "3", '"\\ud800"', "", "\udcff", "{}"])
def test_whatever_json(runs, file, content):
    (runs / "lm" / file).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(OstinatoError, match=file.split("/")[-1]):
        resumed(runs) if file.startswith("checkpoint") else ostinato.load(runs / "lm")


@pytest.mark.parametrize("kind", [torch.int8, torch.bool, torch.float8_e4m3fn, "nan", "missing", "more", "pipe", "cut"])
def test_whatever_weights(runs, kind):
    file = runs / "lm/model.safetensors"
    tensors = load_file(file)
    first = sorted(tensors)[0]
    if kind == "nan":
        tensors[first].view(-1)[0] = float("nan")
    elif kind == "missing":
        del tensors[first]
    elif kind == "more":
        tensors["more"] = torch.zeros(1)
    elif isinstance(kind, torch.dtype):
        tensors[first] = tensors[first].to(kind)
    save_file(tensors, file)
    if kind == "pipe":
        file.unlink()
        os.mkfifo(file)
    elif kind == "cut":
        file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(RunFolderError, match=r"model\.safetensors: "):
        ostinato.load(runs / "lm")


def test_a_pipe_is_not_waited_for(runs):
    (runs / "lm/tokenizer.json").unlink()
    os.mkfifo(runs / "lm/tokenizer.json")
    with pytest.raises(RunFolderError, match=r"tokenizer\.json: expected a file"):
        ostinato.load(runs / "lm")


@pytest.mark.slow
def test_whatever_a_checkpoint_says(runs, whole):
    latest = json.loads((runs / "lm/checkpoint/latest.json").read_text())
    refused = 0
    for number, path in enumerate(places(latest)):
        shutil.rmtree(runs / "lm")
        shutil.copytree(whole / "lm", runs / "lm")
        broken = json.dumps(changed(latest, path, (..., *STRANGE)[number % (len(STRANGE) + 1)]))
        (runs / "lm/checkpoint/latest.json").write_text(broken)
        try:
            resumed(runs)
        except OstinatoError:
            refused += 1
    assert refused > 8


def test_whatever_tensors_a_checkpoint_has(runs, whole):
    (name,) = (path.name for path in (whole / "lm/checkpoint").glob("*.safetensors"))
    tensors = load_file(whole / "lm/checkpoint" / name)
    for number, key in enumerate(sorted(tensors)):
        broken = dict(tensors)
        if number % 3 == 0:
            del broken[key]
        else:
            broken[key] = torch.zeros(3, 1, 2) if number % 3 == 1 else tensors[key].to(torch.int8)
        shutil.rmtree(runs / "lm")
        shutil.copytree(whole / "lm", runs / "lm")
        save_file(broken, runs / "lm/checkpoint" / name)
        with pytest.raises(OstinatoError, match="checkpoint"):
            resumed(runs)


def test_a_model_that_does_not_fit_is_refused_before_anything_is_written(runs, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1 << 30)
    with pytest.raises(ConfigError, match=r"of 4\d\d,\d{3},\d{3} parameters.* takes .* GiB of memory, and 1.0 GiB are"):
        ostinato.train("lm", runs / "book.txt", out=runs / "new", hidden=10_000, threads=1)
    assert not (runs / "new").exists()
    with pytest.raises(ConfigError, match="--layers: expected at most 1,000, got 1,000,000"):
        ostinato.train("lm", runs / "book.txt", out=runs / "new", layers=10**6)
    with pytest.raises(ConfigError, match="--threads: expected at most 1,024, got 100,000"):
        ostinato.train("lm", runs / "book.txt", out=runs / "new", threads=100_000)


@pytest.mark.parametrize(
    "line", ['{"step": 3, "loss": 1.0}', "[" * 100_000, '{"step": [], "loss": 1.0}', "3", '{"a": "b"}']
)
def test_whatever_metrics(runs, line):
    from ostinato.inspection import training_curves

    file = runs / "lm/metrics.jsonl"
    whole = file.read_text()
    file.write_text(f"{whole}{line}\n{whole}")
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl, line \d+: damaged"):
        training_curves(file)


def test_damaged_test_figures_keep_nobody_from_the_weights(runs):
    (runs / "lm/test.json").write_text("{")
    with pytest.warns(UserWarning, match=r"test\.json: damaged.*; its figures are left out"):
        run = ostinato.load(runs / "lm")
    assert run.test is None
