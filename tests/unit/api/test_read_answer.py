"""What a run reads, it answers in memory: together as `predict` does, and one by one with the same answers."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import ostinato
from ostinato.core.errors import RunFolderError

GOLDEN = Path(__file__).parents[2] / "golden" / "trained"
SMALL = {"hidden": 6, "epochs": 1, "threads": 1, "batch": 8}


def films(home):
    rows = [(f"a {'fine' if n % 2 else 'poor'} film {'very ' * (n % 5)}long", "ab"[n % 2]) for n in range(40)]
    with open(home / "films.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    run = ostinato.train("classify", home / "films.csv", out=home / "run", text="text", label="label", **SMALL)
    return run, home / "films.csv", [text for text, _ in rows]


def numbers(home):
    steps = [(n, np.sin(n * t), "ab"[n % 2]) for n in range(20) for t in range(3 + n % 4)]
    with open(home / "steps.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "x", "label"), *steps])
    run = ostinato.train("classify", home / "steps.csv", out=home / "run", id="id", values="x", label="label", **SMALL)
    return run, home / "steps.csv", None


def measured(home):
    texts = [f"a {'fine' if n % 2 else 'poor'} film {'very ' * (n % 5)}long" for n in range(40)]
    with open(home / "films.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "x", "y"), *((text, n % 5, n % 2) for n, text in enumerate(texts))])
    run = ostinato.train("regress", home / "films.csv", out=home / "run", text="text", target="x,y", **SMALL)
    return run, home / "films.csv", texts


def pairs(home):
    (home / "pairs.tsv").write_text("".join(f"{'ab ' * (n % 5)}{n % 7}\t{n % 7} b\n" for n in range(40)))
    texts = [f"{'ab ' * (n % 4)}{n}" for n in range(7)]
    (home / "texts.txt").write_text("\n".join(texts) + "\n")
    run = ostinato.train("translate", home / "pairs.tsv", out=home / "run", level="char", **SMALL)
    return run, home / "texts.txt", texts


def captions(home):
    names = [f"{n}.png" for n in range(30)]
    save_file({name: np.eye(3, dtype=np.float32)[n % 3] for n, name in enumerate(names)}, home / "seen.safetensors")
    rows = [f"{name},a {('red', 'green', 'blue')[n % 3]} wall" for n, name in enumerate(names)]
    (home / "captions.csv").write_text("\n".join(["image,caption", *rows]) + "\n")
    (home / "names.txt").write_text("0.png\ngone.png\n4.png\n5.png\n")
    features = str(home / "seen.safetensors")
    run = ostinato.train("caption", home / "captions.csv", out=home / "run", features=features, **SMALL)
    return run, home / "names.txt", ["0.png", "gone.png", "4.png", "5.png"]


def tags(home):
    shutil.copytree(GOLDEN, home, dirs_exist_ok=True)
    return ostinato.load(home / "tag"), home / "valid.conll", None


def sales(home):
    lines = (GOLDEN / "sales.csv").read_text().splitlines()
    (home / "sales.csv").write_text("\n".join(lines) + "\n")
    columns = {"day": [line.split(",")[0] for line in lines[1:]], "sales": [line.split(",")[1] for line in lines[1:]]}
    return ostinato.load(GOLDEN / "forecast"), home / "sales.csv", columns


def require_close(found, expected):
    """The same, numbers to float error."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            require_close(found[name], value)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    else:
        assert found == expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("made", [films, numbers, measured, pairs, captions, tags, sales])
def test_examples_one_by_one_and_together(made, tmp_path):
    run, file, values = made(tmp_path)
    expected = run.predict(file)
    examples = list(run.read(file))
    assert len(examples) == (1 if made is sales else len(expected)) > 0
    file.unlink()  # what has been read is answered without it
    assert list(run.answer(examples)) == expected
    assert list(run.answer([])) == []
    alone = [answer for example in examples for answer in run.answer([example])]
    assert len(alone) == len(expected)
    for one, other in zip(alone, expected, strict=True):
        require_close(one, other)
    if values is not None:
        assert run.predict(values) == expected
        assert list(run.lines(run.answer(run.read(values)))) == list(run.lines(expected))


def test_options_are_those_of_predict(tmp_path):
    run, file, _ = sales(tmp_path)
    expected = run.predict(file, levels=(50,), steps=3)
    assert len(expected) == 3
    assert list(run.answer(run.read(file), levels=(50,), steps=3)) == expected


def test_a_run_that_answers_nothing():
    run = ostinato.load(GOLDEN / "lm")
    for work in (lambda: run.read("book.txt"), lambda: run.answer([])):
        with pytest.raises(RunFolderError, match="answers nothing; generate lets it write"):
            work()
