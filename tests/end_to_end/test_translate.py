"""Pairs of texts from the command line: train, evaluate, predict, go on; and what users get wrong."""

import json
import os
from itertools import product
from pathlib import Path

import pytest

import ostinato
from ostinato.core.errors import ConfigError
from ostinato.plots.style import available
from tests.end_to_end.test_json import faults
from tests.support import contents, metrics

TINY = ("--hidden", "16", "--embed", "8", "--batch", "16", "--threads", "1", "--epochs", "1")
#: Three letters, and the same from the end: what a decoder without attention learns in seconds.
WORDS = ["".join(letters) for letters in product("abcd", repeat=3)]


@pytest.fixture
def pairs(work):
    lines = [f"{word} _{word[::-1]} " for word in WORDS]
    Path("pairs.txt").write_text("\n".join(lines) + "\n")
    return "pairs.txt"


def of(result, schema):
    assert result.status == 0, result.err
    (line,) = result.out.splitlines()
    found = json.loads(line)
    assert not faults(found, schema)
    return found


def train(cli, *words, out="run"):
    return cli("train", "translate", *TINY, *words, "--out", out, "--json")  # what comes last counts


def test_train_evaluate_and_predict(pairs, cli, work):
    """Learned by heart: every word comes back reversed, from files, pairs, and line by line."""
    options = ("--separator", "_", "--level", "char", "--valid", pairs, "--test", pairs)
    words = ("train", "translate", pairs, "--out", "run", *options, "--hidden", "32", "--batch", "16", "--threads", "1")
    trained = of(cli(*words, "--epochs", "60", "--lr", "0.01", "--json"), "train-translate")
    assert trained["test"]["exact_match"] == 1
    assert trained["test"] == of(cli("evaluate", "run", pairs, "--json"), "evaluate-translate")
    assert of(cli("evaluate", "run", pairs, "--beam", "1", "--json"), "evaluate-translate")["exact_match"] == 1
    Path("words.txt").write_text("abc\n\ndab\n")
    assert cli("predict", "run", "words.txt").out == "cba\n\nbad\n"
    assert cli("predict", "run", pairs, "--output", "out.txt").status == 0
    refused = cli("predict", "run", pairs, "--output", "out.parquet")
    assert refused.status == 2
    assert "--output out.parquet: the answers of task 'translate' are lines of text, no table" in refused.err
    assert not (work / "out.parquet").exists()
    assert Path("out.txt").read_text().split() == [word[::-1] for word in WORDS]
    assert (work / "run" / "alignment-1.png").exists() == available()
    assert "exact match 1.0000" in (work / "run" / "README.md").read_text()

    run = ostinato.load("run")
    found = run.task.align(run, "abc")
    assert (found.source, found.target) == (["a", "b", "c", "<eos>"], ["c", "b", "a", "<eos>"])
    assert found.weights.shape == (4, 4)
    assert found.weights.sum(1).tolist() == pytest.approx([1] * 4)


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
@pytest.mark.parametrize("vocabularies", ["shared", "separate"])
@pytest.mark.slow
def test_two_files_at_each_level_with_one_vocabulary_or_two(work, cli, level, vocabularies):
    Path("a.de").write_text("ein Hund läuft\nzwei Hunde schlafen\ndrei Katzen\n" * 20)
    Path("a.en").write_text("a dog runs\ntwo dogs sleep\nthree cats\n" * 20)
    words = (
        "--source",
        "a.de",
        "--target",
        "a.en",
        "--valid",
        "a.de,a.en",
        "--level",
        level,
        "--vocabularies",
        vocabularies,
    )
    trained = of(train(cli, *words, "--vocab-size", "300"), "train-translate")
    tokenizers = {path.name for path in Path("run").glob("tokenizer*")}
    assert tokenizers == {"tokenizer.json"} | ({"tokenizer-source.json"} if vocabularies == "separate" else set())
    found = of(cli("evaluate", "run", "a.de", "a.en", "--json"), "evaluate-translate")
    assert found["examples"] == 60
    assert found == of(cli("evaluate", "run", "a.de,a.en", "--json"), "evaluate-translate")
    assert trained["valid_loss"] > 0
    if level == "word":
        assert "<unk>" not in cli("predict", "run", "a.de").out


@pytest.mark.parametrize(
    "options",
    [
        ("--attention", "none", "--no-bidirectional", "--reverse", "--peeky", "--no-tied"),
        ("--attention", "additive", "--input-feeding", "--layers", "2"),
        ("--scheduled-sampling", "0.5", "--cell", "gru", "--attention", "dot"),
    ],
)
def test_the_books_variants(pairs, cli, options):
    of(train(cli, pairs, "--separator", "_", "--level", "char", *options), "train-translate")
    assert cli("predict", "run", pairs).out.count("\n") == len(WORDS)


def test_without_attention_there_is_nothing_to_draw(pairs, cli):
    train(cli, pairs, "--separator", "_", "--level", "char", "--attention", "none")
    assert not list(Path("run").glob("alignment*"))
    run = ostinato.load("run")
    with pytest.raises(ConfigError, match="no attention to show"):
        run.task.align(run, "abc")


def test_a_run_that_goes_on_ends_as_one_that_was_not_interrupted(pairs, cli):
    words = (pairs, "--separator", "_", "--level", "char", "--schedule", "constant", "--dropout", "0.2")
    train(cli, *words, "--epochs", "3", out="whole")
    train(cli, *words, "--epochs", "2", out="parts")
    assert of(train(cli, *words, "--epochs", "3", "--resume", out="parts"), "train-translate")["epochs"] == 3
    assert metrics(Path("whole")) == metrics(Path("parts"))
    assert contents(Path("whole"))["model.safetensors"] == contents(Path("parts"))["model.safetensors"]


def test_a_run_of_two_files_goes_on(work, cli):
    Path("a.de").write_text("ein Hund\nzwei Hunde\ndrei Katzen\n" * 20)
    Path("a.en").write_text("a dog\ntwo dogs\nthree cats\n" * 20)
    words = ("--source", "a.de", "--target", "a.en", "--level", "char")
    train(cli, *words)
    assert of(train(cli, *words, "--epochs", "2", "--resume"), "train-translate")["epochs"] == 2
    assert ostinato.train("translate", source="a.de", target="a.en", out="run", resume=True, epochs=2).predict("a.de")


def test_a_beam_for_each_width_and_lines_that_hold_line_ends(pairs, cli):
    train(cli, pairs, "--separator", "_", "--level", "char")
    for beam in ("1", "2", "7"):
        assert cli("predict", "run", pairs, "--beam", beam).out.count("\n") == len(WORDS)
    run = ostinato.load("run")
    assert list(run.task.lines(run, ["a\nb", "c"])) == ["a b", "c"]


def test_what_is_left_out_is_told(work, cli):
    Path("p.txt").write_text("a\tb\n\tc\nab\tba\nabcdef\tx\n" * 3)
    result = train(cli, "p.txt", "--level", "char", "--max-length", "4", "--valid", "p.txt")
    of(result, "train-translate")
    assert "3 pairs with an empty side were left out" in result.err
    assert "3 pairs longer than --max-length 4 were left out of training" in result.err


BAD = {
    "no separator": (["pairs.txt"], "pairs.txt: line 1: expected a source, TAB and a target, got no separator in"),
    "two separators": (
        ["pairs.txt", "--separator", "a"],
        "pairs.txt: line 1: expected a source, 'a' and a target, got",
    ),
    "missing file": (["gone.txt"], "gone.txt: no such file"),
    "no data": ([], "DATA: expected one file of pairs"),
    "two files as DATA": (["pairs.txt", "pairs.txt"], "DATA: expected one file of pairs"),
    "source without target": (["--source", "pairs.txt"], "--source and --target belong together"),
    "both ways": (
        ["pairs.txt", "--source", "pairs.txt", "--target", "pairs.txt"],
        "or --source and --target; got both",
    ),
    "unequal files": (["--source", "pairs.txt", "--target", "one.txt"], "pairs.txt has 64 lines and one.txt 1"),
    "empty file": (["empty.txt"], "empty.txt: no pairs there"),
    "empty test file": (["pairs.txt", "--separator", "_", "--test", "empty.txt"], "empty.txt: no pairs there"),
    "one pair": (["one.txt"], "expected at least two examples, one of them to validate on, got 1; give --valid"),
    "all too long": (["pairs.txt", "--separator", "_", "--max-length", "1", "--level", "char"], "--max-length 1"),
    "odd units": (["pairs.txt", "--separator", "_", "--level", "char", "--hidden", "7"], "an even number, got 7"),
    "feeding nothing": (["pairs.txt", "--attention", "none", "--input-feeding"], "choose an --attention"),
    "unknown attention": (["pairs.txt", "--attention", "self"], "expected one of general, dot"),
    "smoothing": (["pairs.txt", "--label-smoothing", "1"], "--label-smoothing: expected 0 up to below 1, got 1"),
    "penalty": (["pairs.txt", "--length-penalty", "-1"], "--length-penalty: expected at least 0"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_one_message_and_nothing_written(pairs, cli, work, mistake):
    Path("one.txt").write_text("a\tb\n")
    Path("empty.txt").write_text("\n")
    words, message = BAD[mistake]
    before = contents(work)
    result = cli("train", "translate", *words, "--out", "new")
    text = " ".join(result.err.replace("│", " ").split())
    assert result.status == 2
    assert message in text
    assert "Traceback" not in text
    assert contents(work) == before
    assert not os.path.exists("new/config.json")


def test_bad_data_for_a_trained_run(pairs, cli, work):
    train(cli, pairs, "--separator", "_", "--level", "char")
    Path("wrong.txt").write_text("abc\n")
    before = contents(work)
    assert "wrong.txt: line 1: expected a source, '_' and a target" in cli("evaluate", "run", "wrong.txt").err
    assert "expected one file of pairs, or a file of sources" in cli("evaluate", "run", *["wrong.txt"] * 3).err
    assert cli("evaluate", "run", pairs, "--beam", "0").status == 2
    assert "writes no text; predict has its answers" in cli("generate", "run").err
    assert contents(work) == before
