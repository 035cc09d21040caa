"""Examples that have several labels."""

import csv
import itertools
import random

import pytest

import ostinato
from ostinato.core.errors import ConfigError, DataError

KINDS = {"funny": "laugh", "sad": "tears", "long": "hours"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("several")
    draw = random.Random(1)
    rows = []
    for number in range(240):
        labels = [kind for kind in KINDS if draw.random() < 0.4]
        words = [KINDS[kind] for kind in labels] + [draw.choice(["film", "actor", "plot"]) for _ in range(4)]
        draw.shuffle(words)
        rows.append((" ".join(words), (" ; " if number % 2 else ";").join(labels)))
    with open(home / "films.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "kinds"), *rows[:200]])
    with open(home / "test.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "kinds"), *rows[200:]])
    return home


@pytest.fixture(scope="module")
def run(home):
    options = {"hidden": 16, "epochs": 12, "lr": 0.02, "threads": 1, "batch": 10, "dropout": 0.0, "word_dropout": 0.0}
    return ostinato.train(
        "classify",
        home / "films.csv",
        out=home / "run",
        text="text",
        label="kinds",
        multi_label=";",
        test=str(home / "test.csv"),
        **options,
    )


def test_each_label_is_told_by_itself(run, home):
    assert run.codec.classes == ("funny", "long", "sad")
    assert run.test["accuracy"] > 0.9
    assert run.test["micro_f1"] > 0.95
    assert run.test["macro_f1"] > 0.95
    for words in itertools.chain.from_iterable(itertools.combinations(KINDS.values(), n) for n in range(4)):
        (answer,) = ostinato.load(home / "run").predict(f"film {' '.join(words)} plot")
        expected = sorted(kind for kind, word in KINDS.items() if word in words)
        assert (answer["labels"], answer["label"]) == (expected, ";".join(expected))
        assert {kind for kind, p in answer["probabilities"].items() if p > 0.5} == set(expected)
    assert list(run.predicted_lines("film tears hours", labels=True)) == ["long;sad"]


def test_figures(run, home):
    """The test data's own labels against what predict says, by hand."""
    with open(home / "test.csv", newline="") as file:
        right = [{kind.strip() for kind in row["kinds"].split(";")} - {""} for row in csv.DictReader(file)]
    said = [set(answer["labels"]) for answer in run.predict(home / "test.csv")]
    figures = run.evaluate(home / "test.csv")
    assert figures["examples"] == len(right) == 40  # those without any label are examples, too
    assert figures["accuracy"] == pytest.approx(sum(map(set.__eq__, right, said)) / 40)
    hits = sum(len(one & other) for one, other in zip(right, said, strict=True))
    assert figures["micro_f1"] == pytest.approx(2 * hits / sum(map(len, right + said)))
    assert "micro_f1" in run.folder.resume_point.position().best_figures
    assert not (home / "run" / "confusion.png").exists()


def test_labels_that_training_never_saw(run, tmp_path):
    (tmp_path / "new.csv").write_text("text,kinds\ntears film,sad;loud\ntears plot,sad\n")
    with pytest.warns(UserWarning, match="the label 'loud' does not occur in the training data"):
        figures = run.evaluate(tmp_path / "new.csv")
    assert (figures["accuracy"], figures["unknown_labels"]) == (0.5, 1)


def test_refused(home, tmp_path):
    with pytest.raises(ConfigError, match="--multi-label: expected what stands between labels"):
        ostinato.train("classify", home / "films.csv", out=tmp_path / "r", text="text", label="kinds", multi_label="")
    (tmp_path / "none.csv").write_text("text,kinds\na,\nb,;\n")
    with pytest.raises(DataError, match="expected a label for each example, found none at all"):
        ostinato.train(
            "classify", tmp_path / "none.csv", out=tmp_path / "r", text="text", label="kinds", multi_label=";"
        )
