"""Data in memory, told from files and from each other."""

import math
from datetime import datetime

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.labelled.reading import LabelledColumns, read_labelled
from ostinato.data.sources.memory import HeldTable, Steps, Texts, given, held_as, in_memory, is_missing, is_text
from ostinato.data.tables.reading import read_table
from ostinato.data.text.pairs import read_sources


class NA:
    """As pandas has it: neither equal nor unequal to anything, and to be told by its type's name."""


NA.__name__ = "NAType"


ABSENT = [None, float("nan"), np.float32("nan"), np.datetime64("NaT"), NA()]


def test_missing():
    assert all(map(is_missing, ABSENT))
    assert not any(map(is_missing, ["", "nan", "None", 0, 0.0, math.inf, [], np.array([math.nan])]))


@pytest.mark.parametrize(
    ("source", "held"),
    [
        ("a text", Texts(("a text",))),
        (["one", "two"], Texts(("one", "two"))),
        (("one", None, math.nan), Texts(("one", None, None))),
        (np.array(["one", math.nan], object), Texts(("one", None))),
        ({"a": "x", "b": 1}, HeldTable({"a": ["x"], "b": [1]})),
        ({"a": ["x", None], "b": np.array([1, 2])}, HeldTable({"a": ["x", None], "b": [1, 2]})),
        ([{"a": 1}, {"a": math.nan, "b": "y"}], HeldTable({"a": [1, None], "b": [None, "y"]})),
        ([["the", "cat"], ["a"]], Steps([["the", "cat"], ["a"]])),
    ],
)
def test_what_it_is(source, held):
    assert held_as(source) == held


DAYS = [datetime(1949, 1, 1), datetime(1949, 2, 1)]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames_and_series_of_each_library(library):
    columns = {"a": ["x", None], "b": [2.5, float("nan")], "c": [1, 2], "day": DAYS}
    there = pytest.importorskip(library)
    frame = there.table(columns) if library == "pyarrow" else there.DataFrame(columns)
    found = held_as(frame)
    assert found == HeldTable({"a": ["x", None], "b": [2.5, None], "c": [1, 2], "day": DAYS})
    assert [type(cell) for cell in found.columns["c"]] == [int, int]
    series = there.chunked_array([["one", None]]) if library == "pyarrow" else there.Series(["one", None])
    assert held_as(series) == Texts(("one", None))
    numbers = there.chunked_array([[[1.0], [2.0, 3.0]]]) if library == "pyarrow" else there.Series([[1.0], [2.0, 3.0]])
    assert [list(steps) for steps in held_as(numbers).sequences] == [[1.0], [2.0, 3.0]]


def test_an_index_of_pandas_is_a_column_where_it_has_a_name():
    pandas = pytest.importorskip("pandas")
    months = pandas.Index(["1949-01"], name="month")
    assert held_as(pandas.DataFrame({"a": [2]}, index=months)) == HeldTable({"month": ["1949-01"], "a": [2]})
    assert held_as(pandas.DataFrame({"a": [2]})) == HeldTable({"a": [2]})
    assert held_as(pandas.DataFrame([[2, 3]])) == HeldTable({"0": [2], "1": [3]})  # columns without names
    with pytest.raises(DataError, match="expected columns of different names"):
        held_as(pandas.DataFrame([[1, 2]], columns=["a", "a"]))


def test_a_lazy_frame_of_polars_is_computed():
    polars = pytest.importorskip("polars")
    assert held_as(polars.LazyFrame({"a": [1]}).with_columns(b=polars.col("a") * 2)) == HeldTable({"a": [1], "b": [2]})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (3, "got int"),
        ([], "at least one"),
        (["a", 3], r"data in memory\[0\]: expected texts, rows or sequences, all of one kind"),
        ([["a"], 3], r"data in memory\[1\]: expected texts"),
        ({"a": [1], "b": [1, 2]}, r"columns of one length, got \{'a': 1, 'b': 2\}"),
    ],
)
def test_refused(source, said):
    with pytest.raises(DataError, match=said):
        held_as(source)


@pytest.mark.parametrize(
    "text", ["a fine film", "great", "great!", "two\nlines", "so so...", "a\x00b", "3/4 of it", "x" * 5000]
)
def test_texts(text):
    assert is_text(text)


@pytest.mark.parametrize(
    "name", ["-", "new.csv", "my new reviews.CSV", "runs/x", "reviews.tsv.gz", "here.txt", "photo.jpg"]
)
def test_names_of_files(name):
    assert not is_text(name)


def test_a_file_that_is_there_is_no_text(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("x", "a fine film")
    assert not is_text("a fine film")


def test_held_only_within_and_beside_files():
    data = given(["new.csv", tuple("ab"), {"a": [1]}])
    assert data.names == ("new.csv", "data in memory", "data in memory, 2")
    with data.within():
        assert [in_memory(name) for name in data.names] == [None, Texts(("a", "b")), HeldTable({"a": [1]})]
    assert in_memory(data.names[1]) is None


def test_readers_find_it():
    def found(source, read):
        data = given([source])
        with data.within():
            return read(data.names[0])

    films = {"text": ["good", "", None], "label": [1.0, math.nan, "b"]}
    table = found(films, read_table)
    assert (table.columns, table.place(1), table.unit) == (
        {"text": ["good", None, None], "label": [1.0, None, "b"]},
        "data in memory: row 2",
        "row",
    )
    assert table.texts("label") == ["1", None, "b"]
    assert table.digest == found(films, read_table).digest != found({"a": [1]}, read_table).digest
    with pytest.warns(UserWarning, match="data in memory: row 2: no text .so in 2 rows.; taken as empty"):
        raw = found(films, lambda name: read_labelled(name, LabelledColumns("label", "text")))
    assert (raw.inputs, raw.labels) == (["good", "", ""], ["1", None, "b"])
    raw = found(
        ["two\nlines", "half \ud83d"], lambda name: read_labelled(name, LabelledColumns("label", "text"), labels=False)
    )
    assert raw.inputs == ["two\nlines", "half \ufffd"]
    raw = found([["the", "cat"]], lambda name: read_labelled(name, LabelledColumns("label", "text"), labels=False))
    assert raw.inputs == ["the cat"]
    raw = found([[1, 2.5], np.ones((3, 1))], lambda name: read_labelled(name, LabelledColumns()))
    assert [steps.tolist() for steps in raw.inputs] == [[[1.0], [2.5]], [[1.0]] * 3]
    assert found([" one ", None], read_sources) == ("one", "")
    with pytest.raises(DataError, match="data in memory: expected a table"):
        found(["a", "b"], read_table)
    with pytest.raises(DataError, match="no column 'x'"):
        found(films, lambda name: read_table(name, ["x"]))
    with pytest.raises(DataError, match=r"data in memory\[1\]: expected tokens, got one that is missing"):
        found([["a"], ["b", None]], lambda name: read_labelled(name, LabelledColumns()))


def test_numbers_that_are_missing_in_a_column_of_texts(write):
    """As Parquet and data frames have them: NaN is no text."""
    data = given([pytest.importorskip("pandas").DataFrame({"text": [1.5, math.nan]})])
    with data.within():
        table = read_table(data.names[0])
    assert table.texts("text") == ["1.5", None]
    half = read_table(write('{"a": "x\\ud83d"}\n', "half.jsonl"))
    assert half.texts("a") == ["x\ufffd"]
