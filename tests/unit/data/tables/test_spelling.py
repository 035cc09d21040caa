"""Names that are numbers, against how data frames write them."""

import numpy as np
import pytest

from ostinato.data.labelled.examples import Raw
from ostinato.data.labelled.reading import LabelledColumns, SequenceCodec
from ostinato.data.series.covariates import Coding
from ostinato.data.tables.spelling import name_of, plain_number, spelt_as
from ostinato.tasks.classify.codec import ClassifyCodec


@pytest.mark.parametrize(
    ("cell", "name"), [(1, "1"), (1.0, "1"), (np.float64(-3), "-3"), (1.5, "1.5"), ("1.0", "1.0"), ("", None),
                       (" ", None), (None, None), (float("nan"), None), (True, "True")],
)  # fmt: skip
def test_whole_numbers_are_named_without_a_point(cell, name):
    assert name_of(cell) == name


def test_the_same_number_is_the_same_name():
    assert [plain_number(text) for text in ("1.0", "-20.00", "1.50", "v1.0")] == ["1", "-20", "1.50", "v1.0"]
    spell = spelt_as(["1", "2.0", "a", "3", "3.0"])
    assert [spell(text) for text in ("1.0", "2", "2.0", "a", "3.00", "4.0")] == ["1", "2.0", "2.0", "a", "3.00", "4.0"]


def test_labels_of_another_file():
    codec = ClassifyCodec(("1", "2", "b"), SequenceCodec(LabelledColumns(), None))
    raw = Raw("t.csv", ["x"] * 3, ["2.0", "b", "1"], str, None, "")
    assert np.asarray(codec.numbers(raw)[0]).tolist() == [1, 2, 0]


def test_categories_of_another_file():
    coding = Coding.learn("hall", [np.array(["1", "2", None], object)])
    found = coding.encode(np.array(["2.0", "1", None, "7.0"], object), 4)
    assert found.tolist() == [[0, 1], [1, 0], [1, 0], [0, 0]]
