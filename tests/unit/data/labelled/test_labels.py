"""Labels that training never saw, and those that look like none."""

import warnings

import pytest

from ostinato.core.errors import DataError
from ostinato.data.labelled.labels import tell_doubtful, tell_unknown, unknown_labels

PLACES = {"x": "t.csv: line 2", "y": "t.csv: line 3", "z": "t.csv: line 9"}


def test_unknown_labels_are_counted_and_told():
    with pytest.warns(UserWarning, match="does not occur") as told:
        assert tell_unknown("label", {"x": 6, "z": 2, "y": 1}, PLACES, ["w", "x"]) == ["z", "y"]
    (warning,) = told
    message = str(warning.message)
    assert message.startswith(
        "t.csv: line 9: the label 'z' does not occur in the training data, whose labels are 'w', 'x'"
    )
    assert "3 of 9" in message
    assert "'y'" in message


def test_known_ones_say_nothing_and_a_wrong_column_is_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tell_unknown("tag", {"x": 1, "y": 1}, PLACES, ["x", "y"]) == []
        assert unknown_labels("tag", {"x": 1, "y": 1}, PLACES, ["x"]) == ["y"]
    with pytest.raises(DataError, match=r"t\.csv: line 2: the tag 'x' does not occur .* nor does any other tag"):
        tell_unknown("tag", {"x": 1, "y": 1}, PLACES, ["a"])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([f"{n / 7:.3f}" for n in range(60)], "regression"),
        ([str(n) for n in range(100)] * 3, "regression"),
        ([str(n % 10) for n in range(60)], None),  # digits
        ([str(n) for n in range(100)] * 10, None),  # a hundred kinds with a number for a name
        ([f"name {n}" for n in range(60)], "most occur once"),
        ([f"kind {n % 30}" for n in range(90)], None),
    ],
)
def test_labels_that_are_hardly_labels(labels, said):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tell_doubtful("t.csv", "label", {label: labels.count(label) for label in labels})
    assert [said in str(warning.message) for warning in told] == ([] if said is None else [True])
