"""Several runs as one: what they say is averaged, whatever each of them knows."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import ostinato
from ostinato.cli import main
from ostinato.core.errors import ConfigError
from ostinato.tasks.tag.figures import predict_probabilities
from ostinato.tasks.tag.reading import WordSequences

SMALL = {"hidden": 6, "epochs": 2, "threads": 1, "batch": 8}
FILMS = [
    {"text": f"a {'fine' if n % 2 else 'poor'} film {n % 5} w{n}", "label": "good" if n % 2 else "bad", "stars": n % 7}
    for n in range(60)
]
TEXTS = ["a fine film", "a poor w3 film", "", "w59 of 4"]


def trained(home, task, data, seeds=(1, 2), **options):
    """Runs that differ in their seed; in their data, and with it in what they know, where it is a pair."""
    outs = [home / f"{task}{seed}" for seed in seeds]
    both = data if isinstance(data, tuple) else (data, data)
    runs = [
        ostinato.train(task, own, out=out, seed=seed, **SMALL | options)
        for own, seed, out in zip(both, seeds, outs, strict=True)
    ]
    return SimpleNamespace(outs=outs, runs=runs, together=ostinato.load(*outs))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("ensembles")
    (home / "book.txt").write_text("the cat sat on the mat. " * 60)
    (home / "pairs.tsv").write_text("".join(f"{n % 7} a\t{n % 7} b\n" for n in range(60)))
    (home / "tags.txt").write_text("".join(f"the O\ncat{n} B-X\nsat I-X\n\n" for n in range(40)))
    rows = [f"{n},{math.sin(n / 3) + n % 4:.3f}\n" for n in range(140)]
    (home / "series.csv").write_text("t,y\n" + "".join(rows[:120]))
    (home / "later.csv").write_text("t,y\n" + "".join(rows))
    return home


@pytest.fixture(scope="module")
def films(home):
    return trained(home, "classify", (FILMS, FILMS[20:]), text="text", label="label")


def test_probabilities_of_classes_are_averaged(films):
    each = [[answer["probabilities"] for answer in run.predict(TEXTS)] for run in films.runs]
    for number, answer in enumerate(films.together.predict(TEXTS)):
        for label, probability in answer["probabilities"].items():
            assert probability == pytest.approx(np.mean([own[number][label] for own in each]), abs=2e-7)
    assert films.runs[0].tokenizer.to_json() != films.runs[1].tokenizer.to_json()  # each reads by its own


def test_evaluation_is_of_these_answers(films):
    said = [answer["label"] for answer in films.together.predict([row["text"] for row in FILMS])]
    right = np.mean([label == row["label"] for label, row in zip(said, FILMS, strict=True)])
    assert films.together.evaluate(FILMS)["accuracy"] == pytest.approx(right)


def test_of_the_command_line(films, home, capsys):
    (home / "films.jsonl").write_text("".join(json.dumps(row) + "\n" for row in FILMS))
    data, outs = str(home / "films.jsonl"), [str(out) for out in films.outs]
    assert main.main(["evaluate", *outs, data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == pytest.approx(films.together.evaluate(FILMS)["accuracy"])
    assert main.main(["predict", *outs, data]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == films.together.predict(home / "films.jsonl")
    assert main.main(["predict", *outs]) == 2
    assert "expected one file, text, or - for standard input, got 0" in capsys.readouterr().err


def test_values_are_averaged(home):
    found = trained(home, "regress", (FILMS[10:], FILMS), text="text", target="stars")
    each = [[answer["stars"] for answer in run.predict(TEXTS)] for run in found.runs]
    mean = np.mean(each, axis=0)
    assert [answer["stars"] for answer in found.together.predict(TEXTS)] == pytest.approx(mean.tolist(), rel=1e-6)
    whole = [row["text"] for row in FILMS]
    errors = [answer["stars"] - row["stars"] for answer, row in zip(found.together.predict(whole), FILMS, strict=True)]
    assert found.together.evaluate(FILMS)["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_probabilities_of_tags_are_averaged(home, tmp_path, head):
    found = trained(tmp_path, "tag", home / "tags.txt", head=head)
    sentences = [["the", "cat1"], ["sat", "the", "dog"], ["cat2", "sat"]]
    mean = 0
    for run in found.runs:
        own = run.codec.vocabulary
        sequences = WordSequences(sentences, own)
        order = [own.tags.index(tag) for tag in found.together.codec.vocabulary.tags]
        mean = mean + predict_probabilities(run.model, sequences, len(own.tags))[:, order] / 2
    tags, allowed = found.together.codec.vocabulary.tags, []
    for ends, sentence in zip(np.cumsum([len(one) for one in sentences]), sentences, strict=True):
        rows = mean[ends - len(sentence) : ends]
        paths = {}  # all of them, by hand
        for path in np.ndindex(*[len(tags)] * len(sentence)):
            names = [tags[tag] for tag in path]
            if all(
                name != "I-X" or before in ("B-X", "I-X") for before, name in zip(["O", *names], names, strict=False)
            ):
                paths[tuple(names)] = np.prod([rows[t, tag] for t, tag in enumerate(path)])
        allowed.append(list(max(paths, key=paths.get)))
    assert [answer.tags for answer in found.together.predict(sentences)] == allowed


def test_probabilities_of_the_next_token_are_averaged(home):
    found = trained(home, "lm", home / "book.txt", level="char", steps=10, epochs=8, lr=0.05)
    text = "the mat sat on the cat."
    tokenizer = found.together.tokenizer
    ids = torch.tensor([tokenizer.begin_id, *tokenizer.encode(text)])
    with torch.no_grad():
        each = [run.model(ids[:-1, None]).logits()[:, 0].softmax(-1) for run in found.runs]
    loss = F.nll_loss(sum(each).div(2).log(), ids[1:])
    (home / "new.txt").write_text(text)
    assert found.together.evaluate(home / "new.txt")["loss"] == pytest.approx(float(loss), rel=1e-5)
    greedy = "".join(found.together.generate("the", 12, greedy=True))
    written = list(tokenizer.encode("the"))
    for _ in range(12):  # a step at a time, from the beginning
        with torch.no_grad():
            read = torch.tensor([tokenizer.begin_id, *written])[:, None]
            scores = sum(run.model(read).logits()[-1, 0].softmax(-1) for run in found.runs)
        scores[[tokenizer.eos_id, *([] if tokenizer.unk_id is None else [tokenizer.unk_id])]] = 0
        written.append(int(scores.argmax()))
    assert greedy == tokenizer.decode(written[3:])
    with pytest.raises(ConfigError, match="--dynamic and --cache adapt one model"):
        found.together.evaluate(home / "new.txt", cache=10)


def test_quantiles_are_averaged(home):
    found = trained(home, "forecast", home / "series.csv", target="y", window=12, horizon=4, head="quantile")
    one, other = ([[*row.items()] for row in run.predict(home / "series.csv")] for run in found.runs)
    for own, *theirs in zip(found.together.predict(home / "series.csv"), one, other, strict=True):
        for number, (name, value) in enumerate(own.items()):
            if isinstance(value, float):
                assert value == pytest.approx(np.mean([row[number][1] for row in theirs]), rel=1e-5), name
    with pytest.raises(ConfigError, match="--retrain trains one run anew"):
        found.together.evaluate(home / "later.csv", retrain=True)
    one, other = (run.evaluate(home / "later.csv")["windows"] for run in found.runs)
    assert found.together.evaluate(home / "later.csv")["windows"] == one == other


def test_a_search_is_of_all_writers(home):
    found = trained(home, "translate", home / "pairs.tsv", valid=home / "pairs.tsv", level="char", epochs=8, lr=0.05)
    alone = ostinato.load(found.outs[0], found.outs[0])
    sources = ["3 a", "5 a", "6 6"]
    assert alone.predict(sources, beam=3) == found.runs[0].predict(sources, beam=3)
    said, run = found.together.predict(sources, beam=1), found.together
    ids, begun = torch.tensor(run.codec.encode_sources(["3 a"])[0].astype("int64"))[:, None], run.codec.target.eos_id
    with torch.no_grad():
        scores, _ = run.model.step(torch.tensor([[begun]]), run.model.start(ids, torch.tensor([len(ids)])))
        each = [one.model(ids, target_inputs=torch.tensor([[begun]])).logits()[0, 0].softmax(-1) for one in found.runs]
    assert torch.allclose(scores[0, 0].exp(), sum(each) / 2, atol=1e-6)
    for source, answer in zip(sources, said, strict=True):  # greedily, from the beginning at each step
        ids = torch.tensor(run.codec.encode_sources([source])[0].astype("int64"))[:, None]
        written = [run.codec.target.eos_id]
        while len(written) < 40:
            with torch.no_grad():
                outputs = [one.model(ids, target_inputs=torch.tensor(written)[:, None]) for one in found.runs]
            scores = sum(output.logits()[-1, 0].softmax(-1) for output in outputs)
            scores[list(run.codec.never_written)] = 0
            written.append(int(scores.argmax()))
            if written[-1] == run.codec.target.eos_id:
                break
        assert (
            run.codec.target.decode([token for token in written if token != run.codec.target.eos_id]).strip() == answer
        )


def test_runs_that_answer_otherwise_are_refused(films, home):
    other = [row | {"label": row["label"].upper()} for row in FILMS]
    out = home / "capitals"
    ostinato.train("classify", other, out=out, text="text", label="label", **SMALL)
    with pytest.raises(ConfigError, match="labels of run 2 differs from that of run 1"):
        ostinato.load(films.outs[0], out)
    ostinato.train("regress", FILMS, out=home / "stars", text="text", target="stars", **SMALL)
    with pytest.raises(ConfigError, match="the task of run 2 differs"):
        ostinato.load(films.outs[0], home / "stars")


def test_what_is_of_one_run_is_refused(films):
    with pytest.raises(ConfigError, match="inspect looks into one run"):
        films.together.inspect("gates")
    assert repr(films.together) == f"Run({str(films.outs[0])!r}, {str(films.outs[1])!r}, task='classify')"
