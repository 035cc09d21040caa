"""Runs are written for other programs, checked against them, and what goes wrong leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

import ostinato
from ostinato.cli.main import main
from ostinato.config.export import FORMATS, Format
from ostinato.runtime.alignment import best_path
from ostinato.tasks.tag.reading import WordSequences
from tests.end_to_end.test_transcribe import write as write_frames

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


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


@pytest.mark.slow
def test_a_language_model_writes_on_in_onnx_runtime(run, exported):
    said = exported(run, "--to", "onnx", "--out", "lm.onnx")
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


@pytest.mark.slow
def test_sizes_are_fixed_on_request(run, exported):
    said = exported(run, "--to", "onnx", "--out", "fixed.onnx", "--sizes", "N=1", "T=4")
    assert said["checked"] == 20
    assert said["difference"] < 1e-5
    session = runtime.InferenceSession("fixed.onnx")
    assert {one.name: one.shape for one in session.get_inputs()} == {
        "tokens": [4, 1], "lengths": [1], "state_h": [1, 1, 16], "state_c": [1, 1, 16]
    }  # fmt: skip
    assert [one["axes"] for one in said["files"][0]["inputs"]] == [
        ["4", "1"],
        ["1"],
        ["1", "1", "16"],
        ["1", "1", "16"],
    ]
    assert session.get_outputs()[0].shape[:2] == [4, 1]
    exported(run, "--to", "onnx", "--out", "steps.onnx", "--sizes", "T=1")
    assert runtime.InferenceSession("steps.onnx").get_inputs()[0].shape == [1, "N"]


def test_empty_texts_and_no_texts_are_taken(run):
    ostinato.export(run, to="onnx", out="model.onnx")
    script = """
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
for T, N in ((0, 2), (3, 0), (0, 0)):
    state = np.random.default_rng(0).standard_normal((1, N, 16)).astype(np.float32)
    given = {"tokens": np.zeros((T, N), np.int64), "lengths": np.zeros(N, np.int64)}
    scores, _, h, c = session.run(None, given | {"state_h": state, "state_c": state})
    print(scores.shape[:2], np.array_equal(h, state), np.array_equal(c, state))
"""  # in a process of its own: ONNX Runtime's operators end it
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["(0, 2) True True", "(3, 0) True True", "(0, 0) True True"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("nowhere", "--to", "onnx", "--out", "x"), "nowhere"),
        (("RUN", "--to", "onnx", "--out", "x", "--opset", "3"), "at least 15"),
        (("RUN", "--to", "onnx", "--out", "x", "--sizes", "N=0"), "from 1 on"),
        (("RUN", "--to", "onnx", "--out", "x", "--sizes", "T=3", "T=4"), "each once"),
        (("RUN", "--to", "onnx", "--out", "x", "--sizes", "K=3"), "no axis 'K' is free here; there are T, N"),
        (("RUN", "--to", "numpy", "--out", "x", "--sizes", "N=3"), "no use for it"),
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


@pytest.mark.slow
def test_a_translator_writes_by_its_two_graphs(capsys, exported):
    Path("pairs.tsv").write_text("\n".join(f"one two {row % 9}\tuno dos {row % 9}" for row in range(60)))
    options = {"level": "char", "hidden": 32, "epochs": 60, "layers": 2, "cell": "indrnn"}
    trained = ostinato.train("translate", "pairs.tsv", out="run", **options)
    assert "expected a folder" in refusal(capsys, "run", "--to", "onnx", "--out", "x.onnx")
    said = exported("run", "--to", "onnx", "--out", "written")
    assert [file["file"] for file in said["files"]] == ["written/encoder.onnx", "written/step.onnx"]
    encoder, step = (runtime.InferenceSession(file["file"]) for file in said["files"])
    known = step.get_modelmeta().custom_metadata_map
    vocabulary, begin = json.loads(known["vocabulary"]), int(known["begin"])
    source = trained.codec.encode_sources(["one two 5"])[0].astype(np.int64)
    given = encoder.run(None, {"source": source[:, None], "lengths": np.array([len(source)])})
    state = dict(zip([port.name for port in encoder.get_outputs()], given, strict=True))
    token, written = begin, ""
    while True:
        out = step.run(None, {"tokens": np.array([token]), **state})
        found = dict(zip([port.name for port in step.get_outputs()], out, strict=True))
        state |= {name.replace("next_", "state_"): array for name, array in found.items() if name.startswith("next_")}
        scores = found["scores"][0]
        scores[json.loads(known["never_written"])] = -np.inf
        token = int(scores.argmax())
        if token == int(known["end"]):
            break
        written += vocabulary[token]
    assert [written] == trained.predict(["one two 5"], beam=1)


@pytest.mark.slow
def test_a_tagger_s_chain_is_in_its_metadata(capsys, exported):
    Path("data.conll").write_text("the\tO\nold\tB-A\ncat\tI-A\nsat\tO\n\n" * 40)
    trained = ostinato.train("tag", "data.conll", out="run", hidden=16, epochs=2)
    exported("run", "--to", "onnx", "--out", "tag.onnx")
    session = runtime.InferenceSession("tag.onnx")
    known = session.get_modelmeta().custom_metadata_map
    tags, chain = json.loads(known["tags"]), {k: np.array(v) for k, v in json.loads(known["chain"]).items()}
    words = ["the", "old", "old", "cat"]
    batch = WordSequences([words], trained.codec.vocabulary).collate(np.array([0]))
    feed = {"words": batch.inputs, "lengths": batch.lengths, **batch.more}
    feed = {name: np.asarray(feed[name]) for name in [port.name for port in session.get_inputs()]}
    scores = session.run(["scores"], feed)[0][:, 0]
    best, back = chain["start"] + scores[0], []
    for now in scores[1:]:
        each = best[:, None] + chain["transitions"]
        back.append(each.argmax(0))
        best = each.max(0) + now
    path = [int((best + chain["end"]).argmax())]
    for came in reversed(back):
        path.append(int(came[path[-1]]))
    assert [tags[tag] for tag in reversed(path)] == trained.codec.tag(trained, [words])[0]


@pytest.mark.slow
def test_a_transcriber_says_the_same(exported):
    write_frames("frames.csv", 24, 0)
    columns = {"label": "said", "id": "id", "values": "a,b,c"}
    transcriber = ostinato.train("transcribe", "frames.csv", out="frames", hidden=8, epochs=1, **columns)
    assert exported("frames", "--to", "onnx", "--out", "frames.onnx")["difference"] < 1e-5
    session = runtime.InferenceSession("frames.onnx")
    known = session.get_modelmeta().custom_metadata_map
    scaling, symbols = json.loads(known["scaling"]), json.loads(known["symbols"])
    frames = np.random.default_rng(1).normal(size=(9, 3))
    scaled = ((frames - scaling["mean"]) / scaling["deviation"]).astype(np.float32)
    _, log_probabilities = session.run(None, {"features": scaled[:, None], "lengths": np.array([9])})
    found = best_path(log_probabilities[:, 0].astype(np.float64))
    text = known["between_symbols"].join(symbols[symbol - 1] for symbol in found.symbols)
    (expected,) = transcriber.predict([frames], beam=1)
    assert text == expected["text"]
    assert found.log_probability == pytest.approx(expected["log_probability"], abs=1e-4)
