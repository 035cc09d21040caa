"""The main job from the command line: train, evaluate, generate, list; what is printed, and where."""

import gzip
import io
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import ostinato
from ostinato.data.text.corpus import cache_folder
from tests.support import TINY, contents, metrics, prose

COMMAND = str(Path(sys.executable).with_name("ostinato"))


@pytest.fixture
def book(work):
    (work / "book.txt").write_text(prose())
    return work / "book.txt"


def of(result):
    """The object on the last line, once nothing else is on standard output and all went well."""
    assert result.status == 0, result.err
    assert result.out.count("\n") == 1
    return json.loads(result.out)


def test_train_evaluate_generate_in_processes_of_their_own(book, work):
    """The installed command itself, once."""

    def ostinato_(*words):
        done = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=True, cwd=work)
        return json.loads(done.stdout), done.stderr

    trained, err = ostinato_("train", "lm", "book.txt", "--out", "run", *TINY, "--json")
    assert (trained["run"], trained["task"], trained["epochs"]) == ("run", "lm", 1)
    assert "validation: loss" in err
    written, _ = ostinato_("generate", "run", "--prompt", "the ", "--length", "20", "--seed", "1", "--json")
    assert len(written["text"]) == 20


def test_test_data_that_can_be_read_only_once(book, cli, work):
    refused = cli("train", "lm", "book.txt", "--out", "run", *TINY, "--test", "-")
    assert refused.status == 2
    assert "--test: expected data that can still be read after training, got standard input" in refused.err
    assert not (work / "run").exists()


def test_words_win_over_a_file(book, cli, work):
    """Also those that are arguments of their own in Python; an underscore is as good as a hyphen."""
    (work / "other.txt").write_text("no such thing")
    (work / "c.toml").write_text("out = 'elsewhere'\ntext = ['other.txt']\nhidden = 8\nbatch = 4\nsteps = 10\n")
    run = ostinato.train("lm", "book.txt", out="run", config="c.toml", epochs=1, threads=1)
    assert (str(run.folder.path), run.config["data"]["train"]["files"]) == ("run", ["book.txt"])
    assert not (work / "elsewhere").exists()
    (work / "c.toml").write_text("resume = true\n")
    refused = cli("train", "lm", "book.txt", "--out", "run", "--config", "c.toml")
    assert (refused.status, "resume is for one command, not a setting" in refused.err) == (2, True)
    words = ["--preset", "hello", *TINY[:-2], "--time_limit", "2"]
    assert cli("train", "lm", "book.txt", "--out", "timed", *words).status == 0
    assert json.loads((work / "timed" / "config.json").read_text())["options"]["epochs"] is None


def test_the_demo_keeps_a_run_of_ones_own(book, cli, work):
    assert cli("train", "lm", "book.txt", "--out", "run", *TINY).status == 0
    before = contents(work / "run")
    refused = cli("demo", "--out", "run")
    assert refused.status == 2
    assert "holds a run of your own; choose another name" in refused.err
    assert contents(work / "run") == before


def test_tied_weights_of_a_projected_layer(book, cli, work):
    words = ("train", "lm", "book.txt", "--out", "run", *TINY, "--tied", "--cell-options", "proj_size=5")
    wrong = cli(*words, "--embed", "8")
    assert (wrong.status, "expected --embed 5" in wrong.err) == (2, True)
    assert cli(*words).status == 0
    assert ostinato.load("run").model.embedding.weight.shape[1] == 5


def test_what_train_says_agrees_with_what_it_wrote(book, cli, work):
    result = cli("train", "lm", "book.txt", "--out", "run", *TINY, "--json")
    said = of(result)
    lines = metrics(work / "run")
    best = min(line["valid_loss"] for line in lines if "valid_loss" in line)
    run = ostinato.load("run")
    assert said["valid_loss"] == best
    assert said["valid_perplexity"] == pytest.approx(math.exp(best))
    assert said["valid_bits_per_character"] == pytest.approx(best / math.log(2))
    assert said["parameters"] == sum(p.numel() for p in run.model.parameters())
    length = len(prose()) * 9 // 10 // 4  # characters in each of four streams
    assert (said["steps"], said["tokens"]) == (-(-length // 10), 4 * length)
    assert sorted(item.name for item in (work / "run").iterdir()) == [
        "README.md",
        "checkpoint",
        "config.json",
        "metrics.jsonl",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_without_json_figures_are_for_people_and_progress_is_apart(book, cli):
    result = cli("train", "lm", "book.txt", "--out", "run", *TINY)
    assert result.out.splitlines()[0].startswith("run: ")
    assert "valid bits per character" in result.out
    assert "validation: loss" not in result.out
    assert "validation: loss" in result.err


def test_learning_by_heart(cli, work):
    """The preset hello on one line: nearly no bits left, and it writes the line."""
    (work / "hello.txt").write_text("hello world, " * 60)
    of(
        cli(
            "train",
            "lm",
            "hello.txt",
            "--out",
            "run",
            "--preset",
            "hello",
            "--epochs",
            "15",
            "--threads",
            "1",
            "--json",
        )
    )
    (work / "more.txt").write_text("hello world, " * 20)
    assert of(cli("evaluate", "run", "more.txt", "--json"))["bits_per_character"] < 0.3
    written = of(cli("generate", "run", "--prompt", "hello w", "--length", "19", "--greedy", "--json"))
    assert (written["prompt"], written["text"]) == ("hello w", "orld, hello world, ")
    assert (
        cli("generate", "run", "hello", "w", "--length", "19", "--temperature", "0").out
        == "hello world, hello world, \n"
    )
    (work / "prompts.txt").write_text("hello w\nworld, h\n")
    both = of(
        cli("generate", "run", "--prompts", "prompts.txt", "--samples", "2", "--length", "5", "--greedy", "--json")
    )
    assert [text["prompt"] + text["text"] for text in both["texts"]] == ["hello world,"] * 2 + ["world, hello "] * 2
    assert both["text"] == both["texts"][0]["text"]
    several = cli("generate", "run", "--prompts", "prompts.txt", "--length", "5", "--greedy").out
    assert several == "hello world,\n---\nworld, hello \n"
    assert "expected one prompt" in cli("generate", "run", "hello", "--prompt", "w").err


@pytest.mark.parametrize(
    ("level", "options"), [("char", []), ("word", ["--vocab-size", "9"]), ("bpe", ["--vocab-size", "270"])]
)
def test_evaluate_is_perplexity_over_every_token_from_eos(book, cli, work, level, options):
    of(cli("train", "lm", "book.txt", "--out", "run", "--level", level, *options, *TINY, "--lr", "0.02", "--json"))
    text = prose(30, seed=9) + "zebras\n"
    (work / "other.txt").write_text(text)
    said = of(cli("evaluate", "run", "other.txt", "--json"))
    run = ostinato.load("run")
    if level == "word":
        known = run.tokenizer.vocabulary
        tokens = [known.get(word, known["<unk>"]) for word in text.replace("\n", " <eos> ").split()]
    else:
        tokens = run.tokenizer.encode(text)
    with torch.no_grad():
        scores = run.model(torch.tensor([0, *tokens[:-1]])[:, None]).logits()[:, 0].log_softmax(1)
    loss = -scores.gather(1, torch.tensor(tokens)[:, None]).double().mean().item()
    assert said["tokens"] == len(tokens)
    assert said["loss"] == pytest.approx(loss, rel=1e-5)
    assert said["perplexity"] == pytest.approx(math.exp(loss), rel=1e-4)
    assert said.get("bits_per_character", loss / math.log(2)) == pytest.approx(loss / math.log(2), rel=1e-5)
    assert ("bits_per_character" in said) == (level == "char")


def test_the_same_text_from_everywhere_is_the_same_run(book, cli, work, monkeypatch):
    """A file, gzipped, from standard input, alone in a folder: the same weights to the last bit."""
    (work / "book.gz").write_bytes(gzip.compress(book.read_bytes()))
    (work / "folder/below").mkdir(parents=True)
    (work / "folder/below/a.txt").write_bytes(book.read_bytes())
    (work / "folder/.hidden").write_text("not this")
    weights = set()
    for number, source in enumerate(("book.txt", "book.gz", "-", "folder")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(book.read_bytes())))
        of(cli("train", "lm", source, "--out", f"run{number}", *TINY, "--json"))
        weights.add((work / f"run{number}/model.safetensors").read_bytes())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(book.read_bytes())))
        assert of(cli("evaluate", f"run{number}", source, "--json"))["tokens"] == len(prose())
    assert len(weights) == 1


def test_several_files_are_documents_one_after_the_other(cli, work):
    (work / "a.txt").write_text(prose(20, seed=1))
    (work / "b.txt").write_text(prose(20, seed=2))
    of(cli("train", "lm", "a.txt", "b.txt", "--out", "run", *TINY, "--json"))
    config = json.loads((work / "run/config.json").read_text())
    assert config["data"]["train"]["files"] == ["a.txt", "b.txt"]
    both = of(cli("evaluate", "run", "a.txt", "b.txt", "--json"))
    assert both["tokens"] == len(prose(20, seed=1)) + 1 + len(prose(20, seed=2))  # <eos> between the two


def test_valid_and_test_are_measured_on_the_texts_given(book, cli, work):
    for name, seed in (("valid.txt", 3), ("test.txt", 4)):
        (work / name).write_text(prose(20, seed=seed))
    words = ["--valid", "valid.txt", "--test", "test.txt", *TINY, "--steps", "10000", "--batch", "1"]
    said = of(cli("train", "lm", "book.txt", "--out", "run", *words, "--json"))
    assert said["tokens"] == len(prose())  # nothing was held out
    assert said["test"] == of(cli("evaluate", "run", "test.txt", "--json"))
    # one stream: the figure of the validation is evaluate's
    assert said["valid_loss"] == pytest.approx(of(cli("evaluate", "run", "valid.txt", "--json"))["loss"], rel=1e-5)
    assert "test bits per character" in cli("train", "lm", "book.txt", "--out", "again", *words).out


def test_the_last_tenth_is_held_out(cli, work):
    """A letter that only the last tenth has never becomes part of the vocabulary."""
    text = prose()
    (work / "book.txt").write_text(text[: len(text) * 9 // 10 + 1] + "Q" * (len(text) // 10))
    of(cli("train", "lm", "book.txt", "--out", "run", *TINY, "--json"))
    assert "Q" not in ostinato.load("run").tokenizer.vocabulary


def test_what_is_unknown_is_said(cli, work):
    """Of 4 words a line two are known at a vocabulary of 4; a text that writes <unk> itself needs no warning."""
    (work / "a.txt").write_text("the cat the dog\n" * 200)
    options = ("--level", "word", "--vocab-size", "4", *TINY)
    trained = cli("train", "lm", "a.txt", "--out", "run", "--valid", "a.txt", *options, "--json")
    assert "a.txt: 20.0% of the words are unknown to the model" in trained.err, "one of five tokens, <eos> among them"
    assert "unknown: 20.0% of the tokens to train on, 20.0% of those to validate on" in trained.err
    result = of(trained)
    assert (result["unknown"], result["valid_unknown"]) == (0.2, 0.2)
    (work / "b.txt").write_text("the cow the hen\n" * 5)
    other = cli("evaluate", "run", "b.txt", "--json")
    assert of(other)["unknown"] == 0.4
    assert "b.txt: 40.0% of the words are unknown" in other.err
    (work / "c.txt").write_text("the <unk> the <unk>\n" * 5)
    own = cli("evaluate", "run", "c.txt", "--json")
    assert of(own)["unknown"] == 0.4
    assert "unknown" not in own.err.replace("unknown      ", "")


def test_options_from_a_file(book, cli, work):
    (work / "options.toml").write_text("hidden = 6\nembed = 5\nlog-every = 3\n")
    of(cli("train", "lm", "book.txt", "--out", "run", "--config", "options.toml", *TINY, "--embed", "4", "--json"))
    config = json.loads((work / "run/config.json").read_text())
    assert (config["model"]["hidden_size"], config["model"]["embed_size"]) == (8, 4)  # TINY says --hidden 8
    assert config["options"]["log_every"] == 3


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "jordan", "lstm_peephole", "lstm_layer_norm", "gru_reset_before"])
def test_every_cell_can_be_trained_and_found_again(book, cli, cell):
    said = of(cli("train", "lm", "book.txt", "--out", "run", "--cell", cell, *TINY, "--lr", "0.02", "--json"))
    assert said["valid_loss"] < math.log(18)
    assert ostinato.load("run").model.recurrent.cell.name == cell
    assert len(of(cli("generate", "run", "--length", "5", "--json"))["text"]) == 5


def test_generate_streams_for_people_and_collects_for_programs(book, cli):
    cli("train", "lm", "book.txt", "--out", "run", *TINY)
    words = ["generate", "run", "--prompt", "the ", "--length", "30", "--seed", "7"]
    for_people, for_programs = cli(*words), cli(*words, "--json")
    written = of(for_programs)
    assert for_people.out == f"the {written['text']}\n"
    assert for_programs.err == for_people.out
    assert written["text"] == "".join(ostinato.load("run").generate("the ", length=30, seed=7))
    stopped = of(cli(*words, "--stop", " ", "--json"))["text"]
    assert stopped == written["text"][: written["text"].index(" ") + 1]
    assert of(cli(*words, "--top-k", "1", "--json")) == of(cli(*words, "--greedy", "--json"))


def test_pieces_reach_the_terminal_one_by_one(book, cli, monkeypatch):
    cli("train", "lm", "book.txt", "--out", "run", *TINY)
    writes = []

    class Terminal(io.StringIO):
        def flush(self):
            writes.append(self.getvalue())

    monkeypatch.setattr(sys, "stdout", Terminal())
    cli("generate", "run", "--length", "10", "--seed", "1")
    lengths = dict.fromkeys(len(text) for text in writes if text)  # what is flushed again adds nothing
    assert list(lengths) == [*range(1, 11), 11]


def test_runs_and_info(book, cli, work):
    (work / "runs").mkdir()
    for name in ("one", "two"):
        cli("train", "lm", "book.txt", "--out", f"runs/{name}", *TINY)
    (work / "runs/two/config.json").write_text("{")
    rows = of(cli("runs", "runs", "--json"))["runs"]
    assert [(row["run"], row["state"]) for row in rows] == [("runs/one", "finished"), ("runs/two", "damaged")]
    long = "a-rather-long-name-of-a-run-that-another-program-wants-to-read-whole [/v1] x"
    (work / "runs/two").rename(work / "runs" / long.replace("/", ""))
    assert long.replace("/", "") in cli("runs").out
    shown = cli("runs").out  # the default folder
    assert f"{rows[0]['valid_loss']:.4f}" in shown
    assert "damaged" in shown
    found = of(cli("info", "--json"))
    assert {cell["name"] for cell in found["cells"]} >= {"lstm", "gru", "jordan"}
    assert found["versions"]["torch"] == torch.__version__
    assert all(cell["name"] in cli("info").out for cell in found["cells"])


def test_overwrite_replaces_a_run(book, cli, work):
    cli("train", "lm", "book.txt", "--out", "run", *TINY)
    of(cli("train", "lm", "book.txt", "--out", "run", *TINY, "--seed", "2", "--overwrite", "--json"))
    of(cli("train", "lm", "book.txt", "--out", "fresh", *TINY, "--seed", "2", "--json"))
    assert contents(work / "run")["model.safetensors"] == contents(work / "fresh")["model.safetensors"]
    assert metrics(work / "run") == metrics(work / "fresh")


def test_a_second_run_does_not_tokenize_again(book, cli, monkeypatch):
    first = of(cli("train", "lm", "book.txt", "--out", "one", *TINY, "--json"))
    assert any(cache_folder().iterdir())
    from ostinato.data.text.tokenizer import Tokenizer

    def fail(*_):
        raise AssertionError("tokenized again")

    monkeypatch.setattr(Tokenizer, "encode_blocks", fail)
    second = of(cli("train", "lm", "book.txt", "--out", "two", *TINY, "--json"))
    assert first["valid_loss"] == second["valid_loss"]


def test_a_time_limit_alone_ends_training_in_time(book, cli, monkeypatch):
    """By a clock that is two seconds later whenever it is looked at, and of a command that began long before."""
    now = itertools.count(5000, 2)
    monkeypatch.setattr("ostinato.training.clock.time", SimpleNamespace(monotonic=lambda: float(next(now))))
    monkeypatch.setattr("ostinato.cli.main.STARTED", 4900.0)
    said = of(cli("train", "lm", "book.txt", "--out", "run", *TINY[:-2], "--time-limit", "1000", "--json"))
    assert 5700 < next(now) < 5920
    assert said["steps"] > 41  # more than the one epoch that --epochs 1 would have been


def test_a_file_whose_name_is_not_utf8(cli, work):
    """Bytes that Linux allows and UTF-8 does not, from the command line to config.json and the model card."""
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    (work / name).write_text(prose())
    assert cli("train", "lm", name, "--out", "run", *TINY).status == 0
    assert ostinato.load("run").config["data"]["train"]["files"] == [name]


def test_from_python(book):
    run = ostinato.train("lm", "book.txt", out="run", hidden=8, batch=4, steps=10, epochs=1, threads=1)
    again = ostinato.load("run")
    assert run.evaluate("book.txt") == again.evaluate("book.txt")
    pieces = again.generate("the ", length=12, seed=1)
    assert len("".join(pieces)) == 12


def test_documents_are_read_each_by_itself(cli, work):
    """Trained, evaluated, written: the state starts anew at each separator."""
    words = [f"say {word}. {word} it is.\n" for word in ("ab", "cd", "ba", "dc") * 30]
    (work / "docs.txt").write_text("<|end|>".join(words))
    options = ["train", "lm", "docs.txt", "--document-separator", "<|end|>", *TINY]
    of(cli(*options, "--out", "run", "--json"))
    run = ostinato.load("run")
    separator = run.tokenizer.separator_id
    assert run.config["model"]["separator"] == separator
    assert run.config["options"]["document_separator"] == "<|end|>"

    (work / "one.txt").write_text(words[0] + "<|end|>")
    (work / "three.txt").write_text((words[0] + "<|end|>") * 3)
    losses = [of(cli("evaluate", "run", name, "--json"))["loss"] for name in ("one.txt", "three.txt")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert of(cli("generate", "run", "--prompt", "say ", "--length", "9", "--seed", "1", "--json"))["text"]

    refused = cli("train", "lm", "docs.txt", "--document-separator", "two words", "--out", "other", *TINY)
    assert refused.status == 2
    assert "--document-separator: expected one character, or several without white space" in refused.err

    alone = cli("train", "lm", "docs.txt", "--document-separator", "<|other|>", "--out", "alone", *TINY)
    assert "--document-separator '<|other|>' never stands in the text: all of it is one document" in alone.err


def test_each_file_is_a_document(cli, work):
    for number in range(40):
        (work / "files").mkdir(exist_ok=True)
        (work / "files" / f"{number:02}.txt").write_text(f"file number {number}\n" * 3)
    of(cli("train", "lm", "files", "--document-separator", "<eos>", "--out", "run", *TINY, "--json"))
    run = ostinato.load("run")
    assert (run.tokenizer.separator, run.config["model"]["separator"]) == (None, run.tokenizer.eos_id)
    # <eos> may be written, for it is learned
    text = "".join(run.generate("", length=400, seed=1))
    assert len(text) == 400 or "<eos>" in text
