"""Series files: values, labels and missing values, against a reader of a few lines; and what is said of bad ones."""

import gzip

import numpy as np
import pytest

from ostinato.core.errors import DataError
from ostinato.data.labelled.ts import read_ts

HEAD = "# about\n@problemName Toy\n@univariate false\n@classLabel true a b\n@data\n"


def test_channels_lengths_labels_and_missing_values(write):
    found = read_ts(write(HEAD + "1,2.5,-3e-1:4,?,NaN: a \n\n# no case\n7:8:b\n", "t.ts"))
    np.testing.assert_array_equal(found.inputs[0], np.array([[1, 4], [2.5, np.nan], [-0.3, np.nan]]))
    np.testing.assert_array_equal(found.inputs[1], np.array([[7, 8]]))
    assert found.labels == ["a", "b"]
    assert (found.missing, found.places(1).rsplit("/", 1)[1]) == (2, "t.ts: line 9")


def test_what_is_infinite_is_refused(write):
    with pytest.raises(DataError, match=r"t.ts: line 6: expected finite numbers between commas, got '1e39'"):
        read_ts(write(HEAD + "1,1e39:a\n", "t.ts"))


def test_numbers_keep_every_digit(write):
    found = read_ts(write(HEAD + "5712345.01,1000000000.25:a\n", "t.ts"))
    assert found.inputs[0].ravel().tolist() == [5712345.01, 1000000000.25]


def test_without_labels(write):
    found = read_ts(write(HEAD.replace("true a b", "false") + "1,2\n3\n", "t.ts"))
    assert [values.tolist() for values in found.inputs] == [[[1], [2]], [[3]]]
    assert found.labels == [None, None]


@pytest.mark.parametrize(("name", "cases", "shape"), [("ArrowHead", 36, (251, 1)), ("BasicMotions", 40, (100, 6))])
def test_files_of_the_archives(corpora, tmp_path, name, cases, shape):
    path = corpora(f"ucr_uea/{name}_TRAIN.ts")
    found = read_ts(path)
    body = path.read_text().lower().split("@data\n")[1].splitlines()
    expected = [np.array([c.split(",") for c in line.split(":")[:-1]], float).T for line in body]
    assert len(found.inputs) == cases
    for values, wanted in zip(found.inputs, expected, strict=True):
        assert values.shape == shape
        np.testing.assert_allclose(values, wanted, rtol=1e-6)
    assert [label.lower() for label in found.labels] == [line.rsplit(":", 1)[1] for line in body]
    (tmp_path / "t.ts.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read_ts(tmp_path / "t.ts.gz").digest == found.digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,2:a\n", r"t.ts: line 1: expected @univariate true, @data or the like, got '1,2:a'"),
        ("@univariate true\n", r"t.ts: not a .ts file: it has no line @data"),
        (HEAD, "t.ts: holds no cases behind @data"),
        (HEAD + "1,2:3,4:a\n1,x:3,4:b\n", "t.ts: line 7: expected numbers between commas, got 'x'"),
        (HEAD + "1,2:3,4:a\n1,2:b\n", "t.ts: line 7: expected 2 channels, as in the first case, got 1"),
        (HEAD + "1,2:3:a\n", "t.ts: line 6: expected channels of equal length, got 2, 1"),
        (HEAD + "a\n", "t.ts: line 6: expected channels and a label between colons, got a label alone"),
        ("@timeStamps true\n" + HEAD, "t.ts: line 1: .ts files with time stamps are not supported"),
    ],
)
def test_what_is_wrong_is_named(write, content, message):
    with pytest.raises(DataError, match=message):
        read_ts(write(content, "t.ts"))
