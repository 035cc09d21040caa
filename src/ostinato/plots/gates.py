"""What gates and states do over a text."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ostinato.plots.style import Array, sheet, short

_MARKERS = "osD^vP*X"
_NAMED = 150  #: steps that have room for a name each


class Panel(NamedTuple):
    """One heat map.

    Attributes:
        name: beside it.
        values: `[T, units]`.
        signed: whether they lie on both sides of zero; else from 0 to 1.
    """

    name: str
    values: Array
    signed: bool


def heat_maps(
    panels: Sequence[Panel], tokens: Sequence[str], units: Sequence[int], files: Iterable[str | Path], *, title: str
) -> None:
    """Draw gates and states one below the other, over the same tokens `[T]`; `units` are the indices of those shown."""
    wide = min(20.0, max(5.0, 1.8 + 0.135 * len(tokens)))
    high = min(2.4, max(0.9, 0.016 * len(units)))
    with sheet(files, len(panels), size=(wide, 1.0 + (high + 0.12) * len(panels)), title=title, sharex=True) as axes:
        for (name, values, both_signs), (ax,) in zip(panels, axes, strict=True):
            limit = max(1.0, float(np.percentile(np.abs(values), 99.5)))  # few units go far beyond all others
            image = ax.imshow(
                values.T, cmap="cividis", vmin=-limit if both_signs else 0, vmax=limit,
                aspect="auto", interpolation="nearest",
            )  # fmt: skip
            ax.grid(False)
            ax.set_ylabel(f"{name}\nunit")
            ax.set_yticks(shown := _spaced(len(units)), [str(units[row]) for row in shown], fontsize=7)
            beyond = "both" if np.abs(values).max() > limit else "neither"
            figure: Any = ax.get_figure(root=True)
            figure.colorbar(image, ax=ax, pad=0.01, aspect=12, extend=beyond, label="value")
        last, ticks = axes[-1][0], range(0, len(tokens), 1 + len(tokens) // _NAMED)
        last.set_xticks(ticks, [short(tokens[t]) for t in ticks], fontsize=7)
        if max(map(len, tokens), default=1) > 1:
            last.tick_params("x", rotation=90)
        start = "" if not tokens or tokens[0] else "; the first, ·, is the start that comes in front of the text"
        last.set_xlabel(f"what was read, a step each{start}")


def saturation_map(
    points: dict[str, list[tuple[str, Array, Array]]], files: Iterable[str | Path], *, title: str
) -> None:
    """Draw how much of the time each unit is saturated, as Karpathy, Johnson, Fei-Fei 2015 did.

    `points` has by panel (a gate, with the limits) the layers: label, share of the time left-saturated `[H]`, share
    right-saturated `[H]`.
    """
    side = 3.0
    size = (max(4.5, side * len(points) + 0.4), side + 0.65)
    with sheet(files, 1, len(points), size=size, title=title, sharey=True) as (row,):
        for (name, layers), ax in zip(points.items(), row, strict=True):
            ax.plot([0, 1], [1, 0], color="#888888", linewidth=0.8)  # no unit can lie beyond
            for index, (label, left, right) in enumerate(layers):
                ax.plot(
                    left, right, linestyle="none", marker=_MARKERS[index % len(_MARKERS)], markersize=4, alpha=0.6,
                    markeredgewidth=0, label=label, clip_on=False,
                )  # fmt: skip
            ax.set(xlim=(0, 1), ylim=(0, 1), title=name, xlabel="left-saturated (share of steps)", aspect="equal")
            ax.title.set_fontsize(10)
        row[0].set_ylabel("right-saturated (share of steps)")
        if len(next(iter(points.values()), [])) > 1:
            row[-1].legend(loc="upper right", fontsize=8)


def _spaced(count: int) -> list[int]:
    """A few evenly spaced rows, the first and the last among them."""
    return sorted({round(row) for row in np.linspace(0, count - 1, min(count, 5))})
