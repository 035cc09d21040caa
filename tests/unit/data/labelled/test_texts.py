"""Texts with labels from several columns, files, folders and archives."""

import json
import zipfile

import pytest

from ostinato.core.errors import ConfigError, DataError
from ostinato.data.labelled.reading import LabelledColumns, read_all_labelled, read_labelled
from ostinato.data.tables.reading import read_table

TEXT = LabelledColumns("label", "text")


def test_several_columns_of_texts(write):
    path = write('title,body,"a, b",label\nGood,a film,x,1\nBad,,y,0\n,,,0\n', "t.csv")
    with pytest.warns(UserWarning, match="line 4: no text .so in 1 rows."):
        raw = read_labelled(path, LabelledColumns("label", "title, body"))
    assert (raw.inputs, raw.labels) == (["Good\na film", "Bad", ""], ["1", "0", "0"])
    assert read_labelled(path, LabelledColumns("label", 'title,"a, b"')).inputs == ["Good\nx", "Bad\ny", ""]
    with pytest.raises(DataError, match="no column 'boddy'"):
        read_labelled(path, LabelledColumns("label", "title,boddy"))
    with pytest.raises(ConfigError, match="--text: expected a column"):
        read_labelled(path, LabelledColumns("label", ","))


def test_several_files(write):
    one = write("text,label\na,x\nb,y\n", "1.csv")
    two = write('{"label": "x", "text": "c"}\n', "2.jsonl")
    raw = read_all_labelled([one, two], TEXT)
    assert (raw.inputs, raw.labels, raw.files) == (["a", "b", "c"], ["x", "y", "x"], (one, two))
    assert [raw.places(row) for row in (1, 2)] == [f"{one}: line 3", f"{two}: line 1"]
    assert raw.digest not in (read_all_labelled([two, one], TEXT).digest, read_all_labelled([one], TEXT).digest)
    with pytest.raises(ConfigError, match="expected at least one file"):
        read_all_labelled([], TEXT)


@pytest.mark.parametrize(
    "content",
    [
        [{"text": "a", "label": 1}, {"label": 0, "text": None}],
        {"text": ["a", None], "label": [1, 0]},
        {"text": {"0": "a", "1": None}, "label": {"0": 1, "1": 0}},
    ],
)
def test_json(write, content):
    """An array of objects, columns of lists, and what pandas writes."""
    expected = {"text": ["a", None], "label": [1, 0]}
    assert read_table(write(json.dumps(content, indent=1), "t.json"), ["text", "label"]).columns == expected


def test_json_lines_and_arrays_by_any_name(write):
    assert read_table(write('{"a": 1}\n{"a": 2}\n', "t.json")).columns == {"a": [1, 2]}
    assert read_table(write('{"a": 1}\n', "t.json")).columns == {"a": [1]}
    assert read_table(write(' [{"a": 1}]', "t")).columns == {"a": [1]}
    assert read_table(write("[a],b\n1,2\n", "t.csv")).columns == {"[a]": ["1"], "b": ["2"]}
    for content, said in (
        ("[1]", "a JSON array of objects, such as"),
        ("[{", "a JSON array of objects: "),
        ("[]", "no rows"),
    ):
        with pytest.raises(DataError, match=said):
            read_table(write(content, "t.json"))


def test_a_folder_for_each_class(write, tmp_path):
    for name, text in {"pos/1.txt": "good", "pos/b/2.txt": "fine\nfilm\n", "neg/1.txt": "bad", "README": "x"}.items():
        write(text, f"films/{name}")
    folder = str(tmp_path / "films")
    with pytest.warns(UserWarning, match="README: in no class's folder .so are 1 files.; left out"):
        raw = read_labelled(folder, LabelledColumns())
    assert dict(zip(raw.inputs, raw.labels, strict=True)) == {"good": "pos", "fine\nfilm\n": "pos", "bad": "neg"}
    assert raw.places(0) == f"{folder}/neg/1.txt"
    with pytest.warns(UserWarning, match="README"):
        assert read_labelled(folder, TEXT).labels == raw.labels  # of a run that was trained on a table, too
    raw = read_labelled(folder, LabelledColumns(), labels=False)
    assert raw.keys == ["README", "neg/1.txt", "pos/1.txt", "pos/b/2.txt"]
    assert raw.labels == [None] * 4
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for name in ("pos/1.txt", "neg/1.txt"):
            archive.writestr(f"films/{name}", name)
    raw = read_labelled(str(tmp_path / "films.zip"), LabelledColumns())
    assert (raw.inputs, raw.labels) == (["neg/1.txt", "pos/1.txt"], ["neg", "pos"])
    write("x", "flat/1.txt")
    with pytest.raises(DataError, match="expected a folder for each class"):
        read_labelled(str(tmp_path / "flat"), LabelledColumns())


def test_a_text_a_line_or_a_table_by_its_first_line(write):
    lines, rows = write("a film, fine\nanother\n", "new.txt"), write("text,n\na film,1\n", "table.txt")
    assert read_labelled(lines, TEXT, labels=False).inputs == ["a film, fine", "another"]
    assert read_labelled(rows, TEXT, labels=False).inputs == ["a film"]
    with pytest.raises(DataError, match="no column 'text'"):
        read_labelled(write("texts\na film\n", "new.csv"), TEXT, labels=False)


def test_texts_and_labels_in_two_files(write):
    texts, labels = write("a film\n\nb, c\r\n", "texts.txt"), write("x\ny\nx\n", "labels.txt")
    with pytest.warns(UserWarning, match="texts.txt: line 2: no text"):
        raw = read_labelled(f"{texts},{labels}", LabelledColumns())
    assert (raw.inputs, raw.labels) == (["a film", "", "b, c"], ["x", "y", "x"])
    assert raw.name == f"{texts},{labels}"
    with pytest.warns(UserWarning, match="no text"):
        assert read_labelled(texts, LabelledColumns(), labels=False).inputs == ["a film", "", "b, c"]
    with pytest.raises(DataError, match=r"texts.txt has 3 lines and .*labels.txt 1: expected as many"):
        read_labelled(f"{texts},{write('x', 'labels.txt')}", LabelledColumns())
    with pytest.raises(ConfigError, match="say which columns of the table to read"):
        read_labelled(texts, LabelledColumns())
