"""Lines that are short, many or named strangely can all be seen."""

import numpy as np
import pytest

figure = pytest.importorskip("matplotlib.figure").Figure

from ostinato.plots.courses import training_sheet  # noqa: E402
from ostinato.plots.gates import Panel, heat_maps  # noqa: E402
from ostinato.plots.gradients import Course, gradient_courses  # noqa: E402
from ostinato.plots.training import training_curve  # noqa: E402


@pytest.fixture
def drawn(monkeypatch):
    """The figures, once they are written."""
    figures, save = [], figure.savefig
    monkeypatch.setattr(figure, "savefig", lambda self, path, **how: (figures.append(self), save(self, path, **how)))
    return figures


def test_a_training_of_one_interval_is_a_point(drawn, tmp_path):
    one = {"value": np.array([2.0]), "tokens": np.array([100]), "step": np.array([1])}
    training_sheet(
        {"run": dict.fromkeys(("loss", "lr", "gradient_norm", "clipped", "speed"), one)}, [tmp_path / "a.png"]
    )
    training_curve([{"tokens": 100, "loss": 2.0}], tmp_path / "b.png", figure="loss")
    lines = [line for each in drawn for axes in each.axes for line in axes.lines]
    assert len(lines) == 6
    assert all(line.get_marker() == "o" for line in lines)


def test_many_lines_have_room_in_the_legend(drawn, tmp_path):
    norms = {"h": np.linspace(1, 2, 11)[:, None]}
    names = ["_old", "a$b$", *(f"run {n}" for n in range(14))]
    courses = [
        Course(f"{name}: lstm, layer 1\n  spectral radius i 0.5, f 0.6, g 0.7, o 0.8", norms, n // 4, n % 4)
        for n, name in enumerate(names)
    ]
    gradient_courses(courses, [tmp_path / "a.png"], title="a$b$: gradient of " + "a very long " * 6 + "name")
    (sheet,) = drawn
    (legend,) = sheet.legends
    box, page = legend.get_window_extent(), sheet.bbox
    assert page.x0 <= box.x0 < box.x1 <= page.x1
    assert page.y0 <= box.y0 < box.y1 <= page.y1
    shown = [text.get_text().strip().partition(":")[0] for text in legend.get_texts()]
    assert shown == [name.replace("$", r"\$") for name in names]
    assert sheet.get_suptitle().startswith(r"a\$b\$: gradient")
    assert sheet._suptitle.get_window_extent().x1 < box.x0
    looks = {(line.get_marker(), line._unscaled_dash_pattern) for line in sheet.axes[0].lines}
    assert len(looks) == len(names)  # in grey too


def test_a_gradient_that_has_died_in_most_sequences_is_not_that_of_the_others(drawn, tmp_path):
    norms = np.array([[0.0, 0.0, 1.0], [0.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    gradient_courses([Course("it", {"h": norms})], [tmp_path / "a.png"], title="")
    (line,) = drawn[0].axes[0].lines
    assert line.get_xdata().tolist() == [0, 1]
    assert line.get_ydata().tolist() == [2, 2]


def test_steps_are_named_as_far_as_there_is_room(drawn, tmp_path):
    values = np.random.default_rng(0).normal(size=(500, 4))
    tokens = ["a" * 200, *("b" for _ in range(499))]
    heat_maps([Panel("state h", values, True)], tokens, range(4), [tmp_path / "a.png"], title="")
    steps, bar = drawn[0].axes
    labels = [text.get_text() for text in steps.get_xticklabels()]
    assert 100 < len(labels) <= 180
    assert labels[0] == "aaaaaaaaa…"
    assert bar.get_ylabel() == "value"
