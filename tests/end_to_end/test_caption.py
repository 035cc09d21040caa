"""Captions from the command line: from pictures, from features, and what users get wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from safetensors.torch import load_file
from safetensors.torch import save_file as save_tensors

import ostinato
from tests.end_to_end.test_json import faults
from tests.support import contents

Image = pytest.importorskip("PIL.Image")

TINY = ("--hidden", "16", "--embed", "8", "--threads", "1", "--picture-size", "16")
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 60), "blue": (20, 40, 230)}


@pytest.fixture
def pictures(work):
    """Plain colours with noise, two captions each, and a damaged picture."""
    draw, rows, features = np.random.default_rng(1), ["image,caption"], {}
    Path("pictures").mkdir()
    for number in range(60):
        word = list(COLOURS)[number % 3]
        pixels = np.clip(np.array(COLOURS[word]) + draw.normal(0, 20, (20, 24, 3)), 0, 255).astype(np.uint8)
        name = f"{number}.png"
        Image.fromarray(pixels).save(f"pictures/{name}")
        features[name] = np.eye(3, dtype=np.float32)[number % 3] + draw.normal(0, 0.1, 3).astype(np.float32)
        rows += [f"{name},a {word} wall", f"{name},{word} all over"]
    Path("captions.csv").write_text("\n".join([*rows, "cut.png,a blue wall"]) + "\n")
    Path("pictures/cut.png").write_bytes(Path("pictures/0.png").read_bytes()[:60])
    save_file(features, "features.safetensors")
    Path("test.txt").write_text("0.png\n1.png\n2.png\n")
    return "captions.csv"


def of(result, schema):
    assert result.status == 0, result.err
    (line,) = result.out.splitlines()
    found = json.loads(line)
    assert not faults(found, schema)
    return found


@pytest.mark.parametrize(
    ("views", "attention"),
    [
        (("--images", "pictures"), "general"),
        (("--features", "features.safetensors"), "none"),
        pytest.param(("--images", "pictures"), "none", marks=pytest.mark.slow),
        pytest.param(("--features", "features.safetensors"), "general", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_train_evaluate_and_predict(pictures, cli, views, attention):
    words = ("train", "caption", pictures, "--out", "run", *views, "--attention", attention, "--test", "test.txt")
    result = cli(*words, *TINY, "--dropout", "0", "--lr", "0.005", "--epochs", "40", "--json")
    trained = of(result, "train-caption")
    assert "pictures are missing or damaged and were left out: cut.png" in result.err
    assert trained["test"]["examples"] == 3
    assert trained["test"]["exact_match"] == 1
    assert trained["test"] == of(cli("evaluate", "run", "test.txt", "--json"), "evaluate-caption")
    whole = of(cli("evaluate", "run", pictures, "--beam", "1", "--json"), "evaluate-caption")
    assert (whole["examples"], whole["left_out"]) == (60, 1)
    assert whole["exact_match"] == 1
    Path("names.txt").write_text("1.png\ncut.png\n2.png\n")
    lines = cli("predict", "run", "names.txt").out.split("\n")
    assert "green" in lines[0]
    assert lines[1] == ""
    assert "blue" in lines[2]
    if "--images" in views:
        assert "red" in cli("predict", "run", "pictures/3.png").out
    assert "exact_match" in ostinato.load("run").evaluate("test.txt")


def test_pictures_may_lie_elsewhere(pictures, cli):
    words = ("train", "caption", pictures, *TINY, "--epochs", "1")
    assert cli(*words, "--out", "run", "--images", "pictures").status == 0
    there = cli("predict", "run", "test.txt").out
    Path("pictures").rename("moved")
    gone = cli("predict", "run", "test.txt")
    assert (gone.status, "pictures: no such folder" in gone.err) == (2, True)
    assert cli("predict", "run", "test.txt", "--images", "moved").out == there
    found = cli("evaluate", "run", pictures, "--images", "moved", "--json")
    assert of(found, "evaluate-caption")["examples"] == 60
    assert ostinato.load("run").seeing(Path("moved")).predict("test.txt") == there.splitlines()
    wrong = cli("evaluate", "run", pictures, "--features", "features.safetensors")
    assert (wrong.status, "was trained on pictures; give --images" in wrong.err) == (2, True)
    both = cli("evaluate", "run", pictures, "--features", "features.safetensors", "--images", "moved")
    assert (both.status, "give one" in both.err) == (2, True)


@pytest.mark.slow
def test_two_processes_and_features_in_bfloat16(pictures, spawn):
    half = {name: tensor.bfloat16() for name, tensor in load_file("features.safetensors").items()}
    save_tensors(half, "half.safetensors")
    words = ("train", "caption", pictures, "--features", "half.safetensors", "--out", "run", "--devices", "2")
    result = spawn(*words, *TINY, "--epochs", "1", "--json").wait()
    assert result.status == 0, result.err


def test_a_list_of_names_says_what_is_not_trained_on(pictures, cli):
    words = ("train", "caption", pictures, "--features", "features.safetensors", "--out", "run", *TINY)
    assert cli(*words, "--epochs", "1").status == 0
    refused = cli(*words, "--epochs", "1", "--resume", "--test", "test.txt")
    assert (refused.status, "was started with test = None" in refused.err) == (2, True)
    Path("others.txt").write_text("never.png\n")
    unknown = cli("evaluate", "run", "others.txt")
    assert (unknown.status, "none of its 1 names" in unknown.err) == (2, True)
    Path("captions.csv").rename("moved.csv")
    gone = cli("evaluate", "run", "test.txt")
    assert (gone.status, "needs the captions that the run was made of" in gone.err) == (2, True)
    assert cli("evaluate", "run", "moved.csv").status == 0


BAD = {
    "no pictures": (["captions.csv"], "expected either --images DIR or --features FILE"),
    "both": (["captions.csv", "--images", "pictures", "--features", "features.safetensors"], "expected either"),
    "missing folder": (["captions.csv", "--images", "gone"], "gone: no such folder"),
    "missing features": (["captions.csv", "--features", "gone"], "gone: no such file"),
    "missing captions": (["gone.csv", "--images", "pictures"], "gone.csv: no such file"),
    "no caption column": (["test.csv", "--images", "pictures"], "no column 'caption'"),
    "damaged features": (["captions.csv", "--features", "captions.csv"], "not a safetensors file"),
    "all damaged": (["cut.csv", "--images", "pictures"], "1 of 1 pictures are missing or damaged"),
    "none left": (["captions.csv", "--images", "pictures", "--valid", "captions.csv"], "none is left to train on"),
    "unknown names": (["captions.csv", "--images", "pictures", "--test", "cut.txt"], "none of its 1 names"),
    "picture size": (["captions.csv", "--images", "pictures", "--picture-size", "20"], "a multiple of 16, got 20"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_one_message_and_nothing_written(pictures, cli, work, mistake):
    Path("test.csv").write_text("image,text\na.png,a\n")
    Path("cut.csv").write_text("image,caption\ncut.png,a\ngone.png,b\n")
    Path("cut.txt").write_text("never.png\n")
    words, message = BAD[mistake]
    before = contents(work)
    result = cli("train", "caption", *words, "--out", "new")
    text = " ".join(result.err.replace("│", " ").split())
    assert result.status == 2
    assert message in text
    assert "Traceback" not in text
    assert contents(work) == before
