"""Gradients on their way back through time, and what clipping does to them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np

from ostinato.plots.style import COLOURS, STROKES, Array, label, marker_of, sheet

_MARKERS = "os^Dv*XP"


class Course(NamedTuple):
    """One line.

    Attributes:
        label: in the legend.
        norms: `[T+1, N]` by field of the state; row t is the state after t steps.
        group: lines of a group have one colour; and one marker, where they are faint or there are several groups.
        stroke: by which lines of a group differ.
        faint: thinner, for comparison only.
    """

    label: str
    norms: dict[str, Array]
    group: int = 0
    stroke: int = 0
    faint: bool = False


def gradient_courses(courses: Sequence[Course], files: Iterable[str | Path], *, title: str) -> None:
    """Draw |dL/dh_t| and the like over the steps back from the end: median over the sequences, quartiles around it.

    Args:
        courses: the lines; each field of a state has a panel.
        files: pictures to write, .png or .svg.
        title: over the sheet.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    fields = list(dict.fromkeys(field for course in courses for field in course.norms))
    size = (4.3 * len(fields) + 2.2, max(3.8, 0.6 + 0.34 * len(courses)))  # the legend has two lines for each
    several = len({course.group for course in courses if not course.faint}) > 1
    with sheet(files, 1, len(fields), size=size, sharey=True, sharex=True) as (row,):
        for field, ax in zip(fields, row, strict=True):
            for course in courses:
                if field in course.norms:
                    _draw(ax, course, course.norms[field], marked=several or course.faint)
            ax.set_yscale("log")
            ax.set(title=f"dL / d{field}", xlabel="steps back from where the layer ends")
        row[0].set_ylabel("norm of the gradient")
        # a line may be in one panel only
        lines = {name: line for ax in row for line, name in zip(*ax.get_legend_handles_labels(), strict=True)}
        figure: Any = row[0].get_figure(root=True)
        # over the panels alone: the legend begins at the top
        figure.suptitle(fill(label(title), 40 * len(fields)), x=0.01, horizontalalignment="left")
        figure.legend(lines.values(), lines.keys(), loc="outside right upper", fontsize=8)


def _draw(ax: Any, course: Course, norms: Array, *, marked: bool) -> None:
    """A line as far as its median is above zero: on an axis of logarithms what has died has no place."""
    back = norms[::-1]  # from the end
    low, middle, high = np.percentile(back, (25, 50, 75), axis=1)
    kept = middle > 0
    if not kept.any():
        return
    colour, steps = COLOURS[course.group % len(COLOURS)], np.arange(len(back))[kept]
    marker = _MARKERS[course.group % len(_MARKERS)] if marked else None
    if not course.faint and back.shape[1] > 1:
        least = back[back > 0].min()
        ax.fill_between(steps, np.maximum(low[kept], least), high[kept], color=colour, alpha=0.15, linewidth=0)
    ax.plot(steps, middle[kept], color=colour, linewidth=1.0 if course.faint else 1.8, marker=marker, markersize=4,
            markevery=max(1, len(steps) // 8), markerfacecolor="none", label=label(course.label),
            linestyle=STROKES[course.stroke % len(STROKES)])  # fmt: skip


def norms_over_steps(
    lines: dict[str, Array],
    files: Iterable[str | Path],
    *,
    title: str,
    xlabel: str = "steps back",
    logarithmic: bool = True,
) -> None:
    """Draw norms, a line each.

    Args:
        lines: `[T]` by label, after 1, 2, ..., T steps.
        files: pictures to write, .png or .svg.
        title: over the picture.
        xlabel: what a step is.
        logarithmic: the vertical axis.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    with sheet(files) as ((ax,),):
        from matplotlib.ticker import MaxNLocator

        for name, norms in lines.items():
            marker = marker_of(len(norms))
            ax.plot(range(1, len(norms) + 1), norms, marker=marker, linewidth=1.6, label=label(name))
        ax.set(title=label(title), xlabel=xlabel, ylabel="norm of the gradient")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if logarithmic:
            ax.set_yscale("log")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def clipping(before: Array, after: Array, threshold: float, files: Iterable[str | Path], *, title: str) -> None:
    """Draw the gradient norm of each batch, `[K]`, before and after clipping to a threshold; 0 clips nothing."""
    with sheet(files) as ((ax,),):
        at = np.arange(1, len(before) + 1)
        ax.plot(at, before, linestyle="none", marker="o", markersize=8, color=COLOURS[1], markerfacecolor="none",
                label="before clipping")  # fmt: skip
        if threshold > 0:
            ax.vlines(at, after, before, color=COLOURS[1], linewidth=0.8, alpha=0.5)
            ax.plot(at, after, linestyle="none", marker="s", markersize=4, color=COLOURS[0], label="after clipping")
            ax.axhline(threshold, color="#444444", linewidth=1, label=f"threshold {threshold:g}")
        if before.max(initial=0) > 20 * max(before.min(initial=np.inf), 1e-12):
            ax.set_yscale("log")
        else:
            ax.set_ylim(0, 1.1 * max(threshold, before.max(initial=0)) or 1.0)
        ax.set(title=label(title), xlabel="batch", ylabel="norm of the whole gradient")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
