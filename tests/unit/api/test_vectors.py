"""`--vectors FILE`: what embeddings begin with, what stays still, what is refused."""

import numpy as np
import pytest
import torch

import ostinato
from ostinato.cli.main import main
from ostinato.core.errors import ConfigError, DataError
from tests.support import prose
from tests.unit.api.test_begin_from import STILL, TINY, label, number, tagged, texts

WIDTH = 7


@pytest.fixture
def file(tmp_path):
    """Vectors of all words but "mat", and of one that no text has."""
    draw, words = np.random.default_rng(0), sorted({*prose().split(), "elsewhere"} - {"mat"})
    vectors = {word: draw.normal(scale=3, size=WIDTH).astype(np.float32) for word in words}
    lines = (f"{word} {' '.join(map(str, vector))}\n" for word, vector in vectors.items())
    (tmp_path / "v.txt").write_text("".join(lines))
    return str(tmp_path / "v.txt"), vectors


def pairs(path):
    path.write_text("".join(f"{line}\t{' '.join(reversed(line.split()))}\n" for line in prose(80).splitlines()))
    return str(path)


def book(path):
    path.write_text(prose(100))
    return str(path)


#: Of each task: its data, options, and where which words are embedded.
CASES = {
    "lm": (book, {"level": "word", "steps": 10}, ("embedding",)),
    "classify": (lambda p: texts(p, 0, label), {"text": "text", "label": "said"}, ("input",)),
    "regress": (lambda p: texts(p, 0, number), {"text": "text", "target": "said"}, ("input",)),
    "tag": (lambda p: tagged(p, 0), {"char_hidden": 4}, ("embedding",)),
    "translate": (pairs, {"level": "word", "tied": False}, ("encoder.embedding", "decoder.embedding")),
}


def vocabularies(run):
    task = {"tag": lambda: [run.codec.vocabulary.words]}
    if run.config["task"] == "translate":
        return [run.codec.source.vocabulary, run.codec.target.vocabulary]
    return task.get(run.config["task"], lambda: [run.tokenizer.vocabulary])()


@pytest.mark.parametrize("task", CASES)
def test_embeddings_begin_with_the_vectors_of_known_words(task, file, tmp_path, capsys):
    name, vectors = file
    write, options, places = CASES[task]
    data = write(tmp_path / ("d.csv" if task in ("classify", "regress") else "d.txt"))
    run = ostinato.train(task, data, out=tmp_path / "run", vectors=name, **TINY | options | STILL)
    for place, words in zip(places, vocabularies(run), strict=True):
        weight = run.model.get_submodule(place).weight.detach()
        assert weight.shape[1] == WIDTH
        known = sorted(words.keys() & vectors.keys())
        assert len(known) == 13
        own = weight[[words[word] for word in known]].numpy()
        theirs = np.stack([vectors[word] for word in known])
        scale = (own * theirs).sum() / (theirs**2).sum()
        np.testing.assert_allclose(own, scale * theirs, rtol=1e-5, atol=1e-7)
        found = {"file": name, "found": 13, "words": len(words.keys() - {"<eos>", "<unk>"})}
        assert run.config["vectors"][place] == found
        assert 0.02 < float(weight[words["mat"]].square().mean().sqrt()) / np.sqrt(np.mean(own**2)) < 5
    assert f"13 of {found['words']} words begin with {name}" in capsys.readouterr().err


@pytest.mark.parametrize("task", CASES)
@pytest.mark.slow
def test_frozen_vectors_stay_and_the_rest_learns(task, file, tmp_path):
    write, options, places = CASES[task]
    data = write(tmp_path / ("d.csv" if task in ("classify", "regress") else "d.txt"))
    given = {**TINY, **options, "vectors": file[0], "lr": 0.05, "average": 0.0}
    still = ostinato.train(task, data, out=tmp_path / "still", freeze_vectors=True, **given)
    moves = ostinato.train(task, data, out=tmp_path / "moves", **given)
    begun = ostinato.train(task, data, out=tmp_path / "begun", **given | STILL)
    for name, weight in begun.model.state_dict().items():
        held = name.removesuffix(".weight") in places
        assert torch.equal(still.model.state_dict()[name], weight) == held, name
        assert not torch.equal(moves.model.state_dict()[name], weight), name
    again = ostinato.train(task, data, out=tmp_path / "still", resume=True, epochs=2)
    assert torch.equal(again.model.get_submodule(places[0]).weight, begun.model.get_submodule(places[0]).weight)


def test_what_is_refused(file, tmp_path):
    name, _ = file
    data, out = book(tmp_path / "d.txt"), tmp_path / "run"

    def train(match, kind=ConfigError, task="lm", source=data, **options):
        with pytest.raises(kind, match=match):
            ostinato.train(task, source, out=out, **{"vectors": name, "level": "word"} | options)
        assert not out.exists()

    train("--vectors: vectors are of words, and this model reads by char", level="char")
    train("--embed 5: the vectors of .* have 7 numbers", embed=5)
    train("--freeze-vectors would hold the output layer still too", freeze_vectors=True, tied=True)
    before = ostinato.train("lm", data, out=tmp_path / "before", level="word", steps=10, **TINY)
    train("--from and --vectors both say", from_run=before.folder.path)
    train("expected one file, or one for each of 1 vocabularies", vectors=f"{name},{name}")
    train("--freeze-vectors is for an embedding that begins with --vectors", vectors=None, freeze_vectors=True)
    train("cannot be read: No such file", kind=DataError, vectors="no.txt")
    (tmp_path / "other.txt").write_text("nada 1 2\n")
    train("has none of the words of the data", kind=DataError, vectors=str(tmp_path / "other.txt"))
    train("expected files of one width", kind=DataError, vectors=f"{name},{tmp_path / 'other.txt'}")


def test_a_task_of_numbers_has_no_such_option(file, tmp_path, capsys):
    words = ["train", "forecast", "x.csv", "--out", "run", "--target", "x", "--window", "3", "--horizon", "1"]
    assert main([*words, "--vectors", file[0]]) == 2
    assert "vectors" in capsys.readouterr().err
