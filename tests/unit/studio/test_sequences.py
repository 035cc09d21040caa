"""Sequences of numbers that somebody tries: examples that a run was validated on, and numbers as they are typed."""

import numpy as np
import pytest

import ostinato
from ostinato.config.merge import build
from ostinato.core.errors import DataError
from ostinato.tasks import TRAIN_OPTIONS
from ostinato.tasks.typed import lines_of, typed_numbers


def table(labels):
    rng = np.random.default_rng(0)
    lines = ["case,t,x,said"]
    lines += [f"c{case},{t},{rng.normal():.4f},{label}" for case, label in enumerate(labels) for t in range(3)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("task", "name", "labels"), [("classify", "label", "ab"), ("regress", "target", "123")])
def test_the_examples_held_out_are_those_of_the_training(tmp_path, monkeypatch, task, name, labels):
    monkeypatch.setattr("ostinato.tasks.classify.task.available", lambda: False)  # nothing is drawn
    file = tmp_path / "data.csv"
    file.write_text(table([labels[case % len(labels)] for case in range(60)]))
    columns = {name: "said", "id": "case", "time": "t", "values": "x", "hold_out": 0.25, "seed": 5}
    given = {"data": [str(file)], "out": str(tmp_path / "run"), "hidden": 2, "epochs": 1, **columns}
    run = ostinato.train(task, *given.pop("data"), **given)
    options = build(TRAIN_OPTIONS[task], given | {"data": [str(file)]}, "options")
    expected = run.task.prepare(options).valid
    found = run.task.validated(run)
    assert len(found) == run.config["data"]["valid"]["examples"] == 15
    for own, other in zip(run.codec.reads.encode(found), expected.inputs, strict=True):
        np.testing.assert_array_equal(own, other)
    file.write_text(table([labels[0]] * 30 + [labels[1]] * 30))
    with pytest.raises(DataError, match="no longer what the run was validated on"):
        run.task.validated(run)


def test_numbers_of_one_channel_may_stand_in_a_line():
    values, spans = typed_numbers("1, 2;3\n\n-4e1 nan\n5", 1, "x", missing=True)
    np.testing.assert_array_equal(values[:, 0], [1, 2, 3, -40, np.nan, 5])
    assert ["1, 2;3\n\n-4e1 nan\n5"[slice(*span)] for span in spans] == ["1", "2", "3", "-4e1", "nan", "5"]
    with pytest.raises(DataError, match="line 1: expected 1 finite numbers"):
        typed_numbers("1, nan\n", 1, "x")
    with pytest.raises(DataError, match="line 1: expected 2 finite numbers"):
        typed_numbers("1, 2, 3\n", 2, "x, y")


def test_lines_of_numbers_read_back_as_they_were():
    values = np.random.default_rng(0).normal(size=(50, 3)) * 10.0 ** np.arange(-20, 30)[:, None]
    np.testing.assert_array_equal(typed_numbers(lines_of(values), 3, "x")[0], values)
