"""Losses and candidates against a loop over single tokens; kinds of tokens; curves."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from ostinato.core.errors import RunFolderError
from ostinato.inspection import loss_by_kind, predictions, training_curves
from ostinato.inspection.candidates import kind
from ostinato.tasks.lm.model import LanguageModel


@pytest.mark.parametrize("cutoffs", [(), (5,)])  # an adaptive softmax has no matrix of all tokens
@pytest.mark.parametrize("scores", [4_000_000, 30])  # 30: two steps of 11 at a time
def test_a_loop_over_single_tokens(scores, cutoffs, monkeypatch):
    monkeypatch.setattr("ostinato.inspection.candidates._SCORES", scores)
    torch.manual_seed(0)
    model = LanguageModel(11, 6, 8, dropout=0.5, cutoffs=cutoffs).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.7)
    ids = np.random.default_rng(0).integers(0, 11, 300).astype(np.uint16)
    found = predictions(model, ids, start=4, top=3)
    state, token = None, 4
    for t, target in enumerate(ids):
        with torch.no_grad():
            output = model(torch.tensor([[token]]), state)
        p = torch.softmax(output.logits()[0, 0].detach().double(), -1).numpy()
        assert found.losses[t] == pytest.approx(-np.log(p[target]), rel=1e-4)
        best = np.argsort(-p)[:3]
        assert found.candidates[t].tolist() == best.tolist()
        assert found.probabilities[t] == pytest.approx(p[best], rel=1e-4)
        state, token = output.state, int(target)
    assert predictions(model, [], start=4).losses.shape == (0,)


KINDS = {
    ("a", ""): "begins a word",
    ("a", "b"): "within a word",
    (" the", "."): "begins a word",
    ("ing", "g"): "within a word",
    ("7", "a"): "digit",
    (" ", "a"): "blank",
    ("  ", "\n"): "blank, indenting",
    ("\n", "a"): "line end",
    (",", "a"): "punctuation",
    ("", "a"): "no text",
}


@pytest.mark.parametrize(("given", "expected"), KINDS.items())
def test_kinds(given, expected):
    assert kind(*given) == expected


def test_shares_add_up():
    shares = loss_by_kind(np.array([1.0, 2.0, 0.5, 0.5, 4.0]), ["a", "b", "\n", " ", " "])
    assert [(s.kind, s.tokens, s.mean_loss) for s in shares] == [
        ("blank, indenting", 2, 2.25), ("within a word", 1, 2.0), ("begins a word", 1, 1.0), ("line end", 1, 0.5)
    ]  # fmt: skip
    assert sum(s.share for s in shares) == pytest.approx(1)


def test_what_the_vocabulary_has_not_is_no_punctuation():
    shares = loss_by_kind(np.array([1.0, 2.0, 3.0]), ["the", " <unk>", ","], [False, True, False])
    assert [(s.kind, s.mean_loss) for s in shares] == [("punctuation", 3.0), ("unknown", 2.0), ("begins a word", 1.0)]


def test_curves(tmp_path):
    lines = [
        {"step": 1, "tokens": 10, "loss": 2.0, "lr": 0.1, "tokens_per_second": 5.0, "seconds": 1},
        {"step": 1, "tokens": 10, "valid_loss": 2.5, "best": True, "seconds": 2},
        {"step": 2, "tokens": 20, "loss": 1.0, "lr": 0.1, "tokens_per_second": 6.0, "seconds": 3},
    ]
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = training_curves(file)
    assert found["loss"]["value"].tolist() == [2.0, 1.0]
    assert found["loss"]["tokens"].tolist() == [10, 20]
    assert found["valid_loss"]["seconds"].tolist() == [2]
    assert found["speed"]["value"].tolist() == [5.0, 6.0]
    file.write_text("{\n{}\n")
    with pytest.raises(RunFolderError, match="line 1: damaged"):
        training_curves(file)
    file.write_text("")
    with pytest.raises(RunFolderError, match="nothing is logged yet"):
        training_curves(file)
    with pytest.raises(RunFolderError, match="expected the metrics"):
        training_curves(tmp_path / "none.jsonl")
