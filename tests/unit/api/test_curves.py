"""Classifiers of numbers with convolutions in front and warping in training: defaults, runs, what they leave as."""

import csv
import json
import math
import random

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import ostinato
from ostinato.core.errors import ConfigError
from ostinato.tasks.sequence_data import ENOUGH, WARPED_STEPS, warping
from tests.support import metrics

SMALL = {"hidden": 6, "threads": 1, "batch": 8, "id": "curve", "values": "x,y"}


def curves(path, count=24, seed=0, steps=(52, 80)):
    """Quick waves and slow ones."""
    draw = random.Random(seed)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["curve", "x", "y", "kind", "size"])
        for number in range(count):
            period, length = (5 if number % 2 else 16), draw.randrange(*steps)
            for t in range(length):
                x = math.sin(2 * math.pi * (t + number) / period) + draw.gauss(0, 0.1)
                writer.writerow([number, f"{x:.3f}", f"{draw.random():.3f}", "quick" if number % 2 else "slow", length])
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("curves")


@pytest.fixture(scope="module")
def data(home):
    return curves(home / "curves.csv")


@pytest.fixture(scope="module")
def run(home, data):
    return ostinato.train("classify", data, out=home / "run", label="kind", epochs=12, lr=0.02, **SMALL)


def sizes(run):
    return {name: run.config["model"].get(name) for name in ("convolutions", "warp")}


def test_few_numbers_have_both_by_default(run, data):
    assert sizes(run) == {"convolutions": 2, "warp": 1.0}
    assert run.model.convolutions.stride == 4
    assert run.evaluate(data)["accuracy"] > 0.9


def test_where_they_have_not(home, data):
    def trained(name, task="classify", own=data, **options):
        column = {"label": "kind"} if task == "classify" else {"target": "size"}
        return sizes(ostinato.train(task, own, out=home / name, epochs=1, **SMALL | column | options))

    assert trained("one way", bidirectional=False) == {"convolutions": 0, "warp": 1.0}
    assert trained("asked", bidirectional=False, convolutions=1, warp=0.5) == {"convolutions": 1, "warp": 0.5}
    assert trained("regress", "regress") == {"convolutions": 0, "warp": 0.0}
    assert trained("regress asked", "regress", convolutions=3) == {"convolutions": 3, "warp": 0.0}
    assert trained("short", own=curves(home / "short.csv", steps=(9, 20))) == {"convolutions": 2, "warp": 0.0}


def test_few_long_sequences_are_warped():
    assert warping(ENOUGH - 1, [WARPED_STEPS - 3, WARPED_STEPS + 3]) == 1.0
    assert warping(ENOUGH, [WARPED_STEPS]) == 0.0
    assert warping(2, [WARPED_STEPS, WARPED_STEPS - 1]) == 0.0


def test_texts_have_neither(home):
    path = home / "texts.csv"
    path.write_text("text,kind\n" + "a word,one\nother words,two\n" * 20)
    options = {"text": "text", "label": "kind", "hidden": 4, "epochs": 1, "threads": 1}
    assert sizes(ostinato.train("classify", path, out=home / "texts", **options)) == dict.fromkeys(sizes_of(), None)
    for name in sizes_of():
        with pytest.raises(ConfigError, match=f"--{name} is for sequences of numbers"):
            ostinato.train("classify", path, out=home / "no", **options, **{name: 1})
    for name, value in (("convolutions", -1), ("convolutions", 11), ("warp", -0.1), ("warp", math.nan)):
        with pytest.raises(ConfigError, match=f"--{name}"):
            ostinato.train("classify", path, out=home / "no", **options, **{name: value})


def sizes_of():
    return ("convolutions", "warp")


def test_what_is_said_of_a_curve_does_not_depend_on_those_beside_it(run, data):
    together = run.predict(data)
    examples = list(run.read(data))
    alone = [next(iter(run.answer([example]))) for example in examples]
    assert [one["id"] for one in together] == [one["id"] for one in alone]
    for one, two in zip(together, alone, strict=True):
        assert one["probabilities"]["slow"] == pytest.approx(two["probabilities"]["slow"], abs=1e-6)


def test_it_is_loaded_as_it_was(run, home, data):
    assert ostinato.load(home / "run").predict(data) == run.predict(data)


def test_it_goes_on_to_the_last_bit(home, data):
    own = SMALL | {"label": "kind", "schedule": "constant", "valid_every": 3}
    ostinato.train("classify", data, out=home / "whole", epochs=3, **own)
    ostinato.train("classify", data, out=home / "halves", epochs=1, **own)
    ostinato.train("classify", data, out=home / "halves", resume=True, epochs=3)
    assert metrics(home / "whole") == metrics(home / "halves")
    assert (home / "whole/model.safetensors").read_bytes() == (home / "halves/model.safetensors").read_bytes()


def test_another_run_begins_with_it(run, home):
    few = curves(home / "few.csv", 12, 1)
    begun = ostinato.train("classify", few, out=home / "begun", label="kind", from_run=home / "run", epochs=1,
                           threads=1, warp=0.0, lr=1e-12)  # fmt: skip
    assert sizes(begun) == {"convolutions": 2, "warp": 0.0}
    before, after = (load_file(home / name / "model.safetensors") for name in ("run", "begun"))
    assert before.keys() == after.keys()
    for name, weight in before.items():
        np.testing.assert_allclose(after[name], weight, rtol=0, atol=1e-9, err_msg=name)


def test_a_run_from_before_there_were_such_options(home, data):
    ostinato.train("classify", data, out=home / "old", label="kind", epochs=1, convolutions=0, warp=0.0, **SMALL)
    path = home / "old/config.json"
    config = json.loads(path.read_text())
    for name in sizes_of():
        del config["model"][name], config["options"][name]
    expected = ostinato.load(home / "old").predict(data)
    path.write_text(json.dumps(config))
    old = ostinato.load(home / "old")
    assert old.model.convolutions is None
    assert old.predict(data) == expected
    gone_on = ostinato.train("classify", data, out=home / "old", resume=True, epochs=2)
    assert gone_on.model.convolutions is None
    begun = ostinato.train("classify", data, out=home / "newer", label="kind", from_run=home / "old", epochs=1,
                           threads=1)  # fmt: skip
    assert begun.model.convolutions is None


@pytest.mark.parametrize("pooling", ["max", "last", "attention"])
@pytest.mark.parametrize("to", ["onnx", "torch", "numpy", "int8"])
def test_it_leaves_as(to, pooling, home, data):
    if not (home / pooling).exists():
        ostinato.train("classify", data, out=home / pooling, label="kind", epochs=1, pooling=pooling, **SMALL)
    out = home / f"{pooling}.{to}"
    said = ostinato.export(home / pooling, to=to, out=out)
    if to == "int8":
        for one, two in zip(ostinato.load(home / pooling).predict(data), ostinato.load(out).predict(data), strict=True):
            assert one["probabilities"]["slow"] == pytest.approx(two["probabilities"]["slow"], abs=0.02)
    else:
        assert said.difference < 1e-5


def test_no_step_has_an_answer_of_its_own(home, data):
    run = ostinato.train("classify", data, out=home / "steps", label="kind", epochs=1, bidirectional=False,
                         convolutions=2, **SMALL)  # fmt: skip
    with pytest.raises(ConfigError, match=r"reads several steps together.*--convolutions 0"):
        run.task.steps(run)


def test_views_show_the_steps_of_the_layers(run, data):
    observed = run.task.observe(run, data, 10)
    assert observed.pieces == ["1 to 4", "5 to 8", "9 to 10"]
    hidden, seen = observed.inputs, []
    hook = run.model.recurrent.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    run.model(hidden, **observed.arguments)
    hook.remove()
    assert len(seen[0]) == 3
    typed = run.task.typed(run, "\n".join(f"0.{t}, 1" for t in range(10)))
    assert typed.spans == [(0, 27), (28, 55), (56, 69)]
    assert torch.equal(typed.upto(2).inputs, typed.upto(3).inputs[:8])
