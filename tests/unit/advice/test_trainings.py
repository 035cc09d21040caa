"""Small trainings that show each thing that can go wrong, and healthy ones of which nothing is said."""

import math
import random

import pytest
import torch

from ostinato.advice import words
from ostinato.core.errors import TrainingError
from ostinato.training.metrics import said_in
from tests.support import metrics, prose
from tests.unit.advice.conftest import MANY, by_a_word, by_chance, by_the_first, written

TEXTS = {"text": "text", "label": "label", "embed": 16}


#: Learned by heart in some passes; enough is held out to say so.
BY_HEART = {"text": "text", "label": "label", "embed": 16, "level": "word", "lr": 0.01, "hold_out": 0.4}


def test_labels_that_follow_nothing(told, tmp_path, capsys):
    data = written(tmp_path / "data.csv", label=by_chance, names=MANY)
    names, run = told("classify", data, **BY_HEART, epochs=10)
    assert words.OVERFITTING in names
    said = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("! since step") for line in said) == 1  # once
    assert sum(line.endswith("when-training-goes-wrong.md#overfitting") for line in said) == 2
    assert sum(line.startswith("at the end still: since step") for line in said) == 1
    lines = [line["advice"] for line in metrics(run.folder.path) if "advice" in line]
    assert [line["name"] for line in lines] == names


@pytest.mark.slow
def test_quiet(told, tmp_path, capsys):
    data = written(tmp_path / "data.csv", label=by_chance, names=MANY)
    names, run = told("classify", data, **BY_HEART, epochs=10, quiet_advice=True)
    assert not names
    assert "! " not in capsys.readouterr().err
    assert "quiet_advice" not in run.config["options"]  # of one command


@pytest.mark.slow
def test_a_word_that_stands_too_far_back(told, tmp_path):
    data = written(tmp_path / "data.csv", label=by_the_first, words=80)
    far = {"bidirectional": False, "pooling": "last", "word_dropout": 0.0}
    names, _ = told("classify", data, **TEXTS, **far, cell="rnn", epochs=6, lr=0.002)
    assert words.VANISHING in names
    assert words.GUESSING in names


@pytest.mark.slow
def test_gradients_that_are_always_clipped(told, tmp_path):
    data = written(tmp_path / "data.csv", label=by_a_word)
    names, _ = told("classify", data, **TEXTS, epochs=12, clip=1e-4)
    assert words.CLIPPED in names


@pytest.mark.slow
def test_a_rate_that_is_too_high_and_one_that_is_too_low(told, tmp_path):
    data = written(tmp_path / "data.csv", label=by_a_word)
    said = told("classify", data, **TEXTS, epochs=6, lr=3.0)[0]
    assert words.TOO_HIGH in said
    assert words.GUESSING not in said  # what comes of it is no second thing to look for
    assert words.TOO_LOW in told("classify", data, **TEXTS, epochs=6, lr=1e-7)[0]


def test_units_that_are_dead_and_gates_that_are_saturated(told, tmp_path):
    data = written(tmp_path / "data.csv", label=by_a_word)
    names, _ = told("classify", data, **TEXTS, cell="rnn", epochs=6, lr=30.0)
    assert {words.DEAD, words.SATURATED, words.TOO_HIGH} <= set(names)


def test_a_short_training_that_ends_far_above_a_guess(told, tmp_path):
    names, run = told("lm", book(tmp_path / "book.txt"), epochs=1, lr=30.0, clip=0.0)
    assert words.GUESSING in names
    assert metrics(run.folder.path)[-1]["step"] < 200
    assert not told("lm", tmp_path / "book.txt", epochs=1)[0]  # above one too, as it has only begun


# ------------------------------------------------------------------------------------------------------ healthy


def sentences(file):
    """Tagged words, a word and its tag a line: the tag follows from the word and from the one before it."""
    draw, lines = random.Random(3), []
    for _ in range(200):
        before = ""
        for word in draw.choices(["the", "saw", "cat", "a", "run", "fish"], k=8):
            noun = before in ("the", "a") or word == "cat"
            lines.append(f"{word}\t{'DET' if word in ('the', 'a') else 'NOUN' if noun else 'VERB'}")
            before = word
        lines.append("")
    file.write_text("\n".join(lines))
    return file


def waves(file, *, classes):
    """Noisy waves, as a table of a row a step: which of two shapes they have, or how long they are."""
    draw, rows = random.Random(5), ["id,time,value,what"]
    for number in range(240):
        kind, length = draw.choice(["saw", "sine"]), draw.uniform(5, 12)
        for time in range(24):
            phase = time / length % 1
            value = (2 * phase - 1 if kind == "saw" else math.sin(2 * math.pi * phase)) + draw.gauss(0, 0.1)
            rows.append(f"{number},{time},{value:.4f},{kind if classes else f'{length:.3f}'}")
    file.write_text("\n".join(rows) + "\n")
    return file


def series(file):
    """A season, a trend, some noise."""
    draw, rows = random.Random(2), ["month,sold"]
    for month in range(160):
        year, of = divmod(month, 12)
        sold = 100 + month + 30 * math.sin(2 * math.pi * of / 12) + draw.gauss(0, 6)
        rows.append(f"{1990 + year}-{of + 1:02d},{sold:.2f}")
    file.write_text("\n".join(rows) + "\n")
    return file


def pairs(file):
    draw = random.Random(4)
    texts = ["".join(draw.choices("abcdef", k=draw.randint(3, 6))) for _ in range(500)]
    file.write_text("".join(f"{text}\t{text[::-1].upper()}\n" for text in texts))
    return file


def book(file):
    file.write_text(prose(400))
    return file


NUMBERS = {"id": "id", "time": "time", "values": "value", "label": "what", "epochs": 8}
HEALTHY = {
    "lm": ("lm", book, {"level": "word", "epochs": 6, "batch": 8, "steps": 20}),
    "lm, characters, rnn": ("lm", book, {"cell": "rnn", "epochs": 4, "hidden": 48, "dropout": 0.3}),
    "lm, sgd": ("lm", book, {"optimizer": "sgd", "lr": 1.0, "schedule": "plateau", "epochs": 6, "hidden": 32}),
    "classify": ("classify", lambda file: written(file, label=by_a_word), {**TEXTS, "dropout": 0.3, "epochs": 8}),
    "classify, first word": ("classify", lambda file: written(file, label=by_the_first), {**TEXTS, "cell": "gru"}),
    "classify, relu": ("classify", lambda file: waves(file, classes=True), {**NUMBERS, "cell": "rnn_relu"}),
    "classify, numbers": ("classify", lambda file: waves(file, classes=True), NUMBERS),
    "regress": (
        "regress",
        lambda file: waves(file, classes=False),
        {"id": "id", "time": "time", "values": "value", "target": "what", "cell": "min_gru", "hidden": 32, "epochs": 8},
    ),
    "tag": ("tag", sentences, {"cell": "lstm", "epochs": 6, "embed": 16}),
    "forecast": ("forecast", series, {"time": "month", "target": "sold", "horizon": 6, "window": 24, "epochs": 8}),
    "translate": ("translate", pairs, {"epochs": 30, "hidden": 48, "level": "char"}),
    "lm, deep": ("lm", book, {"cell": "slstm", "layers": 2, "epochs": 3, "hidden": 24, "dropout": 0.2}),
}
QUICK = {"lm", "tag"}


@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow, id=name) for name in HEALTHY]
)
def test_nothing_is_said_of_a_healthy_training(told, tmp_path, case):
    task, make, options = HEALTHY[case]
    names, _ = told(task, make(tmp_path / "data.csv"), **options)
    assert not names


# --------------------------------------------------------------------------------------------- what it does not do


def test_a_training_is_the_same_to_the_last_bit(told, tmp_path):
    data = written(tmp_path / "data.csv", label=by_a_word)
    options = {**TEXTS, "epochs": 3, "dropout": 0.3, "zoneout": 0.1, "recurrent_dropout": 0.1}
    _, run = told("classify", data, **options)
    advised, state = run.folder.weights.read_bytes(), torch.get_rng_state()
    figures = [line for line in metrics(run.folder.path) if "advice" not in line]
    _, run = told("classify", data, **options, quiet_advice=True)
    assert run.folder.weights.read_bytes() == advised
    assert metrics(run.folder.path) == figures
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
def test_who_goes_on_hears_nothing_twice(told, tmp_path, capsys):
    data = written(tmp_path / "data.csv", label=by_chance, names=MANY)
    first, _ = told("classify", data, **BY_HEART, epochs=10)
    capsys.readouterr()
    names, _ = told("classify", data, **BY_HEART, epochs=14, resume=True, overwrite=False)
    assert names[: len(first)] == first
    assert len(names) == len(set(names))
    assert "! since step" not in capsys.readouterr().err


def test_an_error_names_the_layer(told, tmp_path):
    data = written(tmp_path / "data.csv", label=by_a_word)
    with pytest.raises(TrainingError, match=r"first not finite: .*; likely as the learning rate, 1e\+30, is too high"):
        told("classify", data, **TEXTS, optimizer="sgd", lr=1e30, schedule="constant", cell="rnn_relu")
    (advice,) = said_in(tmp_path / "run" / "metrics.jsonl")
    assert advice.name == "not-finite"
