"""`ostinato train classify` and what follows, on data small enough to learn in a second."""

import csv
import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import ostinato
from ostinato.data.tables.reading import read_table
from ostinato.data.text.word_vectors import word_vectors
from ostinato.tasks import sequence_data
from tests.support import contents, metrics

SMALL = ("--hidden", "12", "--embed", "8", "--threads", "1", "--batch", "16", "--lr", "0.02", "--dropout", "0.1")
FILLERS = ["the", "film", "was", "a", "story", "of", "people", "and", "it", "had", "scenes"]
GOOD, BAD = ["great", "lovely", "fun"], ["dull", "awful", "bad"]


def reviews(count, seed=0):
    """Texts whose label is the kind of their one telling word."""
    draw, rows = random.Random(seed), []
    for index in range(count):
        label = "pos" if index % 2 else "neg"
        words = draw.choices(FILLERS, k=draw.randrange(2, 14))
        words.insert(draw.randrange(len(words)), draw.choice(GOOD if label == "pos" else BAD))
        rows.append({"review": " ".join(words), "stars": label})
    return rows


def write(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def waves(count, seed=0, *, label=True):
    """Rows of a long table: rising or falling lines with noise, of unequal length, rows in any order."""
    draw, rows = np.random.default_rng(seed), []
    for index in range(count):
        slope = 1 if index % 2 else -1
        for moment in range(int(draw.integers(8, 20))):
            rows.append({"who": f"w{index}", "t": moment, "x": f"{slope * moment + draw.normal():.3f}", "y": "5"})
            if label:
                rows[-1]["kind"] = "up" if slope > 0 else "down"
    draw.shuffle(rows)
    return rows


TEXT = ("--text", "review", "--label", "stars")
NUMBERS = ("--id", "who", "--time", "t", "--values", "x,y", "--label", "kind")


@pytest.fixture
def trained(work, cli):
    write("train.csv", reviews(160))
    write("test.csv", reviews(60, seed=1))
    command = ("train", "classify", "train.csv", *TEXT, "--out", "run", "--test", "test.csv", "--epochs", "15", *SMALL)
    result = cli(*command, "--json")
    assert result.status == 0, result.err
    return json.loads(result.out)


def test_reviews_from_table_to_labels(trained, work, cli):
    assert trained["test"]["accuracy"] == trained["test"]["macro_f1"] == 1.0
    assert trained["test"]["examples"] == 60
    assert trained["examples"] == 15 * 160  # a tenth would be too few to hold out
    assert "valid_accuracy" not in trained
    config = json.loads((work / "run/config.json").read_text())
    assert config["data"]["train"]["labels"] == {"neg": 80, "pos": 80}
    assert (config["data"]["held_out"], config["data"]["validated"]) == (False, False)
    assert config["classes"] == ["neg", "pos"]
    assert {"confusion.png", "README.md", "tokenizer.json", "model.safetensors"} <= set(contents(work / "run"))
    card = (work / "run/README.md").read_text()
    assert "accuracy 1.0000" in card
    assert "no validation (too few examples to hold some out)" in card
    figures = json.loads(cli("evaluate", "run", "test.csv", "--json").out)
    assert figures == trained["test"]
    result = cli("predict", "run", "test.csv", "--output", "answers.jsonl")
    assert (result.status, result.out) == (0, "answers.jsonl: 60 answers\n")
    answers = [json.loads(line) for line in (work / "answers.jsonl").read_text().splitlines()]
    assert [answer["label"] for answer in answers] == [row["stars"] for row in reviews(60, seed=1)]
    for answer in answers:
        assert list(answer["probabilities"]) == ["neg", "pos"]
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-6)
        assert answer["probabilities"][answer["label"]] > 0.5
    assert cli("predict", "run", "test.csv", "--output", "answers.csv").status == 0
    assert cli("predict", "run", "test.csv", "--output", "-").out == cli("predict", "run", "test.csv").out != ""
    table = read_table("answers.csv")
    assert list(table.columns) == ["label", "probabilities.neg", "probabilities.pos"]
    assert table.numbers("probabilities.pos").tolist() == [answer["probabilities"]["pos"] for answer in answers]


def test_probabilities_are_the_models(trained, work):
    run = ostinato.load("run")
    (answer,) = [a for i, a in enumerate(run.predict("test.csv")) if i == 7]
    ids = torch.tensor(run.tokenizer.encode(reviews(60, seed=1)[7]["review"]))[:, None]
    with torch.no_grad():
        scores = run.model(ids, torch.tensor([len(ids)])).logits[0].softmax(0)
    assert list(answer["probabilities"].values()) == pytest.approx(scores.tolist(), rel=1e-4)
    assert run.evaluate("test.csv")["accuracy"] == 1
    assert run.details["confusion"].tolist() == [[30, 0], [0, 30]]


def test_a_label_that_training_never_saw_counts_as_wrong_in_all_splits(work, cli):
    write("train.csv", reviews(160))
    more = [*reviews(40, seed=1), {"review": "a great film", "stars": "ok"}, {"review": "fun", "stars": "ok"}]
    write("more.csv", more)
    command = ("train", "classify", "train.csv", *TEXT, "--out", "run", "--valid", "more.csv", "--test", "more.csv")
    result = cli(*command, "--epochs", "12", *SMALL, "--json")
    assert result.status == 0
    told = "more.csv: line 42: the label 'ok' does not occur in the training data, whose labels are 'neg', 'pos'"
    assert f"{told}: the model cannot say it, so that it counts as wrong (2 of 42 do)" in result.err
    figures = json.loads(result.out)
    test = figures["test"]
    assert (test["examples"], test["unknown_labels"], test["distinct"]) == (42, 2, 2)
    assert test["accuracy"] == figures["valid_accuracy"] == 40 / 42
    assert test["constant_accuracy"] == 20 / 42
    # by scikit-learn's definition: the mean over three labels, one of them never found
    assert test["macro_f1"] == pytest.approx((2 * 20 / 41 + 2 * 20 / 41 + 0) / 3, abs=0.03)
    assert (work / "run/confusion.png").exists()
    run = ostinato.load("run")
    run.evaluate("more.csv")
    assert run.details["labels"] == ("neg", "pos", "ok")
    assert run.details["confusion"].sum(1).tolist() == [20, 20, 2]


def test_a_model_that_always_says_the_same_is_told_so(work, cli):
    write("train.csv", [row if row["stars"] == "pos" else row | {"review": "film"} for row in reviews(160)])
    write("test.csv", [row | {"review": "film"} for row in reviews(60, seed=1)])
    command = ("train", "classify", "train.csv", *TEXT, "--out", "run", "--test", "test.csv", "--epochs", "3", *SMALL)
    result = cli(*command)
    assert "the 60 answers are all the same label, 'neg', where 2 different ones were expected" in result.err
    assert "test distinct             1\n" in result.out
    assert "test constant accuracy    0.5000\n" in result.out


def test_measurements_as_labels_look_like_regression(work, cli):
    write("train.csv", [row | {"stars": f"{n // 2 * 0.37:.2f}"} for n, row in enumerate(reviews(80))])
    result = cli("train", "classify", "train.csv", *TEXT, "--out", "run", "--epochs", "1", *SMALL)
    assert result.status == 0
    assert "train.csv: 40 different labels in 80 examples" in result.err
    assert "looks like regression" in result.err


@pytest.mark.slow
def test_standard_input_is_one_text_a_line(trained, work, spawn):
    (work / "texts.txt").write_text("what a great film\n\ndull, dull, DULL!\n")
    result = spawn("predict", "run", "-", "--threads", "1", stdin=str(work / "texts.txt")).wait()
    answers = [json.loads(line) for line in result.out.splitlines()]
    assert [answers[0]["label"], answers[2]["label"]] == ["pos", "neg"]
    assert len(answers) == 3
    assert "standard input: line 2: no text (so in 1 rows)" in result.err


def test_numbers_of_a_long_table(work, cli):
    write("train.csv", waves(60))
    write("test.csv", waves(40, seed=1, label=False))
    result = cli("train", "classify", "train.csv", *NUMBERS, "--out", "run", "--epochs", "20", *SMALL, "--json")
    assert "60 examples to train on, none held out" in result.err
    assert "fit: loss" in result.err
    assert "validation" not in result.err
    scale = json.loads((work / "run/config.json").read_text())["scale"]
    assert (scale["mean"][1], scale["deviation"][1]) == (5.0, 5.0)  # constant
    answers = [json.loads(line) for line in cli("predict", "run", "test.csv").out.splitlines()]
    assert len(answers) == 40
    assert all(a["label"] == ("up" if int(a["id"][1:]) % 2 else "down") for a in answers)


@pytest.mark.parametrize(
    "options",
    [
        ("--pooling", "attention", "--cell", "gru", "--no-bidirectional", "--level", "char"),
        ("--pooling", "last", "--class-weights", "balanced", "--label-smoothing", "0.1", "--level", "bpe"),
        ("--pooling", "mean", "--layers", "2", "--recurrent-dropout", "0.1", "--zoneout", "0.1", "--max-length", "5"),
    ],
)
def test_every_option_runs_and_its_run_loads(work, cli, options):
    write("train.csv", reviews(60))
    result = cli("train", "classify", "train.csv", *TEXT, "--out", "run", "--epochs", "1", *SMALL, *options)
    assert result.status == 0, result.err
    assert cli("evaluate", "run", "train.csv").status == 0


def test_texts_and_numbers_have_their_own_pooling(trained, work, cli):
    write("waves.csv", waves(10))
    assert cli("train", "classify", "waves.csv", *NUMBERS, "--out", "numbers", "--epochs", "1", *SMALL).status == 0
    pooling = [json.loads((work / run / "config.json").read_text())["model"]["pooling"] for run in ("run", "numbers")]
    assert pooling == ["attention", "max"]


def test_the_embedding_starts_from_the_texts(work):
    """A rate of nearly 0 leaves it where it starts; with few texts only where it is asked for."""
    write("train.csv", rows := reviews(100))
    options = {"text": "review", "label": "stars", "hidden": 8, "epochs": 1, "threads": 1, "lr": 1e-12}
    for start in ("texts", "auto"):
        run = ostinato.train("classify", "train.csv", valid="train.csv", out=start, word_vectors=start, **options)
        tokenizer, weight = run.codec.tokenizer, run.model.input.weight.detach()
        expected = 0.1 * word_vectors([tokenizer.encode(row["review"]) for row in rows], tokenizer.size, 8)
        known = expected.any(1)
        assert int(known.sum()) > 15
        assert torch.allclose(weight[known], expected[known], atol=1e-5) == (start == "texts")
        assert weight[~known].abs().min() > 0, "words that do not occur start from random numbers"


@pytest.mark.parametrize(
    ("examples", "tokens", "passes"),
    [
        (25_000, 6_000_000, 2),  # film reviews
        (200_000, 40_000_000, 2),
        (15_000, 105_000, 19),  # names, by letters
        (135_000, 2_700_000, 2),  # one sentence each
        (10_000, 0, 5),  # numbers
        (1_000, 0, 20),
        (20, 100, 20),
    ],
)
def test_many_examples_and_many_tokens_are_passed_over_less_often(examples, tokens, passes):
    assert sequence_data.passes(examples, tokens) == passes


def test_a_tenth_is_held_out_where_it_tells(work, cli):
    write("train.csv", reviews(300))
    result = cli("train", "classify", "train.csv", *TEXT, "--out", "run", "--epochs", "1", *SMALL, "--json")
    assert "270 examples to train on, 30 to validate on, held out of every class alike" in result.err
    assert "valid_accuracy" in json.loads(result.out)
    assert json.loads((work / "run/config.json").read_text())["data"]["valid"]["labels"] == {"neg": 15, "pos": 15}


def agglutinated(count, seed=0):
    """Texts of words that are nearly all new: a stem and a chain of endings; the stem tells."""
    draw, rows = random.Random(seed), []
    ends = ["lar", "da", "mis", "in", "ki", "ler", "den", "siz", "ca", "ti"]

    def word(stem):
        return stem + "".join(draw.choices(ends, k=4))

    for index in range(count):
        label = "pos" if index % 2 else "neg"
        words = [word(draw.choice(["ev", "yol", "su", "gun"])) for _ in range(4)]
        words.insert(draw.randrange(5), word("guzel" if label == "pos" else "kotu"))
        rows.append({"review": " ".join(words), "stars": label})
    return rows


def test_the_level_is_chosen_by_what_is_unknown(work, cli):
    """Words where they are known, pieces where words are built anew, characters of texts of one word."""
    names = [{"review": f"{'xqz' if n % 2 else 'oua'}{n:05d}", "stars": "pos" if n % 2 else "neg"} for n in range(300)]
    for name, rows, level in (
        ("words", reviews(300), "word"),
        ("built", agglutinated(300), "bpe"),
        ("names", names, "char"),
        ("few", names[:40], "char"),  # nothing is held out
    ):
        write("train.csv", rows)
        result = cli("train", "classify", "train.csv", *TEXT, "--out", name, "--epochs", "1", *SMALL)
        assert result.status == 0, result.err
        assert ostinato.load(name).tokenizer.level == level
        assert ("of the words held out are unknown" in result.err) == (level != "word")
        dropped = json.loads((work / name / "config.json").read_text())["model"]["word_dropout"]
        assert dropped < 0.1, "of short texts few steps can be done without"
    write("train.csv", agglutinated(300))
    result = cli("train", "classify", "train.csv", *TEXT, "--out", "asked", "--level", "word", "--epochs", "1", *SMALL)
    assert ostinato.load("asked").tokenizer.level == "word"
    assert "% of the words are unknown to the model: --level bpe reads words in pieces" in result.err
    config = json.loads((work / "asked/config.json").read_text())
    assert config["data"]["valid"]["unknown"] > 0.5


def test_balanced_weights_help_the_rare_class(work):
    rows = [row for index, row in enumerate(reviews(400)) if row["stars"] == "neg" or index % 20 == 1]
    write("train.csv", rows)
    same = {
        "text": "review",
        "label": "stars",
        "hidden": 12,
        "embed": 8,
        "epochs": 2,
        "threads": 1,
        "lr": 0.01,
        "dropout": 0.0,
    }
    shares = []
    for name in ("none", "balanced"):
        run = ostinato.train("classify", "train.csv", out=name, class_weights=name, **same)
        shares.append(np.mean([answer["probabilities"]["pos"] for answer in run.predict("train.csv")]))
    assert shares[0] + 0.2 < shares[1]


def test_stopped_and_resumed_is_the_same_run(work, cli, spawn):
    write("train.csv", reviews(160))
    command = ("train", "classify", "train.csv", *TEXT, *SMALL, "--epochs", "4", "--log-every", "2")
    assert cli(*command, "--out", "whole").status == 0
    assert cli(*command, "--out", "part", "--epochs", "4").status == 0
    started = spawn(*command, "--out", "killed", "--save-every", "0")
    started.wait_until(lambda: (work / "killed/metrics.jsonl").is_file() and len(metrics(work / "killed")) > 6)
    started.kill()
    assert cli("train", "classify", "train.csv", "--out", "killed", "--resume").status == 0
    assert (work / "killed/model.safetensors").read_bytes() == (work / "whole/model.safetensors").read_bytes()
    assert metrics(work / "killed") == metrics(work / "whole")


@pytest.mark.slow
def test_two_processes_learn_what_one_does(work, spawn):
    write("train.csv", reviews(90))
    sizes = (
        "--hidden",
        "12",
        "--embed",
        "8",
        "--threads",
        "1",
        "--batch",
        "16",
        "--dropout",
        "0",
        "--word-dropout",
        "0",
    )
    # by SGD: Adam would make as much of the rounding of a gradient that is nearly zero as of any other
    course = ("--epochs", "2", "--optimizer", "sgd", "--lr", "0.5")
    command = ("train", "classify", "train.csv", *TEXT, *sizes, *course)
    one, two = spawn(*command, "--out", "one"), spawn(*command, "--out", "two", "--devices", "2")
    assert one.wait().status == two.wait().status == 0
    for name, tensor in load_file("one/model.safetensors").items():
        torch.testing.assert_close(load_file("two/model.safetensors")[name], tensor, rtol=1e-4, atol=1e-5)
    ends = [[line["examples"] for line in metrics(work / name)][-1] for name in ("one", "two")]
    assert ends == [180, 180]


def bad(name, content):
    def make():
        with open(name, "w", encoding="utf-8") as file:
            file.write(content)

    return make


def test_labels_missing_in_some_rows_are_told_and_left_out(work, cli):
    rows = reviews(60)
    rows[3]["stars"] = rows[9]["stars"] = ""
    write("train.csv", rows)
    result = cli("train", "classify", "train.csv", *TEXT, "--out", "run", "--epochs", "1", *SMALL)
    assert result.status == 0
    assert "train.csv: line 5: no label (so in 2 rows); left out" in result.err
    assert json.loads((work / "run/config.json").read_text())["data"]["train"]["examples"] == 58


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ({}, ("train.csv", "--text", "txt", "--label", "stars"), "train.csv: no column 'txt': there are stars, review"),
        ({}, ("train.csv", "--text", "review", "--label", "star"), "no column 'star': did you mean 'stars'? there are"),
        ({"r.csv": "review,stars\na,pos\nb,neg,\n"}, ("r.csv", *TEXT), "r.csv: line 3: expected 2 fields"),
        ({"t.csv": "review,stars\na,ok\n"}, ("train.csv", *TEXT, "--test", "t.csv"),
         "t.csv: line 2: the label 'ok' does not occur in the training data, whose labels are 'neg', 'pos'; nor does"),
        ({"t.csv": "review,stars\n"}, ("train.csv", *TEXT, "--test", "t.csv"), "t.csv: the table is empty"),
        ({"t.csv": "review,stars\na,\n"}, ("train.csv", *TEXT, "--test", "t.csv"), "t.csv: expected a label for each"),
        ({"o.csv": "review,stars\na,x\nb,x\n"}, ("o.csv", *TEXT), "o.csv: expected at least two different labels"),
        ({}, ("train.csv",), "train.csv: say which columns of the table to read"),
        ({}, ("missing.csv", *TEXT), "missing.csv: no such file"),
        ({}, ("-", "--text", "a"), "--label: expected the column of the labels"),
        ({}, ("train.csv", *TEXT, "--id", "review"), "give either"),
        ({}, ("train.csv", "--values", "a", "--label", "b"), "--values and --id belong together"),
        ({}, ("train.csv", *TEXT, "--tied"), "--tied: train classify has no use for it"),
        ({}, ("train.csv", *TEXT, "--label-smoothing", "1"), "--label-smoothing: expected 0 up to below 1"),
    ],
)  # fmt: skip
def test_bad_input_is_one_message_and_nothing_changed(work, cli, files, words, message):
    write("train.csv", [{"stars": row["stars"], "review": row["review"]} for row in reviews(20)])
    for name, content in files.items():
        bad(name, content)()
    before = contents(work)
    result = cli("train", "classify", *words, "--out", "run", *SMALL)
    assert (result.status, result.out) == (2, "")
    assert message in " ".join(result.err.replace("│", " ").split())
    assert "Traceback" not in result.err
    assert contents(work) == before


def test_a_run_is_used_with_what_it_was_trained_on(trained, work, cli):
    write("waves.csv", waves(4))
    (work / "w.ts").write_text("@classLabel true a b\n@data\n1,2:a\n")
    for words, message in [
        (("evaluate", "run", "waves.csv"), "no column 'review': there are who, t, x, y, kind"),
        (("evaluate", "run", "w.ts"), "w.ts: expected texts, got sequences of numbers"),
        (("evaluate", "run", "test.csv", "--beam", "3"), "--beam: a run of task 'classify' has no use for it"),
        (
            ("evaluate", "run", "test.csv", "--cache", "9"),
            "--cache: a run of task 'classify' has no use for it",
        ),
        (("predict", "run", "test.csv", "--output", "no/answers"), "--output no/answers: cannot be written"),
        (("generate", "run"), "a run of task 'classify' writes no text"),
    ]:
        result = cli(*words)
        assert (result.status, result.out) == (2, "")
        assert message in result.err


def test_a_run_of_before_there_was_a_choice_goes_on(work, cli):
    """Earlier versions held out a tenth of however few examples: such a run is resumed with the words that it knows."""
    lines = [f"{'good fine' if n % 2 else 'bad poor'} film{n},{'pos' if n % 2 else 'neg'}" for n in range(60)]
    (work / "few.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    train = ("train", "classify", "few.csv", "--text", "text", "--label", "label", "--out", "run", "--threads", "1")
    assert cli(*train, "--hidden", "4", "--level", "word", "--epochs", "1", "--hold-out", "0.1").status == 0
    config = json.loads((work / "run/config.json").read_text())
    assert config["data"]["valid"]["examples"] == 6
    del config["options"]["hold_out"]
    (work / "run/config.json").write_text(json.dumps(config))
    assert cli(*train, "--resume", "--epochs", "2").status == 0
    assert cli(*train, "--resume", "--epochs", "3", "--hold-out", "0.5").status == 2
    assert cli(*train[:-4], "--out", "all", "--epochs", "1", "--hold-out", "0").status == 0
    assert not json.loads((work / "all/config.json").read_text())["data"]["validated"]
