"""The task tag from the command line: train, evaluate, predict; what is printed and written."""

import gzip
import itertools
import json
import random
from pathlib import Path

import pytest

import ostinato
from tests.end_to_end.test_json import faults
from tests.support import contents

SMALL = ("--hidden", "16", "--embed", "8", "--char-hidden", "8", "--epochs", "8", "--batch", "16", "--threads", "1")
SMALL += ("--dropout", "0", "--lr", "0.02")
NOUNS, VERBS = ["cat", "dog", "mat", "log"], ["sat", "ran", "slept"]


def pos(sentences=80, seed=0):
    """CoNLL-U: the, a noun, a verb, and now and then a multiword token with an empty node behind it."""
    draw, lines = random.Random(seed), []
    for number in range(sentences):
        lines.append(f"# sent_id = {number}")
        words = [("The", "DET"), (draw.choice(NOUNS), "NOUN"), (draw.choice(VERBS), "VERB"), (".", "PUNCT")]
        if draw.random() < 0.3:
            lines.append("1-2\tThecat\t" + "\t".join("_" * 8))
        for place, (word, tag) in enumerate(words, 1):
            lines.append(f"{place}\t{word}\t{word}\t{tag}\t{tag[0]}\t_\t0\t_\t_\tSpaceAfter=No")
        if draw.random() < 0.3:
            lines.append("4.1\tran\t" + "\t".join("_" * 8))
        lines.append("")
    return "\n".join(lines) + "\n"


def names(sentences=120, seed=0):
    """Columns with BIO: "York" begins a place's name, or goes on with a person's or a place's."""
    draw, lines = random.Random(seed), []
    for _ in range(sentences):
        person = draw.choice(["Ann B-PER", "Ann B-PER\nYork I-PER"])
        place = draw.choice(["York B-LOC", "New B-LOC\nYork I-LOC", "Leeds B-LOC"])
        lines.append(f"{person}\nwent O\nto O\n{place}\n")
    return "\n".join(lines)


@pytest.fixture
def files(work):
    (work / "pos.conllu.gz").write_bytes(gzip.compress(pos().encode()))
    (work / "pos-test.conllu").write_text(pos(20, seed=1))
    (work / "names.txt").write_text(names())
    (work / "names-test.txt").write_text(names(20, seed=1))
    return work


def given(text):
    """A file of a text."""
    Path("given.txt").write_text(text + "\n")
    return "given.txt"


def of(result, schema=None):
    assert result.status == 0, result.err
    answer = json.loads(result.out.splitlines()[-1])
    if schema:
        assert not faults(answer, schema)
    return answer


def test_conllu_from_training_to_the_same_file_again(files, cli):
    trained = of(
        cli("train", "tag", "pos.conllu.gz", "--test", "pos-test.conllu", "--out", "run", *SMALL, "--json"), "train-tag"
    )
    test = {"tokens": 80, "accuracy": 1.0, "distinct": 4, "constant_accuracy": 0.25, "unknown": 0.0, "unknown_tags": 0}
    assert trained["test"].items() >= test.items()
    assert trained["test"]["types"]["VERB"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 20}
    assert "valid_span_f1" not in trained
    assert of(cli("evaluate", "run", "pos-test.conllu", "--json"), "evaluate-tag") == trained["test"]
    blank = pos(20, seed=1)
    for tag in ("DET", "NOUN", "VERB", "PUNCT"):
        blank = blank.replace(f"\t{tag}\t", "\t_\t")
    (files / "blank.conllu").write_text(blank)
    assert cli("predict", "run", "blank.conllu", "--output", "out.conllu").status == 0
    assert (files / "out.conllu").read_text() == pos(20, seed=1)
    config = json.loads((files / "run/config.json").read_text())
    assert config["model"]["head"] == "softmax"
    assert config["columns"]["tags"] == {"name": "upos", "index": 3}


def test_names_by_a_crf(files, cli):
    trained = of(
        cli("train", "tag", "names.txt", "--test", "names-test.txt", "--out", "run", *SMALL, "--json"), "train-tag"
    )
    assert (trained["test"]["accuracy"], trained["test"]["span_f1"]) == (1.0, 1.0)
    assert trained["test"]["types"].keys() == {"LOC", "PER"}
    config = json.loads((files / "run/config.json").read_text())
    assert (config["model"]["head"], config["constrained"]) == ("crf", True)
    assert cli("predict", "run", given("Ann went to New York")).out == (
        "Ann\tB-PER\nwent\tO\nto\tO\nNew\tB-LOC\nYork\tI-LOC\n\n"
    )
    four = "".join(f"{line.split()[0]} X _ {line.split()[1]}\n" if line else "\n" for line in names(20, 1).split("\n"))
    (files / "four.txt").write_text(four)
    assert of(cli("evaluate", "run", "four.txt", "--json"))["accuracy"] == 1.0
    assert cli("predict", "run", "four.txt").out == four
    (files / "either.txt").write_text("Ann went\nBen flew\n")
    assert "--format columns or --format text" in cli("predict", "run", "either.txt").err
    assert cli("predict", "run", "either.txt", "--format", "text").out.startswith("Ann\tB-PER\nwent\tO\n\nBen\t")
    assert cli("predict", "run", "either.txt", "--format", "columns").out.split()[::2] == ["Ann", "Ben"]
    first = cli("predict", "run", "four.txt", "--column", "2").out.splitlines()[0].split()
    assert (first[1], first[3]) == (four.split()[3], four.split()[3])
    (files / "words.txt").write_text("Ann\nYork\nwent\nto\nNew\nYork\n")
    assert cli("predict", "run", "words.txt").out == ("Ann B-PER\nYork I-PER\nwent O\nto O\nNew B-LOC\nYork I-LOC\n")
    answers = ostinato.load("run").predict("words.txt")
    assert [answer.tags for answer in answers] == [["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"]]
    assert answers[0].words == ["Ann", "York", "went", "to", "New", "York"]


def test_another_column_and_head_from_python(files):
    run = ostinato.train(
        "tag",
        "pos.conllu.gz",
        out="run",
        column="xpos",
        head="crf",
        hidden=8,
        embed=8,
        char_hidden=0,
        epochs=6,
        threads=1,
    )
    assert run.config["tags"] == ["D", "N", "P", "V"]
    assert run.model.crf is not None
    assert run.evaluate("pos-test.conllu")["accuracy"] == 1.0


def test_another_column_is_read_along(work, cli):
    """Only the second column tells the tag: without it there is nothing to go by."""
    draw = random.Random(3)
    lines = [(word, kind) for word in ("a", "b", "c") for kind in ("x", "y")]
    text = "".join(
        "".join("{} {} T{}\n".format(*(k := draw.choice(lines)), k[1]) for _ in range(4)) + "\n" for _ in range(60)
    )
    (work / "three.txt").write_text(text)
    options = ("--features", "2", *SMALL)
    assert cli("train", "tag", "three.txt", "--out", "run", *options).status == 0
    found = of(cli("evaluate", "run", "three.txt", "--json"), "evaluate-tag")
    assert found["accuracy"] == 1.0
    (work / "two.txt").write_text("a x\nb y\n\nc x\n")
    assert cli("predict", "run", "two.txt").out == "a x Tx\nb y Ty\n\nc x Tx\n"
    assert "has no column 2" in cli("predict", "run", given("a\nb")).err
    assert "--features" in cli("predict", "run", given("a b c")).err


def test_softmax_keeps_bio_too(files):
    options = {"head": "softmax", "hidden": 4, "embed": 4, "char_hidden": 0, "epochs": 1, "threads": 1}
    run = ostinato.train("tag", "names.txt", out="run", **options)
    assert run.model.crf is None
    tags = [tag for answer in run.predict("names-test.txt") for tag in ["O", *answer.tags]]
    inside = [(before, tag) for before, tag in itertools.pairwise(tags) if tag.startswith("I-")]
    assert all(before[2:] == tag[2:] for before, tag in inside)


def test_resumed_as_if_nothing_had_happened(files, cli):
    options = ("train", "tag", "names.txt", *SMALL[:6], "--batch", "16", "--threads", "1")
    assert cli(*options, "--epochs", "3", "--schedule", "constant", "--out", "whole").status == 0
    assert cli(*options, "--epochs", "1", "--schedule", "constant", "--out", "parts").status == 0
    assert cli(*options, "--epochs", "3", "--schedule", "constant", "--out", "parts", "--resume").status == 0
    whole, parts = contents(files / "whole"), contents(files / "parts")
    assert whole["model.safetensors"] == parts["model.safetensors"]


@pytest.mark.slow
def test_two_processes(files, cli):
    assert cli("train", "tag", "names.txt", "--out", "run", *SMALL[:6], "--epochs", "2", "--devices", "2").status == 0
    assert of(cli("evaluate", "run", "names-test.txt", "--json"))["accuracy"] > 0.3


def test_a_tag_of_what_is_held_out_is_known_whatever_the_draw(files, cli):
    rare = names(20) + "\nAnn B-MISC\n"
    (files / "rare.txt").write_text(rare)
    for seed in ("1", "2", "3"):
        options = (
            "--hidden",
            "4",
            "--embed",
            "4",
            "--char-hidden",
            "0",
            "--epochs",
            "1",
            "--threads",
            "1",
            "--seed",
            seed,
        )
        assert cli("train", "tag", "rare.txt", "--out", seed, *options).status == 0
        assert "B-MISC" in json.loads((files / seed / "config.json").read_text())["tags"]


def test_a_tag_that_training_never_saw_counts_as_wrong_in_all_splits(files, cli):
    """As in CoNLL-2000, whose test part alone has an I-LST."""
    (files / "more.txt").write_text(names(12) + "\nAnn B-MISC\nwent O\n")
    given = ("--valid", "more.txt", "--test", "more.txt")
    result = cli("train", "tag", "names.txt", *given, "--out", "run", *SMALL, "--json")
    assert result.status == 0
    words = 1 + sum(bool(line.strip()) for line in names(12).splitlines())
    message = (
        "the tag 'B-MISC' does not occur in the training data, whose tags are 'B-LOC', 'B-PER', 'I-LOC', 'I-PER', 'O'"
    )
    assert f"more.txt: line {len(names(12).splitlines()) + 2}: {message}" in result.err
    assert f"(1 of {words + 1:,} do)" in result.err
    test = of(result)["test"]
    assert test["unknown_tags"] == 1
    assert test["tokens"] == words + 1
    found = ostinato.load("run").predict("more.txt")
    right = [line.split()[1] for line in (files / "more.txt").read_text().splitlines() if line.strip()]
    said = [tag for sentence in found for tag in sentence.tags]
    assert test["accuracy"] == sum(a == b for a, b in zip(right, said, strict=True)) / len(right)
    assert "B-MISC" not in json.loads((files / "run/config.json").read_text())["tags"]


def test_bad_input_to_a_run(files, cli):
    assert cli("train", "tag", "names.txt", "--out", "run", *SMALL[:6], "--epochs", "1", "--threads", "1").status == 0
    (files / "more.txt").write_text("Ann X\nwent Y\n")
    result = cli("evaluate", "run", "more.txt")
    assert result.status == 2
    assert "more.txt: line 1: the tag 'X' does not occur in the training data" in result.err
    (files / "ragged.txt").write_text("a O\nb\n")
    assert "ragged.txt: line 2" in cli("predict", "run", "ragged.txt").err
    assert "--beam" in cli("predict", "run", "names-test.txt", "--beam", "3").err
    assert cli("generate", "run").status == 2
    (files / "run/tokenizer.json").write_text("{")
    assert "run/tokenizer.json: expected" in cli("evaluate", "run", "names-test.txt").err
