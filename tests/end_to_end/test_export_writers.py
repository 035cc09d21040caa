"""Models that write, and transcribers, for NumPy and for torch.nn alone: numbers and texts are the run's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import ostinato
from ostinato import runtime
from ostinato.core.errors import ConfigError, DataError
from tests.end_to_end.test_export_whole import TINY, WITHOUT_TORCH, empty_batches, ran
from tests.end_to_end.test_transcribe import write as write_frames
from tests.unit.api.test_begin_from import pairs

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 60), "blue": (20, 40, 230)}


def captions(path, images):
    """Plain colours with noise, or features of one to four places; and what they show."""
    draw, rows, features = np.random.default_rng(1), ["image,caption"], {}
    folder = path.parent / "pictures"
    folder.mkdir()
    for number in range(30):
        word = list(COLOURS)[number % 3]
        rows += [f"{number}.png,a {word} wall", f"{number}.png,{word} all over"]
        if images:
            Image = pytest.importorskip("PIL.Image")
            pixels = np.clip(np.array(COLOURS[word]) + draw.normal(0, 20, (20, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
        features[f"{number}.png"] = draw.normal(size=(1 + number % 4, 3)).astype(np.float32)
    save_file(features, path.parent / "features.safetensors")
    path.write_text("\n".join(rows) + "\n")
    seen = {"images": str(folder)} if images else {"features": str(path.parent / "features.safetensors")}
    return str(path), seen


SMALL = {"embed": 4, "level": "char"}
slow = pytest.mark.slow
CASES = {
    "two layers": ("translate", SMALL | {"layers": 2}),
    "peeky": ("translate", SMALL | {"attention": "additive", "peeky": True, "reverse": True, "bidirectional": False,
                                    "tied": False, "cell": "gru"}),
    "fed": ("translate", {"embed": 4, "level": "bpe", "vocab_size": 300, "attention": "dot", "input_feeding": True,
                          "vocabularies": "separate"}),
    "words": ("translate", {"embed": 4, "level": "word", "attention": "none", "cell": "rnn"}),
    "projected": ("translate", SMALL | {"cell_options": ["proj_size=2"], "attention": "general"}),
    "frames": ("transcribe", {"label": "said", "id": "id", "values": "a,b,c"}),
    "one way": ("transcribe", {"label": "said", "id": "id", "values": "a,b,c", "bidirectional": False, "layers": 2,
                               "cell": "gru", "symbols": "words"}),
    "features": ("caption", {"embed": 4, "layers": 2, "level": "word"}),
    "pictures": ("caption", {"embed": 4, "level": "char", "picture_size": 16, "attention": "none"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, and what its model is asked; by the name of its case, each trained once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = train(name, tmp_path_factory.mktemp("runs"))
        return made[name]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ostinato.tasks.translate.task.available", lambda: False)  # draw no pictures
        yield of


def train(name, folder):
    task, options = CASES[name]
    if task == "translate":
        data, asked = pairs(folder / "pairs.txt", 0), ["the c", "a mat", "", "Zq!"]
    elif task == "transcribe":
        data, between = str(folder / "frames.csv"), " " if name == "one way" else ""
        write_frames(data, 24, 0, between=between)
        asked = np.random.default_rng(3).normal(size=(2, 9, 3))
    else:
        data, seen = captions(folder / "captions.csv", name == "pictures")
        options = options | seen
        asked = [f"{number}.png" for number in (0, 1, 2, 7)]
    run = ostinato.train(task, data, out=folder / "run", **TINY | options)
    with torch.no_grad():  # answers that differ from one input to the next
        for parameter in run.model.parameters():
            parameter.mul_(3)
    return run, asked


def answered(model, run, asked, **options):
    """What the file says of the same."""
    if run.config["task"] == "translate":
        return model.translate(asked, **options)
    if run.config["task"] == "transcribe":
        return model.transcribe(asked, **options)
    views = run.config["views"]
    if views["images"] is not None:
        return model.caption([Path(views["images"]) / name for name in asked], **options)
    from safetensors.numpy import load_file

    held = load_file(views["features"])
    return model.caption([held[name] for name in asked], **options)


def told(run, asked, folder, **options):
    """The run's own answers."""
    if run.config["task"] != "caption":
        return list(run.predict(asked if isinstance(asked, list) else list(asked), **options))
    (folder / "names.txt").write_text("\n".join(asked) + "\n")
    return list(run.predict(str(folder / "names.txt"), **options))


def cases(*quick):
    return pytest.mark.parametrize("name", [one if one in quick else pytest.param(one, marks=slow) for one in CASES])


@cases("two layers", "frames", "features")
@pytest.mark.filterwarnings("ignore")
def test_numpy_and_torch_write_what_the_run_writes(name, trained, tmp_path):
    run, asked = trained(name)
    for form, out in (("numpy", "model.npz"), ("torch", "theirs")):
        said = ostinato.export(run, to=form, out=tmp_path / out)
        assert said.difference < 1e-5
        assert said.checked == 20
    model = runtime.load(tmp_path / "model.npz", threads=1)
    for options in ({}, {"beam": 1}):
        expected, found = told(run, asked, tmp_path, **options), answered(model, run, asked, **options)
        if run.config["task"] == "transcribe":
            assert [one["text"] for one in found] == [one["text"] for one in expected]
            probabilities = [one["log_probability"] for one in found]
            np.testing.assert_allclose(probabilities, [one["log_probability"] for one in expected], 1e-5)
        else:
            assert found == expected
    texts = [one["text"] if isinstance(one, dict) else one for one in expected]
    assert len(set(texts)) > 1  # they are asked of something that answers differently


@cases("two layers")
@pytest.mark.filterwarnings("ignore")
def test_no_sequences_are_answered_as_by_the_run(name, trained, tmp_path):
    run, _ = trained(name)
    for answers in empty_batches(run, tmp_path):
        shapes = [[tuple(one.shape) for one in found] for found in answers]
        assert 0 in shapes[0][0]
        assert shapes[1:] == [shapes[0]] * 2


@pytest.mark.parametrize("name", ["two layers", pytest.param("frames", marks=slow), pytest.param("fed", marks=slow)])
@pytest.mark.filterwarnings("ignore")
def test_without_torch(name, trained, tmp_path):
    run, asked = trained(name)
    ostinato.export(run, to="numpy", out=tmp_path / "model.npz")
    if name == "frames":
        call = f"[one['text'] for one in model.transcribe({asked.tolist()!r})]"
        expected = [one["text"] for one in run.predict(list(asked))]
    else:
        call, expected = f"model.translate({asked!r})", list(run.predict(asked))
    assert ran(WITHOUT_TORCH.format(call, name == "fed"), tmp_path) == expected


WITHOUT_US = """
import json, os, sys
os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"] = "0"
sys.modules["ostinato"] = None
sys.path.insert(0, "theirs")
import numpy as np, torch
from model import load
model, given = load(), np.load("inputs.npz")
tensors = {name: torch.from_numpy(given[name]) for name in given.files if name != "target_inputs"}
if hasattr(model, "write"):
    print(json.dumps([model.write(**tensors, width=width)[0][0] for width in (1, 5)]))
else:
    scores = model(**tensors)
    print(json.dumps([model.best_path(scores[:n, row]) for row, n in enumerate(tensors["lengths"].tolist())]))
"""


@slow
@pytest.mark.parametrize("name", ["two layers", "features", "frames"])
@pytest.mark.filterwarnings("ignore")
def test_without_us(name, trained, tmp_path):
    run, _ = trained(name)
    ostinato.export(run, to="torch", out=tmp_path / "theirs")
    described = run.task.described(run)
    inputs = described.example(np.random.default_rng(7), 3, 11)
    np.savez(tmp_path / "inputs.npz", **inputs)
    tensors = {key: torch.from_numpy(array) for key, array in inputs.items() if key != "target_inputs"}
    found = ran(WITHOUT_US, tmp_path)
    if described.writes is not None:
        limit = run.config["decoding"]["max_length"]
        if name == "two layers":
            limit = min(limit, 2 * int(inputs["lengths"][0]) + 50)
        assert found == [described.writes(run.model, tensors, width, limit)[0][0] for width in (1, 5)]
    else:
        from ostinato.runtime.alignment import best_path

        with torch.no_grad():
            scores = run.model(**tensors).logits.double().log_softmax(-1).numpy()
        lengths = inputs["lengths"].tolist()
        assert found == [list(best_path(scores[:n, row]).symbols) for row, n in enumerate(lengths)]


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_read_is_told(trained, tmp_path):
    run, _ = trained("two layers")
    ostinato.export(run, to="numpy", out=tmp_path / "model.npz")
    model = runtime.load(tmp_path / "model.npz")
    with pytest.raises(DataError, match=r"texts\[1\]: expected a text, got int"):
        model.translate(["a", 3])
    with pytest.raises(ConfigError, match="beam: expected a width of at least 1, got 0"):
        model.translate(["a"], beam=0)


@slow
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_picture_is_told(trained, tmp_path):
    run, _ = trained("pictures")
    ostinato.export(run, to="numpy", out=tmp_path / "model.npz")
    model = runtime.load(tmp_path / "model.npz")
    with pytest.raises(DataError, match=r"no\.png: missing or damaged"):
        model.caption([tmp_path / "no.png"])
    with pytest.raises(DataError, match=r"seen\[0\]: expected bytes \[3, 16, 16\], got float64 of shape \(3, 16, 16\)"):
        model.caption([np.zeros((3, 16, 16))])
