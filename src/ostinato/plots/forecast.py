"""Forecasts with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ostinato.plots.style import COLOURS, label, picture


class Fan(NamedTuple):
    """One forecast.

    Attributes:
        times: `[H]` dates or numbers.
        point: `[H]`.
        intervals: low and high, `[H]` each, by share in percent; the widest is drawn faintest.
        label: in the legend.
    """

    times: np.ndarray
    point: np.ndarray
    intervals: dict[int, tuple[np.ndarray, np.ndarray]]
    label: str


def forecast_picture(
    times: np.ndarray, values: np.ndarray, fans: Sequence[Fan], out: str | Path, *, title: str, ylabel: str
) -> None:
    """Draw what was and what is forecast.

    Args:
        times: `[T]` dates or numbers of what was.
        values: `[T]`, NaN where missing.
        fans: forecasts, each with its intervals.
        out: picture to write, .png or .svg.
        title: over the picture.
        ylabel: name of the target.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    with picture(out) as axes:
        axes.plot(_axis(times), values, color="#444444", linewidth=1.2, label="observed")
        for fan, colour in zip(fans, COLOURS, strict=False):
            for share in sorted(fan.intervals, reverse=True):
                low, high = fan.intervals[share]
                axes.fill_between(_axis(fan.times), low, high, color=colour, alpha=0.18, linewidth=0)
            shares = ", ".join(f"{share} %" for share in sorted(fan.intervals))
            name = label(f"{fan.label}, with {shares} intervals" if shares else fan.label)
            marker = "o" if len(fan.times) == 1 else None
            axes.plot(_axis(fan.times), fan.point, color=colour, linewidth=1.6, marker=marker, label=name)
        axes.set(title=label(title), ylabel=label(ylabel))
        axes.legend(loc="upper left", fontsize=8)
        axes.margins(x=0.01)


def _axis(times: np.ndarray) -> Any:
    return times.astype("datetime64[s]").tolist() if times.dtype.kind == "M" else times
