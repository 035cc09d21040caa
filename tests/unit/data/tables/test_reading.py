"""Tables, against the rows they were written from and against other readers; and what is said where they are wrong."""

import csv
import datetime
import gzip
import io
import json
import math
import random
import sys

import numpy as np
import pytest

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.tables.reading import read_table

ROWS = [
    {"text": 'He said "no", twice', "label": "neg", "score": "1.5"},
    {"text": "two\nlines, and ä€𝄞", "label": "pos", "score": "-2"},
    {"text": "\u2028 odd \x0b ends \x1c", "label": "pos", "score": "1e3"},
    {"text": "plain", "label": "neg", "score": ""},
]


def as_csv(rows, **options):
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), **options)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_csv_as_the_standard_writer_writes_it(write, end):
    table = read_table(write(as_csv(ROWS, lineterminator=end), "t.csv"))
    assert list(table.columns) == ["text", "label", "score"]
    assert table.texts("text") == [row["text"] for row in ROWS]
    assert table.column("score") == ["1.5", "-2", "1e3", None]
    np.testing.assert_array_equal(table.numbers("score"), [1.5, -2.0, 1000.0, math.nan])
    assert table.lines.tolist() == [2, 3, 5, 6]
    assert table.place(2).endswith("t.csv: line 5")


def test_any_fields_survive_the_round_trip(write):
    draw = random.Random(3)
    cells = ["".join(draw.choices('ab,"\n\r\t é', k=draw.randrange(1, 9))) for _ in range(600)]
    rows = [dict(zip("xyz", cells[i : i + 3], strict=True)) for i in range(0, 600, 3)]
    content = as_csv(rows, quoting=csv.QUOTE_ALL)
    table = read_table(write(content.encode(), "t.csv"))
    assert [table.column(name)[9] for name in "xyz"] == [rows[9][name] for name in "xyz"]
    assert [dict(zip("xyz", row, strict=True)) for row in zip(*table.columns.values(), strict=True)] == rows


def test_tsv_knows_no_quoting(write):
    table = read_table(write('a\tb\n"x\t5" nail\n\n\'\t""\r\nlast\t\n', "t.tsv"))
    assert table.columns == {"a": ['"x', "'", "last"], "b": ['5" nail', '""', None]}
    assert table.lines.tolist() == [2, 4, 5]


def test_json_lines_hold_values_and_may_lack_some(write):
    lines = [{"a": 1, "b": "x"}, {"b": ""}, {"a": 2.5, "c": [1, 2]}, {"a": True, "b": None, "c": {"d": 1}}]
    table = read_table(write("\n".join(map(json.dumps, lines)) + "\n\n", "t.jsonl"))
    assert table.columns == {
        "a": [1, None, 2.5, True],
        "b": ["x", None, None, None],
        "c": [None, None, [1, 2], {"d": 1}],
    }
    assert table.texts("a") == ["1", None, "2.5", "true"]
    with pytest.raises(DataError, match=r"t.jsonl: line 3: column 'c': expected one value, got list"):
        table.texts("c")


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    moment = datetime.datetime(2020, 1, 2, 3)
    columns = {"t": ["a", None, ""], "n": [1, 2, None], "x": [0.5, None, 2.0], "when": [moment, None, moment]}
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.columns == columns | {"t": ["a", None, None]}
    np.testing.assert_array_equal(table.numbers("x"), [0.5, math.nan, 2.0])
    assert table.place(2) == f"{tmp_path}/t.parquet: row 3"
    assert read_table(tmp_path / "t.parquet", ["x", "n"]).columns.keys() == {"x", "n"}
    (tmp_path / "t.parquet.gz").write_bytes(gzip.compress((tmp_path / "t.parquet").read_bytes()))
    assert read_table(tmp_path / "t.parquet.gz").columns == table.columns
    with pytest.raises(DataError, match=r"no column 'y': there are t, n, x, when"):
        read_table(tmp_path / "t.parquet", ["y"])
    (tmp_path / "bad.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:-9])
    with pytest.raises(DataError, match=r"bad.parquet: damaged, or not a Parquet file"):
        read_table(tmp_path / "bad.parquet")


def test_parquet_without_pyarrow(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'ostinato\[parquet\]'"):
        read_table(write(b"PAR1", "t.parquet"))


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.csv", "a,b\n1,2\n"), ("t.tsv", "a\tb\n1\t2\n"), ("t.jsonl", '{"a":"1","b":"2"}\n')],
)
def test_gzipped_and_without_an_ending_and_from_standard_input(write, monkeypatch, name, content):
    expected = {"a": ["1"], "b": ["2"]}
    plain = read_table(write(content, name))
    zipped = read_table(write(gzip.compress(content.encode()), f"{name}.gz"))
    assert plain.columns == zipped.columns == read_table(write(content, "table")).columns == expected
    assert plain.digest == zipped.digest
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    assert read_table("-").columns == expected


def test_standard_input_as_one_text_a_line(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'a, "b"\tc\r\n\nlast')))
    table = read_table("-", ["review"], lines="review")
    assert table.columns == {"review": ['a, "b"\tc', None, "last"]}
    assert table.lines.tolist() == [1, 2, 3]


def test_only_the_columns_asked_for_are_kept(write):
    path = write("a,b,c\n1,2,3\n", "t.csv")
    assert read_table(path, ["c", "a", "c"]).columns == {"c": ["3"], "a": ["1"]}
    lines = write('{"a":1,"b":2}\n{"c":3}\n', "t.jsonl")
    assert read_table(lines, ["c", "a"]).columns == {"c": [None, 3], "a": [1, None]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "a,b\n1,2\n\n3\n", r"t.csv: line 4: expected 2 fields, as in the first line, got 1; a field that"),
        ("t.csv", 'a,b\n"x\ny",2\n1,2,3\n', r"t.csv: line 4: expected 2 fields, .* got 3"),
        ("t.csv", 'a,b\n1,2\n"x"y,2\n', r"t.csv: line 3: expected comma-separated values .* expected after .*doubled"),
        ("t.csv", 'a,b\n1,2\n3,"x\n', r"t.csv: line 3: expected comma-separated values .*unexpected end"),
        ("t.csv", "a,b,a\n1,2,3\n", "t.csv: line 1: the column name 'a' occurs twice"),
        ("t.csv", "", "t.csv: the file is empty"),
        ("t.csv", "a,b\n", "t.csv: the table is empty: it has no rows"),
        ("t.csv", b"a,b\n1,\xff\n", "t.csv: line 2, byte 6: expected UTF-8 text"),
        ("t.csv", "label,texts\n1,2\n", r"t.csv: no column 'text': did you mean 'texts'\? there are label, texts"),
        ("t.tsv", "text\tb\n1\n", r"t.tsv: line 2: expected 2 fields, as in the first line, got 1; TSV has no quoting"),
        ("t.jsonl", '{"text": 1}\n{"text"\n', "t.jsonl: line 2: expected one JSON object a line: "),
        ("t.jsonl", '{"text": 1}\n[1]\n', r"t.jsonl: line 2: expected one JSON object a line, got \[1\]"),
        ("t.jsonl", '{"a": 1}\n', "t.jsonl: no column 'text': there are a"),
        ("t.jsonl", "\n", "t.jsonl: the table is empty"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-9], "t.csv.gz: the gzip data is cut short"),
    ],
)
def test_what_is_wrong_is_named(write, name, content, message):
    with pytest.raises(DataError, match=message):
        read_table(write(content, name), ["text"] if "no column" in message else None)


def test_numbers_are_named_where_they_are_none(write):
    table = read_table(write("x\n1\nNA\n?\nnull\n2,\n".replace("2,", "two"), "t.csv"))
    with pytest.raises(
        DataError, match=r"t.csv: line 6: column 'x': expected a number, got 'two'; leave the cell empty"
    ):
        table.numbers("x")
    with pytest.raises(DataError, match=r"t.csv: line 3: column 'x': expected a number, got '1_5'"):
        read_table(write("x\n1\n1_5\n", "t.csv")).numbers("x")
    good = read_table(write("x\n 1 \nNA\n?\nNaN\n", "t.csv")).numbers("x")
    np.testing.assert_array_equal(good, [1, math.nan, math.nan, math.nan])
    for huge in ("-inf", "1e39"):
        with pytest.raises(DataError, match=f"line 3: column 'x': expected a finite number, got {huge}"):
            read_table(write(f"x\n1\n{huge}\n", "t.csv")).numbers("x")


def test_a_folder_is_no_table(write, tmp_path):
    write("a\n1\n", "f/a.csv")
    write("a\n1\n", "f/b.csv")
    with pytest.raises(DataError, match="expected one file, got a folder of 2 files"):
        read_table(tmp_path / "f")


def test_the_reviews(corpora):
    path = corpora("imdb/imdb_test.tsv.gz")
    table = read_table(path, ["label", "text"])
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    assert len(table) == 25_000
    assert table.texts("label") == [row[0] for row in rows]
    assert table.texts("text") == [row[3] for row in rows]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_an_empty_line_of_a_single_column_is_an_empty_cell(write, name):
    """What stands behind the last cell is none: files end with one line end or several."""
    table = read_table(write("\nv\n1\n\n3\r\n\r\n\n6\n\n\n", name))
    assert (table.columns, table.lines.tolist()) == ({"v": ["1", None, "3", None, None, "6"]}, [3, 4, 5, 6, 7, 8])
    two = read_table(write("v\tw\n1\t2\n\n3\t4\n" if name == "t.tsv" else "v,w\n1,2\n\n3,4\n", name))
    assert two.columns == {"v": ["1", "3"], "w": ["2", "4"]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.tsv", "a\tb\n1\t2\n"),
        ("t.jsonl", '{"a": "1", "b": "2"}\n'),
        ("t", "a\tb\n1\t2\n"),
        ("t", 'a,b\n1,"2"\n'),
    ],
)
def test_lines_may_end_with_a_carriage_return_alone(write, name, content):
    assert read_table(write(content.replace("\n", "\r"), name)).columns == {"a": ["1"], "b": ["2"]}


def test_a_name_that_holds_a_comma_is_shown_as_it_is_given(write):
    with pytest.raises(
        DataError, match=r"""no column 'v': there are t, "v, total"; .* stands in quotation marks: '"v, total"'$"""
    ):
        read_table(write('t,"v, total"\n1,2\n', "t.csv"), ["v", "total"])
