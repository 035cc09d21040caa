"""The picture of forecasts: every panel its own, the legend beside none of them."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from ostinato.tasks.forecast.drawing import PANELS, Fan, Panel, forecast_picture


def panel(number, points=30):
    rng = np.random.default_rng(number)
    times = np.datetime64("2024-01-01", "s") + np.arange(points + 5) * np.timedelta64(1, "D")
    values = rng.normal(size=points) * 10**number
    ends = {80.0: (values[:5] - 1, values[:5] + 1), 99.5: (values[:5] - 2, values[:5] + 2)}
    fans = [
        Fan(times[points - 5 : points], values[:5], ends, "held out"),
        Fan(times[points:], values[:5], ends, "beyond"),
    ]
    return Panel(times[:points], values, fans, f"target of series {number}")


@pytest.mark.parametrize("count", [1, 2, 3, PANELS])
def test_the_legend_hides_no_curve(tmp_path, monkeypatch, count):
    drawn = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *more, **named: (drawn.append(figure), save(figure, *more, **named))
    )
    forecast_picture([panel(number) for number in range(count)], tmp_path / "a.png", title="all of them")
    (figure,) = drawn
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in shown] == [f"target of series {number}" for number in range(count)]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "observed",
        "held out (80, 99.5 %)",
        "beyond (80, 99.5 %)",
    ]
    around = legend.get_window_extent()
    assert not any(axes.get_legend() or axes.get_window_extent().overlaps(around) for axes in shown)
    assert 0 <= around.x0 < around.x1 <= figure.bbox.x1
    assert around.y0 >= 0
    for number, axes in enumerate(shown):
        assert axes.get_lines()[0].get_ydata().tolist() == panel(number).values.tolist()
