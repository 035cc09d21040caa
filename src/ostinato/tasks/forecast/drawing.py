"""Forecasts with their intervals, of one series or target or of several."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ostinato.plots.style import COLOURS, STROKES, label, marker_of, sheet

#: Panels of a picture, at most: more are too small to read.
PANELS = 8


#: Inches that a letter of the legend takes.
_LETTER = 0.065


class Fan(NamedTuple):
    """One forecast: times `[H]`, dates or numbers, the point forecast `[H]`, the ends of intervals, `[H]` each, by
    share in percent, of which the widest is drawn faintest, and what the legend calls it."""

    times: np.ndarray
    point: np.ndarray
    intervals: dict[float, tuple[np.ndarray, np.ndarray]]
    label: str


class Panel(NamedTuple):
    """One target of one series: what was `[T]` (NaN where missing) at which dates or numbers, forecasts, its title."""

    times: np.ndarray
    values: np.ndarray
    fans: Sequence[Fan]
    title: str


def forecast_picture(panels: Sequence[Panel], out: str | Path, *, title: str) -> None:
    """Draw what was and what is forecast, at most `PANELS`, to .png or .svg; one legend for all of them stands below.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    columns = 1 if len(panels) < 3 else 2
    rows = -(-len(panels) // columns)
    size = (7.0, 4.0) if len(panels) == 1 else (5.5 * columns if columns > 1 else 7.0, 0.8 + 2.5 * rows)
    with sheet([out], rows, columns, size=size, title=title) as axes:
        places = [place for row in axes for place in row]
        handles: dict[str, Any] = {}
        for place, panel in zip(places, panels, strict=False):
            _draw(place, panel)
            handles |= {name: line for line, name in zip(*place.get_legend_handles_labels(), strict=True)}
        for unused in places[len(panels) :]:
            unused.set_axis_off()
        figure: Any = places[0].figure
        beside = len(handles) if sum(len(name) + 8 for name in handles) * _LETTER < size[0] else 1
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=beside, fontsize=8)


def _draw(axes: Any, panel: Panel) -> None:
    axes.plot(_axis(panel.times), panel.values, color="#444444", linestyle="-", linewidth=1.2, label="observed",
              marker=marker_of(len(panel.times)))  # fmt: skip
    for fan, colour, stroke in zip(panel.fans, COLOURS, STROKES[1:], strict=False):
        for share in sorted(fan.intervals, reverse=True):
            low, high = fan.intervals[share]
            axes.fill_between(_axis(fan.times), low, high, color=colour, alpha=0.18, linewidth=0)
        shares = ", ".join(f"{share:g}" for share in sorted(fan.intervals))
        name = label(f"{fan.label} ({shares} %)" if shares else fan.label)
        marker = marker_of(len(fan.times))
        look = {"color": colour, "linestyle": stroke, "linewidth": 1.6, "marker": marker}
        axes.plot(_axis(fan.times), fan.point, label=name, **look)
    axes.set_title(label(panel.title), fontsize=9, loc="left")
    axes.margins(x=0.01)
    if panel.times.dtype.kind == "M":
        from matplotlib import dates

        untyped: Any = dates
        locator = untyped.AutoDateLocator(minticks=3, maxticks=7)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(untyped.ConciseDateFormatter(locator))


def _axis(times: np.ndarray) -> Any:
    return times.astype("datetime64[us]").tolist() if times.dtype.kind == "M" else times
