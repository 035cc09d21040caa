"""Answers to texts, rows and sequences in memory are those to the same in a file."""

import csv
import json
import math

import numpy as np
import pytest

import ostinato
from ostinato.core.errors import ConfigError, DataError

SMALL = {"hidden": 4, "epochs": 1, "threads": 1, "batch": 8}
ROWS = [(f"a {'fine' if n % 2 else 'poor'} film {n % 3}", "good" if n % 2 else "bad") for n in range(40)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("memory")
    with open(home / "films.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS])
    (home / "pairs.tsv").write_text("".join(f"{n % 7} a\t{n % 7} b\n" for n in range(40)))
    (home / "tags.txt").write_text("the D\ncat N\n\na D\ndog N\n\n" * 10)
    return home


@pytest.fixture(scope="module")
def films(home):
    return ostinato.train("classify", home / "films.csv", out=home / "films", text="text", label="label", **SMALL)


def test_texts(films, home, tmp_path):
    texts = [text for text, _ in ROWS[:3]]
    (tmp_path / "rows.csv").write_text("text\n" + "\n".join(texts) + "\n")
    expected = films.predict(tmp_path / "rows.csv")
    assert films.predict(texts) == expected
    (alone,) = films.predict(texts[0])  # torch's product of one row may differ in the last bit from that of three
    assert alone == {"label": expected[0]["label"], "probabilities": pytest.approx(expected[0]["probabilities"])}
    assert films.predict({"text": texts}) == expected
    assert films.predict([{"text": text, "more": 1} for text in texts]) == expected
    assert films.predict({"text": texts[0]}) == [alone]
    assert films.predict([text.split() for text in texts]) == expected
    assert list(films.predicted_lines(texts)) == [json.dumps(answer) for answer in expected]


def test_labels_alone(films):
    texts = [text for text, _ in ROWS[:3]]
    labels = [answer["label"] for answer in films.predict(texts)]
    assert list(films.predicted_lines(texts, labels=True)) == labels


def test_probabilities_have_the_digits_of_their_precision(films):
    """As many as float32 needs to read the same number back, and no more."""
    for answer in films.predict([text for text, _ in ROWS]):
        for value in answer["probabilities"].values():
            assert repr(value) == str(np.float32(value))
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-6)


def test_missing_texts_are_empty(films):
    with pytest.warns(UserWarning, match="data in memory: row 2: no text"):
        answers = films.predict(["a film", math.nan])
    assert answers == films.predict(["a film", ""])


def test_what_looks_like_a_file_is_one(films, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        films.predict("nowhere.csv")
    with pytest.raises(DataError, match="no such file"):
        films.evaluate("a fine film")


def test_train_and_evaluate_in_memory(films, home, tmp_path):
    columns = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    run = ostinato.train(
        "classify", columns, valid=columns, test=columns, out=tmp_path / "r", text="text", label="label", **SMALL
    )
    assert run.config["data"]["train"]["files"] == ["data in memory"]
    assert run.evaluate(columns) == run.evaluate(home / "films.csv") == run.test
    assert films.evaluate(columns) == films.evaluate(home / "films.csv")


def test_sequences_of_numbers(tmp_path):
    path = tmp_path / "train.csv"
    with open(path, "w", newline="") as file:
        rows = [(n, (-1) ** (n % 2 * t) * t, "ab"[n % 2]) for n in range(20) for t in range(5)]
        csv.writer(file).writerows([("id", "x", "label"), *rows])
    run = ostinato.train("classify", path, out=tmp_path / "run", id="id", values="x", label="label", **SMALL)
    found = run.predict([[0, 1, 2, 3, 4], [0, -1, 2, -3, 4]])
    alike = run.predict(path)[:2]  # of twenty sequences, whose sums may differ in the last bit
    for answer, expected in zip(found, alike, strict=True):
        assert answer["label"] == expected["label"]
        assert answer["probabilities"] == pytest.approx(expected["probabilities"], rel=1e-5)
    with pytest.raises(DataError, match="a fine film: no such file"):
        run.predict("a fine film")  # of a task that reads no texts


def test_translations(home, tmp_path):
    run = ostinato.train("translate", home / "pairs.tsv", out=home / "pairs", level="char", attention="none", **SMALL)
    (tmp_path / "some.txt").write_text("1 a\n2 a\n")
    assert run.predict(["1 a", "2 a"]) == run.predict(tmp_path / "some.txt")
    assert run.predict("1 a") == run.predict(["1 a"])
    with pytest.raises(ConfigError, match="--labels: a run of task 'translate' gives no labels"):
        run.predicted_lines("1 a", labels=True)


def test_tags(home):
    run = ostinato.train("tag", home / "tags.txt", out=home / "tags", char_hidden=0, **SMALL)
    expected = run.predict(home / "tags.txt")[:2]
    for source in (["the cat", "a dog"], [["the", "cat"], ["a", "dog"]]):
        answers = run.predict(source)
        assert [answer.words for answer in answers] == [["the", "cat"], ["a", "dog"]]
        assert [answer.tags for answer in answers] == [answer.tags for answer in expected]
    assert list(run.predicted_lines(["the cat"], labels=True)) == [" ".join(expected[0].tags)]
    (one,) = run.predict("the cat")
    assert (one.words, one.tags) == (expected[0].words, expected[0].tags)
