"""Runs are written for other programs, checked against them, and what goes wrong leaves nothing behind."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

import ostinato
from ostinato.cli.main import main
from ostinato.config.export import FORMATS, Format
from tests.end_to_end.test_json import faults

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TEXT = "the cat sat on the mat and the dog sat on the log\n" * 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small language model."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(TEXT)
    options = {"hidden": 16, "embed": 8, "batch": 4, "steps": 10, "epochs": 2}
    ostinato.train("lm", folder / "text.txt", out=folder / "lm", level="char", **options)
    return str(folder / "lm")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def exported(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What the command says, which keeps to its schema."""
    capsys.readouterr()
    assert main(["export", *arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert not faults(said, "export")
    return said


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one message of a refusal that wrote nothing."""
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    assert main(["export", *arguments]) == 2
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("ostinato: ")
    assert len(err.splitlines()) == 1
    return err


def test_every_format_is_a_module():
    folder = Path(ostinato.__file__).parent / "api" / "exporting"
    assert {path.stem for path in folder.glob("*") if path.stem in get_args(Format)} == set(FORMATS)
    assert set(get_args(Format)) == set(FORMATS)


def test_a_language_model_writes_on_in_onnx_runtime(run, capsys):
    said = exported(capsys, run, "--to", "onnx", "--out", "lm.onnx")
    assert said["checked"] == 20
    assert said["difference"] < 1e-5
    assert [file["file"] for file in said["files"]] == ["lm.onnx"]
    assert said["files"][0]["bytes"] == Path("lm.onnx").stat().st_size

    session = runtime.InferenceSession("lm.onnx")
    known = session.get_modelmeta().custom_metadata_map
    vocabulary = json.loads(known["vocabulary"])
    start = json.loads(known["initial_state"])
    state = {name: np.full((1, 1, 16), value, np.float32) for name, value in start.items()}
    token, written = int(known["begin"]), ""
    for _ in range(60):
        feed = {"tokens": np.array([[token]]), "lengths": np.array([1]), **state}
        scores, _, *after = session.run(None, feed)
        state = dict(zip(state, after, strict=True))
        scores[..., int(known["unknown"])] = scores[..., int(known["eos"])] = -np.inf
        token = int(scores[0, 0].argmax())
        written += vocabulary[token]
    assert written == "".join(ostinato.load(run).generate("", length=60, greedy=True))


def test_texts_of_any_length_at_once(run):
    ostinato.export(run, to="onnx", out="folder", opset=18)
    session = runtime.InferenceSession("folder/model.onnx")
    model = ostinato.load(run).model
    lengths, tokens = torch.tensor([0, 1, 9]), torch.randint(0, 10, (9, 3))
    zeros = np.zeros((1, 3, 16), np.float32)
    feed = {"tokens": tokens.numpy(), "lengths": lengths.numpy(), "state_h": zeros, "state_c": zeros}
    scores, probabilities, h, _ = session.run(None, feed)
    for row, length in enumerate(lengths.tolist()):
        with torch.no_grad():
            expected = model(tokens[:length, row : row + 1])
            wanted, state = expected.logits()[:, 0], expected.state[0][:, 0]
        np.testing.assert_allclose(scores[:length, row], wanted, atol=1e-5)
        np.testing.assert_allclose(h[:, row], state, atol=1e-5)
    assert not h[:, 0].any()
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("nowhere", "--to", "onnx", "--out", "x"), "nowhere"),
        (("RUN", "--to", "onnx", "--out", "x", "--opset", "3"), "at least 15"),
        (("RUN", "--to", "onyx", "--out", "x"), "onyx"),
        (("RUN", "--to", "onnx", "--out", "there.onnx"), "--overwrite"),
        (("RUN", "--to", "onnx", "--out", "there"), "--overwrite"),
        (("RUN", "--to", "onnx", "--out", "there.onnx/model.onnx"), "cannot be written"),
    ],
)
def test_refusals_write_nothing(run, capsys, given, why):
    Path("there.onnx").write_text("mine")
    Path("there").mkdir()
    Path("there/mine.txt").write_text("mine")
    assert why in refusal(capsys, *(run if word == "RUN" else word for word in given))
