"""Several trainings on one sheet."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.plots.style import COLOURS, STROKES, Array, label, marker_of, sheet

Curves = Mapping[str, Mapping[str, Array]]

_COUNTED = ("tokens", "examples", "targets")


def training_sheet(runs: Mapping[str, Curves], files: Iterable[str | Path], *, title: str = "Training") -> None:
    """Draw loss, learning rate, gradient norm, clipped share and speed of each run.

    The horizontal axis is what was trained on (millions of tokens, thousands of examples), or updates of the weights
    where the runs count different things.

    Args:
        runs: by label, what `inspection.training_curves` gives.
        files: pictures to write, .png or .svg.
        title: over the sheet.
    """
    axis = _axis(runs)
    known = {"tokens": ("tokens (millions)", 1e6), "step": ("updates", 1)}
    counted, scale = known.get(axis, (f"{axis} (thousands)", 1e3))
    speed = f"{axis} a second" if axis in _COUNTED else "a second, of what each run counts"
    panels = [
        ("loss", "loss (nats)" if axis in ("tokens", "examples") else "loss", "Loss: line training, dots validation"),
        ("lr", "learning rate", "Learning rate"),
        ("gradient_norm", "norm, mean of an interval", "Gradient norm before clipping"),
        ("clipped", "clipped updates (%)", "Share of updates clipped"),
        ("speed", speed, "Speed"),
    ]
    with sheet(files, 2, 3, size=(11.0, 5.6), title=title, sharex=True) as axes:
        flat = [ax for row in axes for ax in row]
        for (name, ylabel, heading), ax in zip(panels, flat, strict=False):
            for index, (run, curves) in enumerate(runs.items()):
                style: Any = {"color": COLOURS[index % 7], "linestyle": STROKES[(index + index // 7) % 7]}
                if name in curves:
                    values = curves[name]["value"] * (100 if name == "clipped" else 1)
                    marker = marker_of(len(values))
                    ax.plot(curves[name][axis] / scale, values, linewidth=1.3, marker=marker, markersize=3,
                            label=label(run), **style)  # fmt: skip
                if name == "loss" and "valid_loss" in curves:
                    valid = curves["valid_loss"]
                    ax.plot(valid[axis] / scale, valid["value"], marker="o", markersize=3, linewidth=0.6, **style)
            ax.set_title(heading, fontsize=9)
            ax.set_ylabel(ylabel, fontsize=9)
            ax.tick_params(labelsize=8, labelbottom=True)
            ax.set_xlabel(counted, fontsize=9)
            if name in ("lr", "gradient_norm") and _wide(runs, name):
                ax.set_yscale("log")
            elif name in ("clipped", "speed"):
                ax.set_ylim(bottom=0)
                ax.yaxis.set_major_formatter("{x:,.0f}")
        flat[3].set_ylim(-3, 103)
        last = flat[-1]
        last.set_axis_off()
        last.legend(*flat[0].get_legend_handles_labels(), loc="upper left", fontsize=8, title="run", alignment="left")


def _axis(runs: Mapping[str, Curves]) -> str:
    """What all runs count, else their updates."""
    counted = {next((unit for unit in _COUNTED if unit in column), "step") for curves in runs.values()
               for column in curves.values()}  # fmt: skip
    return counted.pop() if len(counted) == 1 else "step"


def _wide(runs: Mapping[str, Curves], name: str) -> bool:
    """Whether the values of a figure differ by more than a factor of ten."""
    found = [curves[name]["value"] for curves in runs.values() if name in curves]
    values = np.concatenate(found) if found else np.zeros(0)
    values = values[values > 0]
    return bool(values.size and values.max() > 10 * values.min())
