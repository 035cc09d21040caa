"""Data that is laid out or encoded otherwise than in training."""

import csv

import pytest

import ostinato
from ostinato.core.errors import ConfigError, DataError

ROWS = [("좋은 영화" if number % 2 else "나쁜 영화", "good" if number % 2 else "bad") for number in range(40)]
SMALL = {"hidden": 4, "epochs": 1, "threads": 1, "batch": 8}


def table(path, header, rows, encoding="utf-8"):
    with open(path, "w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = table(tmp_path_factory.mktemp("reading") / "films.csv", ["text", "verdict"], ROWS, "cp949")
    return ostinato.train(
        "classify", data, out=data.with_name("run"), text="text", label="verdict", encoding="cp949", **SMALL
    )


def test_columns_of_other_names(run, tmp_path):
    same = run.evaluate(table(tmp_path / "a.csv", ["text", "verdict"], ROWS))
    renamed = table(tmp_path / "b.csv", ["stars", "body"], [(label, text) for text, label in ROWS])
    with pytest.raises(DataError, match="no column 'text': "):
        run.evaluate(renamed)
    there = run.reading(text="body", label="stars")
    assert there.evaluate(renamed) == same
    assert there.predict(renamed) == run.predict(tmp_path / "a.csv")
    assert run.codec.columns.text == "text"  # the run itself stays


def test_encoding_for_one_file(run, tmp_path):
    same = run.predict(table(tmp_path / "a.csv", ["text", "verdict"], ROWS))
    korean = table(tmp_path / "b.csv", ["text", "verdict"], ROWS, "cp949")
    with pytest.raises(DataError, match="give --encoding cp949"):
        run.evaluate(korean)
    assert run.reading(encoding="euc-kr").predict(korean) == same
    assert len(list(run.reading(encoding="cp949").predicted_lines(korean))) == len(ROWS)


def test_numbers_in_columns_of_other_names(tmp_path):
    rows = [(number, step, (-1) ** (number + step), "ab"[number % 2]) for number in range(20) for step in range(4)]
    data = table(tmp_path / "train.csv", ["id", "time", "x", "label"], rows)
    run = ostinato.train(
        "classify", data, out=tmp_path / "run", id="id", time="time", values="x", label="label", **SMALL
    )
    other = table(tmp_path / "other.csv", ["swing", "second", "height", "kind"], rows)
    there = run.reading(id="swing", time="second", values="height", label="kind")
    assert there.evaluate(other) == run.evaluate(data)


def test_series_in_columns_of_other_names(tmp_path):
    def rows(month):
        days = [(f"2024-{month + day // 28:02}-{1 + day % 28:02}", day) for day in range(56)]
        return [(day, shop, n % 7 + (shop == "b"), n % 2) for shop in "ab" for day, n in days]

    data = table(tmp_path / "train.csv", ["day", "shop", "sold", "open"], rows(1))
    options = {"target": "sold", "time": "day", "id": "shop", "past": "open", "window": 7, "horizon": 2}
    run = ostinato.train("forecast", data, out=tmp_path / "run", **options, hidden=4, epochs=1, threads=1)
    later = table(tmp_path / "later.csv", ["day", "shop", "sold", "open"], rows(3))
    names = ["geöffnet", "Tag", "Markt", "verkauft"]
    other = table(tmp_path / "other.csv", names, [(o, d, s, n) for d, s, n, o in rows(3)])
    there = run.reading(target="verkauft", time="Tag", id="Markt", past="geöffnet")
    assert list(there.predicted_lines(other)) == list(run.predicted_lines(later))
    assert there.evaluate(other) == run.evaluate(later)
    with pytest.raises(ConfigError, match=r"--target: expected 1 columns, as in training .sold., got 'a,b'"):
        run.reading(target="a,b")
    with pytest.raises(ConfigError, match=r"--static: expected 0 columns, as in training .none., got 'x'"):
        run.reading(static="x")


def test_what_a_task_has_no_use_for(run, tmp_path):
    with pytest.raises(ConfigError, match="unknown option 'colour': did you mean 'column'"):
        run.reading(colour="x")
    with pytest.raises(ConfigError, match="--encoding: expected the name of an encoding"):
        run.reading(encoding="nonsense")
    (tmp_path / "book.txt").write_text("abcab" * 200)
    lm = ostinato.train("lm", tmp_path / "book.txt", out=tmp_path / "lm", steps=10, **SMALL)
    with pytest.raises(ConfigError, match="--text: a run of task 'lm' has no use for it"):
        lm.reading(text="body")
