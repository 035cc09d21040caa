"""Losses over learning rates."""

from collections.abc import Sequence
from pathlib import Path

from ostinato.plots.style import COLOURS, label, picture


def draw_rates(
    points: Sequence[tuple[float, float, float]],
    out: str | Path,
    *,
    used: float,
    suggested: float | None,
    optimizer: str,
    title: str = "Learning-rate range test",
) -> None:
    """Draw what a learning-rate range test has found.

    Args:
        points: rate, loss and smoothed loss of each step, the lowest rate first.
        out: picture to write, .png or .svg.
        used: the rate that the training would have had.
        suggested: the one that the losses speak for, if any.
        optimizer: what the rates are those of.
        title: over the picture.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    rates, losses, means = (list(column) for column in zip(*points, strict=True))
    still = losses[:10]
    room = 0.6 * (max(still) - min(means)) or 0.1
    with picture(out) as axes:
        axes.plot(rates, losses, ".", color=COLOURS[4], markersize=4, label="a step's batch")
        axes.plot(rates, means, "-", color=COLOURS[0], linewidth=1.8, label="smoothed")
        axes.axvline(used, color=COLOURS[6], linestyle=":", linewidth=1.4, label=f"as it stands: {used:g}")
        if suggested is not None:
            axes.axvline(suggested, color=COLOURS[1], linestyle="--", linewidth=1.6, label=f"suggested: {suggested:g}")
        axes.set_ylim(min(losses) - room / 4, max(still) + room)  # an explosion would press the rest flat
        axes.set(
            title=label(title), xscale="log", xlabel=f"learning rate ({optimizer}), higher at each step", ylabel="loss"
        )
        axes.legend()
