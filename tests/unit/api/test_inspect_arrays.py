"""`Run.inspect` without a folder: arrays, against the model called by itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import ostinato
from ostinato.core.errors import ConfigError

TEXT = "the cat (and 'the dog') sat on the mat.\n" * 40


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    (folder / "a.txt").write_text(TEXT)
    options = {"hidden": 6, "embed": 5, "epochs": 1, "batch": 4, "steps": 16, "cell": "lstm", "level": "char"}
    return ostinato.train("lm", str(folder / "a.txt"), out=str(folder / "run"), threads=1, **options)


def read(run, data, count):
    """The first tokens, and what the model gives for them, `<eos>` in front."""
    ids = run.tokenizer.encode(Path(data).read_text())[:count]
    row = torch.tensor([run.tokenizer.eos_id, *map(int, ids)]).unsqueeze(1)
    with torch.no_grad():
        return torch.tensor([int(token) for token in ids]), run.model(row)


@pytest.fixture
def data():
    Path("b.txt").write_text(TEXT[::-1])
    return "b.txt"


def test_nothing_is_written(run, data):
    for view in ("gates", "gradients", "units", "loss", "training"):
        run.inspect(view, data=data, read=200, steps=10)
    assert [path.name for path in Path().iterdir() if path.name != "cache"] == [data]


def test_gates(run, data):
    view = run.inspect("gates", data=data, read=50, tokens=20, units=3)
    assert "".join(view.pieces) == TEXT[::-1][:50]
    (record,) = view.records
    _, output = read(run, data, 50)
    np.testing.assert_allclose(record.states["h"][:, 0], output.hidden[:, 0], rtol=1e-4, atol=1e-6)
    moving = record.states["h"][:, 0].std(0)
    (shown,) = view.shown.values()
    assert shown.units == sorted(np.argsort(-moving)[:3].tolist())
    assert {array.shape for array in shown.arrays.values()} == {(20, 6)}
    forget = view.facts().layers[0].gates[1]
    assert (forget.gate, forget.function) == ("f", "sigmoid")
    assert forget.left == pytest.approx((record.gates["f"] < 0.1).mean())


def test_gradients(run, data):
    """Those of a loss that is computed here, by the state that the text is read from."""
    view = run.inspect("gradients", data=data, steps=10)
    assert [(model.trained, len(model.flows)) for model in view.models] == [(True, 1), *[(False, 1)] * 3]
    assert [model.flows[0].cell for model in view.models] == ["lstm", "rnn", "gru", "lstm"]
    norms = view.models[0].flows[0].norms["h"]
    assert norms.shape == (11, 16)
    ids = run.tokenizer.encode(TEXT[::-1])[: 2 * 16 * 10]
    streams = torch.tensor([int(token) for token in ids]).view(16, 20).T
    exact = run.model.double()
    try:
        shifted = torch.cat([torch.full((1, 16), run.tokenizer.eos_id), streams])
        shifted[0, 1:] = streams[-1, :-1]
        with torch.no_grad():
            state = exact(shifted[:10]).state
        h = state[0].requires_grad_()
        output = exact(shifted[10:20], (h, state[1]))
        loss = F.cross_entropy(output.logits()[-1], streams[-1], reduction="sum")
        (by_state,) = torch.autograd.grad(loss, h)
    finally:
        run.model.float()
    np.testing.assert_allclose(norms[0], by_state[0].norm(dim=1), rtol=1e-6)
    assert view.clipping.threshold == run.config["options"]["clip"]
    assert view.clipping.before.min() > 0
    np.testing.assert_array_equal(view.clipping.after, np.minimum(view.clipping.before, view.clipping.threshold))
    assert {len(norms) for norms in view.products.norms.values()} == {50}


def test_units(run, data):
    view = run.inspect("units", data=data, read=300, top=2)
    _, output = read(run, data, 300)
    np.testing.assert_allclose(view.states[0, "h"], output.hidden[1:, 0], rtol=1e-4, atol=1e-6)
    (key, best), _ = view.best["position in line"]
    values, position = view.of(*key, best.unit), view.properties["position in line"]
    assert best.score == pytest.approx(np.corrcoef(values[150:], position[150:])[0, 1])
    with pytest.raises(ConfigError, match=r"this run has the states 1.h.0 to 5, 1.c.0 to 5"):
        view.of(0, "h", 6)


def test_loss(run, data):
    view = run.inspect("loss", data=data, read=100, top=3)
    ids, output = read(run, data, 100)
    logits = output.logits()[:-1, 0].detach()
    np.testing.assert_allclose(view.found.losses, F.cross_entropy(logits, ids, reduction="none"), rtol=1e-4)
    np.testing.assert_array_equal(view.found.candidates, logits.topk(3).indices)
    first = [run.tokenizer.decode([int(token)]) for token in logits[0].topk(3).indices]
    assert view.candidates(1) == [first]
    assert view.facts().loss == pytest.approx(float(F.cross_entropy(logits, ids)), rel=1e-5)


def test_training(run):
    view = run.inspect("training")
    lines = [line for line in run.folder.metrics.read_text().splitlines() if "valid_loss" in line]
    (curves,) = view.curves.values()
    assert len(curves["valid_loss"]["value"]) == len(lines)
    assert view.facts().runs[0].run == str(run.folder.path)


def test_what_is_written_says_the_same(run, data):
    written = run.inspect("loss", "look", data=data, read=100)
    view = run.inspect("loss", data=data, read=100)
    assert written["kinds"] == [
        {"kind": s.kind, "tokens": s.tokens, "mean_loss": s.mean_loss, "share": s.share} for s in view.shares
    ]
    assert set(written["files"]) == {path.name for path in Path("look").iterdir()}
