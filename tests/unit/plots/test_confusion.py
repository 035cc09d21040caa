"""The picture of a confusion matrix says what the matrix says."""

import numpy as np
import pytest

from ostinato.plots import style


def test_counts_and_names_are_in_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    from ostinato.tasks.classify.drawing import confusion_matrix

    counts = np.array([[7, 1], [1234, 0]])
    confusion_matrix(counts, ["cats", "dogs"], tmp_path / "one.svg", title="test data: 9 right")
    text = (tmp_path / "one.svg").read_text()
    for shown in ("7", "1", "1,234", "0", "cats", "dogs", "predicted", "true", "test data: 9 right"):
        assert f"<!-- {shown} -->" in text
    confusion_matrix(counts, ["cats", "dogs"], tmp_path / "two.svg", title="test data: 9 right")
    assert (tmp_path / "two.svg").read_text() == text
    many = np.eye(30, dtype=int)
    confusion_matrix(many, [f"class {n}" for n in range(30)], tmp_path / "many.png")
    assert (tmp_path / "many.png").stat().st_size > 1000
    assert style.available()


def test_names_are_no_formulas(tmp_path):
    pytest.importorskip("matplotlib")
    from ostinato.tasks.classify.drawing import confusion_matrix

    confusion_matrix(np.eye(3, dtype=int), ["$10-$20", "$1#$2", "_rest"], tmp_path / "one.svg")
    text = (tmp_path / "one.svg").read_text().replace("<!--  _", "<!-- _")
    for shown in ("$10-$20", "$1#$2", "_rest"):
        assert f"<!-- {shown} -->" in text
