"""A search on one sheet: how the best figure fell, what mattered, and which options went together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.plots.style import COLOURS, sheet


def draw_search(found: Mapping[str, Any], file: str | Path) -> None:
    """Draw the trials of a search.

    Args:
        found: what `ostinato search` says: `trials`, `metric`, `higher`, `importance`.
        file: picture to write, .png or .svg.
    """
    trials = [one for one in found["trials"] if "value" in one]
    with sheet([file], 1, 3, size=(13.0, 4.4), title=f"{len(found['trials'])} trials, {found['metric']}") as axes:
        history, importance, parallel = (ax for row in np.atleast_2d(np.array(axes, dtype=object)) for ax in row)
        _history(history, trials, found)
        _importance(importance, found["importance"])
        _parallel(parallel, trials, found["higher"])


def _history(ax: Any, trials: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> None:
    for state, marker, colour in (("complete", "o", COLOURS[0]), ("pruned", "x", COLOURS[1])):
        own = [one for one in trials if one["state"] == state]
        if own:
            ax.scatter([one["number"] for one in own], [one["value"] for one in own], marker=marker, color=colour,
                       label=state, s=22)  # fmt: skip
    done = [one for one in trials if one["state"] == "complete"]
    if done:
        so_far = (np.maximum if found["higher"] else np.minimum).accumulate([one["value"] for one in done])
        ax.step(
            [one["number"] for one in done], so_far, where="post", color=COLOURS[0], linewidth=1, label="best so far"
        )
    ax.set_xlabel("trial")
    ax.set_ylabel(found["metric"])
    ax.set_title("History", fontsize=9)
    ax.legend(fontsize=7)


def _importance(ax: Any, importance: Mapping[str, float]) -> None:
    names = list(importance)[::-1]
    ax.barh(names, [importance[name] for name in names], color=COLOURS[2])
    ax.set_title("Share that each option explains" if names else "Too few trials to say what matters", fontsize=9)
    ax.set_xlabel("importance (PED-ANOVA)")


def _parallel(ax: Any, trials: Sequence[Mapping[str, Any]], higher: bool) -> None:
    """A line a trial through its options, each scaled to its own range; the better, the darker."""
    done = [one for one in trials if one["state"] == "complete"]
    names = sorted({name for one in done for name in one["options"]})
    if not done or not names:
        ax.set_axis_off()
        return
    columns = [_scaled([one["options"].get(name) for one in done]) for name in names]
    values = np.array([one["value"] for one in done])
    order = np.argsort(values if higher else -values)
    for rank, row in enumerate(order):
        best = rank == len(order) - 1
        style: dict[str, Any] = {"color": COLOURS[0], "alpha": 0.15 + 0.6 * rank / len(order), "linewidth": 1}
        style = {"color": COLOURS[1], "linewidth": 2.2} if best else style
        ax.plot(range(len(names)), [column[row] for column in columns], **style)
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8)
    ax.set_yticks([0, 1], ["lowest", "highest"], fontsize=8)
    ax.set_title("Options of each trial; the best one in colour", fontsize=9)


def _scaled(values: Sequence[Any]) -> list[float]:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        numbers = np.array(values, float)
        if numbers.min() > 0 and numbers.max() > 20 * numbers.min():
            numbers = np.log(numbers)
        spread = np.ptp(numbers)
        return [float(x) for x in ((numbers - numbers.min()) / spread if spread else np.full(len(numbers), 0.5))]
    kinds = sorted({str(value) for value in values})
    return [kinds.index(str(value)) / max(len(kinds) - 1, 1) for value in values]
