"""`--unlabelled TEXT`: a language model first, then the run that begins with it, in one command."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

import ostinato
from ostinato.cli.main import main
from ostinato.core.errors import ConfigError, DataError
from tests.support import metrics, prose
from tests.unit.api.test_begin_from import STILL, label, number, texts

SIZES = {"text": "text", "hidden": 6, "embed": 5, "layers": 2, "threads": 1, "dropout": 0.0, "batch": 8}


@pytest.fixture
def book(tmp_path):
    (tmp_path / "book.txt").write_text(prose(150, 5))
    return str(tmp_path / "book.txt")


@pytest.mark.parametrize(("task", "target", "named"), [("classify", label, "label"), ("regress", number, "target")])
def test_a_language_model_comes_first(task, target, named, book, tmp_path):
    data, options = texts(tmp_path / "t.csv", 1, target), {named: "said", "vocab_size": 300, "pretrain_epochs": 1}
    run = ostinato.train(task, data, out=tmp_path / "run", unlabelled=(book,), **SIZES | options | STILL)
    before = ostinato.load(tmp_path / "run.lm")
    assert before.config["task"] == "lm"
    assert before.config["options"]["epochs"] == 1
    assert run.config["begun_from"]["run"] == str(tmp_path / "run.lm")
    assert run.tokenizer.to_json() == before.tokenizer.to_json()
    assert run.tokenizer.level == "bpe"
    after = load_file(tmp_path / "run/model.safetensors")
    np.testing.assert_array_equal(after["input.weight"], before.model.embedding.weight.detach())
    np.testing.assert_array_equal(after["recurrent.weight_hh_l1"], before.model.recurrent.weight_hh_l1.detach())


def test_it_goes_on_where_it_was_stopped(book, tmp_path):
    """In the second part the first is not looked at any more; in the first it goes on with that."""
    data = texts(tmp_path / "t.csv", 1, label)
    options = SIZES | {"label": "said", "level": "char", "unlabelled": [book], "schedule": "constant"}
    ostinato.train("classify", data, out=tmp_path / "run", epochs=2, pretrain_epochs=1, **options)
    shutil.rmtree(tmp_path / "run")
    first = metrics(tmp_path / "run.lm")
    again = ostinato.train("classify", data, out=tmp_path / "run", resume=True, epochs=2, pretrain_epochs=1, **options)
    assert metrics(tmp_path / "run.lm") == first
    (tmp_path / "run.lm").rename(tmp_path / "gone")
    longer = ostinato.train("classify", data, out=tmp_path / "run", resume=True, epochs=3)
    assert longer.folder.resume_point.position().epoch == 3
    assert again.config["begun_from"] == longer.config["begun_from"]
    assert not (tmp_path / "run.lm").exists()


def test_what_is_refused_is_refused_before_anything_is_trained(book, tmp_path, capsys):
    data = texts(tmp_path / "t.csv", 1, label)
    options = SIZES | {"label": "said", "unlabelled": (book,)}
    with pytest.raises(DataError, match="nothing"):
        ostinato.train("classify", data, out=tmp_path / "run", **options | {"label": "nothing"})
    with pytest.raises(ConfigError, match=r"--unlabelled is text to learn the embedding .* but --vectors give"):
        ostinato.train("classify", data, out=tmp_path / "run", vectors="v.txt", **options)
    assert not (tmp_path / "run.lm").exists()
    ostinato.train("lm", book, out=tmp_path / "lm", hidden=6, threads=1, epochs=1, batch=4, steps=10)
    with pytest.raises(ConfigError, match=r"--unlabelled trains a language model .* --from names a run"):
        ostinato.train("classify", data, out=tmp_path / "run", from_run=tmp_path / "lm", text="text", label="said",
                       unlabelled=(book,))  # fmt: skip
    words = ["train", "classify", data, "--text", "text", "--label", "said", "--out", str(tmp_path / "run"), "--epochs"]
    words += ["1", "--hidden", "6", "--threads", "1", "--unlabelled", book, "--pretrain-epochs", "1", "--level", "char"]
    assert main([*words, "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["task"] for line in said] == ["classify"]
