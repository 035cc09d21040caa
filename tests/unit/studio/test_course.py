"""What a run has written since one looked last."""

import json
import shutil
from pathlib import Path

from ostinato.studio.course import Course
from ostinato.studio.runs import finite, rows

GOLDEN = Path(__file__).parents[2] / "golden" / "trained"


def add(run, *lines, end="\n"):
    with (run / "metrics.jsonl").open("a") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines).removesuffix("\n") + end)


def test_only_what_is_new_and_whole(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    course = Course(tmp_path)
    assert course.read() == {"lines": [], "afresh": False}
    add(tmp_path, {"step": 1}, {"step": 2})
    assert course.read() == {"lines": [{"step": 1}, {"step": 2}], "afresh": True}
    assert course.read() == {"lines": [], "afresh": False}
    add(tmp_path, {"step": 3}, end="")
    assert course.read()["lines"] == []  # the line is under way
    add(tmp_path, {"step": 4}, end="\n")  # behind it, on the same line: damaged
    add(tmp_path, {"step": 5})
    assert course.read() == {"lines": [{"step": 5}], "afresh": False}


def test_one_that_begins_again_is_read_afresh(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    add(tmp_path, {"step": 1}, {"step": 2})
    course = Course(tmp_path)
    course.read()
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n')
    assert course.read() == {"lines": [{"step": 1}], "afresh": True}
    new = tmp_path / ".new"  # where a training writes until its first checkpoint
    new.mkdir()
    (new / "config.json").write_text("{}")
    add(new, {"step": 7})
    assert course.read() == {"lines": [{"step": 7}], "afresh": True}


def test_very_many_lines_are_thinned_but_no_validation_is_lost(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    add(tmp_path, *({"step": n} | ({"best": True} if n % 1_000 == 7 else {}) for n in range(10_000)))
    lines = Course(tmp_path).read()["lines"]
    assert len(lines) < 1_600
    assert [line["step"] for line in lines if "best" in line] == list(range(7, 10_000, 1_000))


def test_rows_of_runs_whole_and_damaged(tmp_path):
    for name in ("lm", "tag"):
        shutil.copytree(GOLDEN / name, tmp_path / name)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "config.json").write_text("{")
    (tmp_path / "no run").mkdir()
    found = {row["name"]: row for row in rows(tmp_path)}
    assert found.keys() == {"lm", "tag", "bad"}
    assert found["bad"]["state"] == "damaged"
    assert (found["lm"]["task"], found["lm"]["state"]) == ("lm", "interrupted")
    assert rows(tmp_path / "none") == []


def test_numbers_that_json_has_no_word_for():
    assert finite({"loss": float("nan"), "all": [1.5, float("inf")]}) == {"loss": None, "all": [1.5, None]}
