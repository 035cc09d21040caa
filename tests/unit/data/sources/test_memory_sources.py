"""Data in memory, told from files and from each other."""

import math
from types import SimpleNamespace

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


class Frame:
    """What a data frame is to us: names of columns, and columns by name."""

    def __init__(self, **columns):
        self._columns = columns

    @property
    def columns(self):
        return list(self._columns)

    def __getitem__(self, name):
        return self._columns[name]


class ArrowTable(Frame):
    def to_pydict(self):
        return dict(self._columns)


class Indexed(Frame):
    """As pandas has it: an index beside the columns."""

    def __init__(self, index, names, **columns):
        super().__init__(**columns)
        self.index = SimpleNamespace(names=names)
        self._values = index

    def reset_index(self):
        return Frame(**dict(zip(self.index.names, self._values, strict=True)), **self._columns)


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
        (Frame(a=["x"], b=np.array([2.5])), HeldTable({"a": ["x"], "b": [2.5]})),
        (Indexed([["1949-01"]], ["month"], a=[2]), HeldTable({"month": ["1949-01"], "a": [2]})),
        (Indexed([[0]], [None], a=[2]), HeldTable({"a": [2]})),
        (ArrowTable(a=["x"]), HeldTable({"a": ["x"]})),
        ([["the", "cat"], ["a"]], Steps([["the", "cat"], ["a"]])),
    ],
)
def test_what_it_is(source, held):
    assert held_as(source) == held


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
    data = given([Frame(text=[1.5, math.nan])])
    with data.within():
        table = read_table(data.names[0])
    assert table.texts("text") == ["1.5", None]
    assert table.missing("text") == [1]
    half = read_table(write('{"a": "x\\ud83d"}\n', "half.jsonl"))
    assert half.texts("a") == ["x\ufffd"]
