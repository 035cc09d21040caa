"""`--from` a language model into another task: what is taken over, what is refused, and that it resumes to the bit."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import ostinato
from ostinato.cli.main import main
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.training.loop import Trainer
from tests.support import metrics, prose
from tests.unit.api.test_begin_from import STILL, TINY, label, number, texts


@pytest.fixture
def lm(tmp_path):
    (tmp_path / "book.txt").write_text(prose(100, 5))
    options = {"level": "word", "layers": 2, "embed": 5, "steps": 10, "cell_options": ("forget_bias=1",)}
    ostinato.train("lm", tmp_path / "book.txt", out=tmp_path / "lm", **TINY | options)
    return tmp_path / "lm"


@pytest.mark.parametrize(("task", "target", "named"), [("classify", label, "label"), ("regress", number, "target")])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_language_models_layers_are_taken_over(task, target, named, bidirectional, lm, tmp_path):
    data, options = texts(tmp_path / "t.csv", 1, target), {"text": "text", named: "said", "threads": 1}
    run = ostinato.train(task, data, out=tmp_path / "new", from_run=lm, bidirectional=bidirectional, **options | STILL)
    before, after = ostinato.load(lm), load_file(tmp_path / "new/model.safetensors")
    given = before.model.state_dict()
    np.testing.assert_array_equal(after["input.weight"], given["embedding.weight"])
    for name, weight in before.model.recurrent.state_dict().items():
        own = after[f"recurrent.{name}"]
        wider = np.zeros_like(own)
        wider[tuple(map(slice, weight.shape))] = weight
        np.testing.assert_allclose(own, wider, rtol=0, atol=1e-20, err_msg=name)
    assert run.tokenizer.to_json() == before.tokenizer.to_json()
    sizes = {"embed_size": 5, "hidden_size": 6, "num_layers": 2, "cell": "lstm", "forget_bias": 1}
    assert run.config["model"] == run.config["model"] | sizes
    begun = run.config["begun_from"]
    assert (begun["run"], begun["task"]) == (str(lm), "lm")


def test_a_last_layer_of_a_width_of_its_own_stays_behind(tmp_path):
    """That of tied weights: the layers below it are as in a model without it."""
    (tmp_path / "book.txt").write_text(prose(100, 5))
    sizes = {"level": "word", "layers": 3, "embed": 4, "tied": True, "steps": 10}
    lm = ostinato.train("lm", tmp_path / "book.txt", out=tmp_path / "tied", **TINY | sizes)
    data = texts(tmp_path / "t.csv", 1, label)
    options = {"text": "text", "label": "said", "bidirectional": False, "threads": 1}
    run = ostinato.train("classify", data, out=tmp_path / "new", from_run=tmp_path / "tied", **options | STILL)
    given = lm.model.recurrent.state_dict()
    assert run.model.recurrent.num_layers == 2 == lm.model.recurrent.num_layers
    assert given.keys() == run.model.recurrent.state_dict().keys()
    for name, weight in run.model.recurrent.state_dict().items():
        torch.testing.assert_close(weight, given[name], rtol=0, atol=1e-20)


def test_a_tagger_reads_the_words_that_a_language_model_knows(lm, tmp_path):
    """The words of both, and what the language model's layers say of them as long as spelling counts nothing."""
    (tmp_path / "t.txt").write_text("The\tF\ndog\tN\n\nit\tF\nsat\tN\n\n" * 20)
    run = ostinato.train(
        "tag", tmp_path / "t.txt", out=tmp_path / "new", from_run=lm, char_hidden=3, threads=1, **STILL
    )
    before, words = ostinato.load(lm), run.codec.vocabulary.words
    assert words.keys() == {"the", "dog", *prose(100, 5).split()}
    given = before.model.embedding.weight
    for word in ("the", "mat", "it"):
        own = run.model.embedding.weight[words[word]]
        torch.testing.assert_close(own, given[before.tokenizer.vocabulary[word]], rtol=0, atol=1e-20)
    torch.testing.assert_close(run.model.embedding.weight[0], given[before.tokenizer.unk_id], rtol=0, atol=1e-20)
    read = ["the", "cat", "sat"]
    theirs, _ = before.model.recurrent(given[[before.tokenizer.vocabulary[word] for word in read]].unsqueeze(1))
    x = torch.cat([run.model.embedding.weight[[words[word] for word in read]], torch.randn(3, 6)], -1)
    torch.testing.assert_close(run.model.recurrent(x.unsqueeze(1))[0][..., :6], theirs, rtol=1e-5, atol=1e-6)
    (tmp_path / "letters.txt").write_text(prose())
    ostinato.train("lm", tmp_path / "letters.txt", out=tmp_path / "letters", steps=10, **TINY)
    with pytest.raises(ConfigError, match="a tagger reads words, and this language model reads by char"):
        ostinato.train("tag", tmp_path / "t.txt", out=tmp_path / "no", from_run=tmp_path / "letters")


def test_all_of_it_learns_in_the_end_and_the_lower_layers_less(lm, tmp_path):
    data = texts(tmp_path / "t.csv", 1, label)
    options = {"text": "text", "label": "said", "threads": 1, "batch": 8, "average": 0.0, "optimizer": "sgd", "lr": 0.1}
    run = ostinato.train(
        "classify",
        data,
        out=tmp_path / "new",
        from_run=lm,
        epochs=2,
        bidirectional=False,
        unfreeze=0.1,
        layer_rates=2.6,
        **options,
    )
    given = ostinato.load(lm).model
    moved = [
        float((own - before).detach().norm())
        for own, before in (
            (run.model.recurrent.weight_hh_l1, given.recurrent.weight_hh_l1),
            (run.model.recurrent.weight_hh_l0, given.recurrent.weight_hh_l0),
            (run.model.input.weight, given.embedding.weight),
        )
    ]
    assert moved[0] > 0
    assert moved[1] > 0
    assert moved[2] > 0
    assert all(p.requires_grad for p in run.model.parameters())


def test_it_resumes_to_the_last_bit(lm, tmp_path, monkeypatch):
    """Killed in its 40th of 60 steps, when one of four levels of the model has yet to begin."""
    data = texts(tmp_path / "t.csv", 1, label)
    options = {"text": "text", "label": "said", "threads": 1, "batch": 8, "epochs": 4, "from_run": lm, "unfreeze": 0.25}
    options |= {"layer_rates": 2.6}
    whole = ostinato.train("classify", data, out=tmp_path / "whole", **options)
    assert whole.folder.resume_point.position().step == 60
    step, taken = Trainer.step, []

    def dies(self, batch):
        if len(taken) == 40:
            raise KeyboardInterrupt
        taken.append(step(self, batch))

    monkeypatch.setattr(Trainer, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        ostinato.train("classify", data, out=tmp_path / "halves", save_every=0, **options)
    monkeypatch.setattr(Trainer, "step", step)
    lm.rename(tmp_path / "moved")
    again = ostinato.train("classify", data, out=tmp_path / "halves", resume=True)
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "halves")
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 9}, "--hidden 9: the run to begin with, .*, has 6; leave the option out"),
        ({"embed": 9}, "--embed 9: .* has 5"),
        ({"layers": 1}, "--layers 1: .* has 2"),
        ({"cell": "gru"}, "--cell gru: .* has lstm"),
        ({"level": "char"}, "--level char: .* has word"),
        ({"vocab_size": 9}, "--vocab-size 9: .* has nothing"),
    ],
)
def test_an_option_that_would_not_fit_is_refused(options, message, lm, tmp_path):
    data = texts(tmp_path / "t.csv", 1, label)
    with pytest.raises(ConfigError, match=message):
        ostinato.train("classify", data, out=tmp_path / "new", from_run=lm, text="text", label="said", **options)
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_lent(lm, tmp_path):
    out = tmp_path / "new"
    numbers = {"id": [0, 0, 1, 1], "x": [1.0, 2.0, 3.0, 4.0], "y": ["a", "a", "b", "b"]}
    with pytest.raises(DataError, match="expected texts, as the language model of --from reads, got numbers"):
        ostinato.train("classify", numbers, out=out, from_run=lm, id="id", values="x", label="y")
    data = texts(tmp_path / "t.csv", 1, label)
    with pytest.raises(RunFolderError, match="expected a run of task 'forecast', found one of 'lm'"):
        ostinato.train("forecast", data, out=out, from_run=lm, target="x", window=3, horizon=1)
    assert not out.exists()


def test_the_command(lm, tmp_path, capsys):
    data = texts(tmp_path / "t.csv", 1, label)
    words = ["train", "classify", data, "--out", "new", "--text", "text", "--label", "said", "--threads", "1"]
    assert main([*words, "--from", str(lm), "--epochs", "1", "--unfreeze", "0.2"]) == 0, capsys.readouterr().err
    options = json.loads((tmp_path / "new/config.json").read_text())["options"]
    assert (options["hidden"], options["level"], options["layer_rates"], options["unfreeze"]) == (6, "word", 1, 0.2)
    assert main([*words, "--overwrite", "--unfreeze", "0.1"]) == 2
    assert "--unfreeze is for layers that another run has trained: give --from RUN" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_hold_back_what_one_does(lm, tmp_path):
    """They compute gradients of layers that wait and drop them: up to the order of a sum the weights are the same."""
    data = texts(tmp_path / "t.csv", 1, label)
    options = {"text": "text", "label": "said", "threads": 1, "batch": 8, "epochs": 2, "from_run": lm, "unfreeze": 0.3}
    options |= {"dropout": 0.0, "word_dropout": 0.0, "average": 0.0}
    runs = [
        ostinato.train("classify", data, out=tmp_path / str(n), devices=n, bidirectional=False, **options)
        for n in (1, 2)
    ]
    for (name, one), other in zip(runs[0].model.state_dict().items(), runs[1].model.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "concat"])
def test_step_by_step_it_says_what_it_says_of_the_whole(pooling, tmp_path):
    options = {"pooling": pooling, "bidirectional": False, "text": "text", "label": "said"}
    run = ostinato.train("classify", texts(tmp_path / "t.csv", 1, label), out=tmp_path / "run", **TINY | options)
    steps = run.task.steps(run)
    sequence = steps.begin()
    words = ["the", "cat", "sat", "on", "the", "mat"]
    for count, word in enumerate(words, 1):
        (said,) = steps.push([sequence], [steps.read(sequence, word)])
        (whole,) = run.predict([" ".join(words[:count])])
        assert said["probabilities"] == pytest.approx(whole["probabilities"], rel=1e-4)


def test_a_pooling_that_c_lacks_is_refused(tmp_path, capsys):
    run = ostinato.train("classify", texts(tmp_path / "t.csv", 1, label), out=tmp_path / "run", pooling="concat",
                         text="text", label="said", **TINY)  # fmt: skip
    assert main(["export", str(run.folder.path), "--to", "c", "--out", str(tmp_path / "c")]) == 2
    assert "pooling concat has no form in C" in capsys.readouterr().err


@pytest.mark.parametrize("side", ["source", "target", "both"])
def test_a_translators_side_begins_with_a_language_model(side, lm, tmp_path):
    lines = prose(100, 5).splitlines()
    (tmp_path / "pairs.tsv").write_text("".join(f"{line}\t{line[::-1]}\n" for line in lines))
    if side == "target":
        (tmp_path / "pairs.tsv").write_text("".join(f"{line[::-1]}\t{line}\n" for line in lines))
    options = {"from_side": "target"} if side == "target" else {}
    options |= {"vocabularies": "shared"} if side == "both" else {}
    run = ostinato.train(
        "translate", tmp_path / "pairs.tsv", out=tmp_path / "new", from_run=lm, bidirectional=False, threads=1,
        **options | STILL,
    )  # fmt: skip
    before = ostinato.load(lm)
    assert run.config["model"]["hidden_size"] == 6
    codec, given = run.codec, before.tokenizer.to_json()
    assert (codec.source.to_json() == given, codec.target.to_json() == given) == (side != "target", side != "source")
    layers, vectors = before.model.recurrent, before.model.embedding.weight

    def alike(own, lent):
        wide = torch.zeros_like(own)
        wide[tuple(map(slice, lent.shape))] = lent
        torch.testing.assert_close(own, wide, rtol=0, atol=1e-20)

    if side != "target":
        alike(run.model.encoder.embedding.weight, vectors)
        for name, weight in layers.state_dict().items():
            alike(run.model.encoder.recurrent.state_dict()[name], weight)
    if side != "source":
        decoder = run.model.decoder
        alike(decoder.embedding.weight, vectors)
        for name, weight in layers.state_dict().items():
            part = decoder.first if name.endswith("_l0") else decoder.above
            alike(part.state_dict()[name[:-1] + "0"], weight)


def test_an_encoder_of_both_ways_borrows_nothing(lm, tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{line}\t{line}\n" for line in prose(60, 5).splitlines()))
    with pytest.raises(ConfigError, match=r"a language model reads one way.*--no-bidirectional"):
        ostinato.train("translate", tmp_path / "pairs.tsv", out=tmp_path / "new", from_run=lm, threads=1, **STILL)
