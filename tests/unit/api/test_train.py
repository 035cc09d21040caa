"""`ostinato.train`: options from several places, what the run folder records, what is refused."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file

import ostinato
from ostinato.api.compute import compute_settings
from ostinato.core.errors import ConfigError, DataError, RunFolderError, TrainingError
from tests.support import contents, metrics, prose

TINY = {"hidden": 8, "batch": 4, "steps": 10, "threads": 1, "dropout": 0.0, "epochs": 1}


@pytest.fixture
def text(tmp_path):
    (tmp_path / "book.txt").write_text(prose())
    return tmp_path / "book.txt"


def test_the_folder_says_what_was_done(text, tmp_path):
    run = ostinato.train("lm", text, out=tmp_path / "run", seed=5, **TINY)
    config = json.loads((tmp_path / "run/config.json").read_text())
    content = text.read_text()
    characters = len(content) * 9 // 10
    assert config["task"] == "lm"
    assert config["options"] | TINY | {"seed": 5} == config["options"]
    assert not {"text", "out", "resume", "overwrite", "json", "config"} & set(config["options"])
    assert config["model"] == config["model"] | {
        "vocab_size": len(set(content[:characters])) + 2,
        "embed_size": 8,
        "hidden_size": 8,
        "num_layers": 1,
        "cell": "lstm",
        "dropout": 0.0,
        "tied": False,
    }
    assert config["data"]["train"]["characters"] == characters
    assert config["data"]["train"]["characters"] + config["data"]["valid"]["characters"] == len(content)
    assert config["data"]["train"]["files"] == [str(text)]
    assert config["data"]["held_out"]
    assert config["versions"]["torch"] == torch.__version__
    assert run.config == config
    position = json.loads((tmp_path / "run/checkpoint/latest.json").read_text())["position"]
    card = (tmp_path / "run/README.md").read_text()
    assert "the last tenth of the text" in card
    assert f"{position['best'] / 0.6931471805599453:.3f} bits a character" in card


def test_the_texts_hash_is_that_of_its_characters(text, tmp_path):
    """With --valid the whole text is trained on, and its hash can be checked by hand."""
    (tmp_path / "valid.txt").write_text(prose(10, seed=3))
    ostinato.train("lm", text, out=tmp_path / "run", valid=str(tmp_path / "valid.txt"), **TINY)
    data = json.loads((tmp_path / "run/config.json").read_text())["data"]
    for part, file in (("train", text), ("valid", tmp_path / "valid.txt")):
        whole = hashlib.sha256(file.read_bytes()).hexdigest()
        assert data[part]["sha256"] == hashlib.sha256(whole.encode()).hexdigest()
    assert not data["held_out"]


def test_the_same_again_is_the_same_bytes(text, tmp_path):
    options = TINY | {"dropout": 0.2}
    for name, seed in (("one", 1), ("two", 1), ("other", 2)):
        ostinato.train("lm", text, out=tmp_path / name, seed=seed, **options)
    one, two, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_explicit_over_config_over_preset(text, tmp_path):
    (tmp_path / "o.toml").write_text("hidden = 6\nembed = 5\nepochs = 1\n")
    run = ostinato.train(
        "lm", text, out=tmp_path / "run", preset="hello", config=str(tmp_path / "o.toml"), embed=4, batch=4
    )
    sizes, options = run.config["model"], run.config["options"]
    assert (sizes["embed_size"], sizes["hidden_size"], options["lr"], options["batch"]) == (4, 6, 0.01, 4)


@pytest.mark.parametrize(("threads", "processes", "expected"), [(3, 1, 3), (3, 2, 3), (0, 1, 1), (0, 10**6, 1)])
def test_settings_of_the_whole_process_come_back(threads, processes, expected):
    torch.set_num_threads(1)
    before = torch.get_float32_matmul_precision()

    def fail():
        with compute_settings(threads, "medium", processes):
            assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (expected, "medium")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (1, before)


def test_threads_and_precision_arrive(text, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    monkeypatch.setattr(torch, "set_float32_matmul_precision", seen.append)
    before = [torch.get_num_threads(), torch.get_float32_matmul_precision()]
    ostinato.train("lm", text, out=tmp_path / "run", **TINY | {"threads": 5}, precision="high")
    assert seen[:4] == [5, "high", *before]


@pytest.mark.parametrize(
    ("task", "options", "kind", "message"),
    [
        ("chess", {}, ConfigError, "unknown task 'chess': there are caption"),
        ("lm", {"hiden": 3}, ConfigError, "train: unknown option 'hiden': did you mean 'hidden'"),
        ("lm", {"hidden": "3"}, ConfigError, "train: Expected `int`, got `str`"),
        ("lm", {"hidden": 0}, ConfigError, "--hidden: expected at least 1, got 0"),
        ("lm", {"preset": "rnn"}, ConfigError, "unknown preset 'rnn': did you mean 'rnnlm'"),
        ("lm", {"cell": "lstn"}, ConfigError, "unknown cell 'lstn': did you mean 'lstm'"),
        ("lm", {"config": "missing.toml"}, ConfigError, "--config missing.toml: cannot be read"),
        ("lm", {"valid": "missing.txt"}, DataError, "missing.txt: no such file"),
        ("lm", {"test": "missing.txt"}, DataError, "missing.txt: no such file"),
        ("lm", {"plugin": ["missing.py"]}, ConfigError, "--plugin missing.py: cannot be imported: FileNotFoundError"),
        ("lm", {"level": "bpe", "vocab_size": 99}, ConfigError, "at least 257 for level bpe, got 99"),
        ("lm", {"batch": 5000}, DataError, "shorter than one batch: it has 1[0-9]* tokens, but a batch of 5000 needs"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(text, tmp_path, task, options, kind, message):
    with pytest.raises(kind, match=message):
        ostinato.train(task, text, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())


def test_overwriting_keeps_the_old_run_until_the_new_one_can_begin(text, tmp_path):
    ostinato.train("lm", text, out=tmp_path / "run", **TINY)
    before = contents(tmp_path / "run")
    for options in ({"batch": 5000}, {"cell": "lstn"}, {"hidden": 0}, {"valid": "missing.txt"}):
        with pytest.raises((ConfigError, DataError)):
            ostinato.train("lm", text, out=tmp_path / "run", overwrite=True, **TINY | options)
    assert contents(tmp_path / "run") == before
    run = ostinato.train("lm", text, out=tmp_path / "run", overwrite=True, **TINY | {"hidden": 5})
    assert run.config["model"]["hidden_size"] == 5


def test_a_diverging_run_leaves_finite_weights(text, tmp_path):
    with pytest.raises(TrainingError, match=r"training stopped in epoch \d+, .*expected .*last good weights"):
        ostinato.train(
            "lm", text, out=tmp_path / "run", **TINY, lr=1e30, optimizer="sgd", weight_decay=1.0, schedule="constant"
        )
    assert all(tensor.isfinite().all() for tensor in load_file(tmp_path / "run/model.safetensors").values())
    ostinato.load(tmp_path / "run")


def test_a_test_text_is_measured_with_the_best_weights(text, tmp_path):
    (tmp_path / "test.txt").write_text(prose(9, seed=8))
    run = ostinato.train("lm", text, out=tmp_path / "run", test=str(tmp_path / "test.txt"), **TINY)
    assert run.test == ostinato.load(tmp_path / "run").evaluate(tmp_path / "test.txt")
    assert run.test["tokens"] == len(prose(9, seed=8))


def test_a_cell_of_ones_own_from_a_file(text, tmp_path):
    plugin = tmp_path / "halving.py"
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "from ostinato import register\n"
        "from ostinato.cells.rnn import ElmanRNN\n"
        "@register\n"
        "@dataclass(frozen=True)\n"
        "class Halving(ElmanRNN):\n"
        "    name = 'halving'\n"
        "    def step(self, p, projected, state):\n"
        "        output, state = super().step(p, projected, state)\n"
        "        return output / 2, type(state)(*(field / 2 for field in state))\n"
    )
    from ostinato.core.registry import unregister

    try:
        run = ostinato.train("lm", text, out=tmp_path / "run", cell="halving", plugin=[str(plugin)], **TINY)
        assert run.model.recurrent.cell.name == "halving"
        with torch.no_grad():
            assert run.model(torch.ones(50, 1, dtype=torch.long)).hidden.abs().max() <= 0.5
    finally:
        unregister("halving")
    with pytest.raises(ConfigError, match=r"config.json: unknown cell 'halving': .*--plugin"):
        ostinato.load(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"unknown cell 'halving': .*--plugin"):  # resuming runs no code either
        ostinato.train("lm", text, out=tmp_path / "run", resume=True)
    plugin.rename(tmp_path / "moved.py")
    try:
        again = ostinato.train("lm", text, out=tmp_path / "run", resume=True, plugin=[str(tmp_path / "moved.py")])
        assert again.model.recurrent.cell.name == "halving"
    finally:
        unregister("halving")


def test_data_may_lie_elsewhere_when_a_run_is_resumed(text, tmp_path):
    """And any option that names a file may be a path."""
    valid, moved = tmp_path / "valid.txt", tmp_path / "moved.txt"
    valid.write_text(prose(9, seed=8))
    ostinato.train("lm", text, out=tmp_path / "run", valid=valid, **TINY)
    valid.rename(moved)
    ostinato.train("lm", text, out=tmp_path / "run", valid=moved, resume=True, epochs=2)
    moved.write_text(prose(9, seed=9))
    with pytest.raises(RunFolderError, match="the text to validate on is not the one"):
        ostinato.train("lm", text, out=tmp_path / "run", valid=moved, resume=True, epochs=3)
    with pytest.raises(ConfigError, match="was started with valid = "):
        ostinato.train("lm", text, out=tmp_path / "run", valid=None, resume=True, epochs=3)


def test_a_plugin_that_fails_says_why(text, tmp_path):
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(
        ConfigError, match=r"--plugin .*bad.py: cannot be imported: ZeroDivisionError: division by zero"
    ):
        ostinato.train("lm", text, out=tmp_path / "run", plugin=[str(tmp_path / "bad.py")])


def test_an_out_that_is_a_file(text, tmp_path):
    with pytest.raises(RunFolderError, match="expected a folder, found a file"):
        ostinato.train("lm", text, out=text, overwrite=True, **TINY)
    assert text.read_text() == prose()


def test_awd_lstm_in_small_goes_on_to_the_same_bytes(text, tmp_path):
    options = {"preset": "awd-lstm", "hidden": 8, "embed": 6, "batch": 4, "steps": 20, "lr": 1.0, "threads": 1}
    run = ostinato.train("lm", text, out=tmp_path / "whole", epochs=3, **options)
    ostinato.train("lm", text, out=tmp_path / "parts", epochs=1, **options)
    ostinato.train("lm", text, out=tmp_path / "parts", epochs=3, resume=True)
    whole, parts = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    model = run.model
    assert (model.recurrent.num_layers, model.recurrent.hidden_size, model.last.hidden_size) == (2, 8, 6)
    assert (model.embedding_dropout, model.input_dropout, model.recurrent.dropout) == (0.1, 0.4, 0.25)
    assert (model.output_dropout, model.recurrent.weight_drop, model.last.weight_drop) == (0.4, 0.5, 0.5)
    assert model.decoder.weight is model.embedding.weight
    rates = {line["lr"] for line in metrics(tmp_path / "whole") if "lr" in line}
    assert rates == {1.0}, "what is written is the schedule's rate"


@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 2.0), ("adamw", 0.05)])
def test_adaptive_softmax_from_training_to_text(text, tmp_path, optimizer, lr):
    options = {"level": "word", "adaptive": (4, 9), "hidden": 16, "batch": 4, "steps": 10, "threads": 1}
    options |= {"valid": str(text)}  # all of it is trained on
    options |= {"optimizer": optimizer, "schedule": "constant", "lr": lr}
    run = ostinato.train("lm", text, out=tmp_path / "whole", epochs=2, **options)
    ostinato.train("lm", text, out=tmp_path / "parts", epochs=1, **options)
    ostinato.train("lm", text, out=tmp_path / "parts", epochs=2, resume=True)
    whole, parts = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    ids = run.tokenizer.encode(text.read_text())
    assert run.model.decoder.cutoffs == [4, 9, run.tokenizer.size]
    counted = [ids.count(number) for number in range(2, run.tokenizer.size)]
    assert counted == sorted(counted, reverse=True), "the most frequent words first"
    figures = run.evaluate(text)
    assert figures["perplexity"] < run.tokenizer.size
    assert run.evaluate(text, cache=30)["perplexity"] != figures["perplexity"]
    assert set("".join(run.generate("the", length=20, seed=1)).split()) <= set(text.read_text().split())


def test_plain_sgd_trains_the_rows_that_were_read_and_ends_where_it_would_have(text, tmp_path, monkeypatch):
    """The same weights with a sparse gradient of the embedding and with a dense one."""
    options = TINY | {"level": "word", "optimizer": "sgd", "lr": 2.0, "embed": 6}
    sparse = ostinato.train("lm", text, out=tmp_path / "sparse", **options)
    monkeypatch.setattr("ostinato.tasks.lm.task.takes_sparse", lambda *_: False)
    dense = ostinato.train("lm", text, out=tmp_path / "dense", **options)
    for one, two in zip(sparse.model.parameters(), dense.model.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_pictures_fail_no_training(tmp_path, monkeypatch, classes):
    """Whatever a picture raises once all else is done is a warning; of very many classes none is drawn."""
    confusion = pytest.importorskip("ostinato.tasks.classify.drawing")

    def fail(*arguments, **more):
        raise MemoryError("a picture of 5.6 GB")

    monkeypatch.setattr(confusion, "confusion_matrix", fail)
    monkeypatch.setattr(confusion, "MOST_CLASSES", 2)
    rows = "".join(f"word{n % classes} text,{n % classes}\n" for n in range(30))
    (tmp_path / "t.csv").write_text("text,label\n" + rows)
    told = (
        "a picture could not be drawn: MemoryError" if classes == 2 else "no confusion matrix is drawn of more than 2"
    )
    with pytest.warns(UserWarning, match=told):
        ostinato.train(
            "classify",
            tmp_path / "t.csv",
            out=tmp_path / "run",
            text="text",
            label="label",
            hidden=4,
            epochs=1,
            threads=1,
        )
    assert (tmp_path / "run/README.md").exists()
    assert ostinato.load(tmp_path / "run").predict("word0 text")
