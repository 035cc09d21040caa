"""What a language model expected, where its loss is, and units that follow the text."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ostinato.plots.style import COLOURS, LETTERS, Array, label, sheet, short

_WIDEST = 24.0  #: inches of the widest picture


def candidates_along(
    tokens: Sequence[str],
    losses: Array,
    candidates: Sequence[Sequence[str]],
    probabilities: Array,
    came: Array,
    files: Iterable[str | Path],
    *,
    title: str,
) -> None:
    """Draw the loss of each token, and below it what was thought likeliest, darker the likelier.

    As many of the first tokens are drawn as can be read side by side: some 100 characters, or 25 long words.

    Args:
        tokens: `[T]` those that came.
        losses: `[T]` in nats.
        candidates: `[T][K]`, the likeliest first.
        probabilities: `[T, K]`.
        came: `[T, K]`, whether a candidate is the token that came: two may look the same.
        files: pictures to write, .png or .svg.
        title: over the sheet.
    """
    longest = max([len(token) for row in candidates for token in row] + [len(token) for token in tokens], default=1)
    column_width = max(0.2, 0.075 * min(longest, LETTERS))
    T, K = min(len(probabilities), round((_WIDEST - 2.6) / column_width)), probabilities.shape[1]
    tokens, losses, candidates, probabilities = tokens[:T], losses[:T], candidates[:T], probabilities[:T]
    wide = max(5.0, 2.6 + T * column_width)
    heights: Any = {"height_ratios": [1.2, 0.2 * K]}
    with sheet(files, 2, size=(wide, 2.4 + 0.22 * K), title=title, sharex=True, **heights) as ((top,), (below,)):
        top.bar(range(T), losses, width=0.8, color=[COLOURS[0] if hit else COLOURS[5] for hit in came[:T, 0]])
        top.set_ylabel("loss (nats)")
        top.grid(axis="x", visible=False)
        top.bar(0, 0, color=COLOURS[0], label="the likeliest came")
        top.bar(0, 0, color=COLOURS[5], label="another came")
        top.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8, borderaxespad=0)
        top.tick_params("x", labelbottom=False)
        image = below.imshow(probabilities.T, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        figure: Any = below.get_figure(root=True)
        figure.colorbar(image, ax=[top, below], label="probability", pad=0.01, aspect=30)
        for column, row in np.ndindex(T, K):
            dark = probabilities[column, row] > 0.55
            below.text(column, row, short(candidates[column][row]), ha="center", va="center", fontsize=7,
                       color="white" if dark else "black",
                       fontweight="bold" if came[column, row] else "normal")  # fmt: skip
        below.grid(False)
        below.set_yticks(range(K), [str(row + 1) for row in range(K)])
        below.set_ylabel("candidate")
        below.set_xticks(range(T), [short(token) for token in tokens], fontsize=8)
        if longest > 1:
            below.tick_params("x", rotation=90)
        below.set_xlabel("the token that came; bold above where it is among the candidates")


class Bar(NamedTuple):
    """A kind of token: its name, its share of the loss and of the tokens (0 to 1), its mean loss in nats."""

    name: str
    loss_share: float
    token_share: float
    mean: float


def loss_shares(bars: Sequence[Bar], files: Iterable[str | Path], *, title: str) -> None:
    """Draw where the loss is: each kind's share of the loss beside its share of the tokens, from the top."""
    with sheet(files, size=(7.0, 1.4 + 0.5 * len(bars))) as ((ax,),):
        at = np.arange(len(bars))
        ax.barh(at - 0.19, [100 * bar.loss_share for bar in bars], 0.38, color=COLOURS[0], label="of the loss")
        ax.barh(at + 0.19, [100 * bar.token_share for bar in bars], 0.38, color=COLOURS[5], label="of the tokens")
        for y, bar in enumerate(bars):
            ax.annotate(f"{bar.mean:.2f} nats a token", (100 * bar.loss_share, y - 0.19), xytext=(4, 0),
                        textcoords="offset points", va="center", fontsize=8)  # fmt: skip
        ax.set_yticks(at, [bar.name for bar in bars])
        ax.invert_yaxis()
        ax.margins(x=0.25)
        ax.grid(axis="y", visible=False)
        ax.set(title=label(title), xlabel="share (%)", ylabel="kind of token")
        ax.legend(loc="lower right")


class Following(NamedTuple):
    """A unit beside the property it follows: names, and `[T]` values of both."""

    title: str
    unit: str
    values: Array
    property: str
    target: Array


def followers_along(shown: Sequence[Following], first: int, files: Iterable[str | Path], *, title: str) -> None:
    """Draw a panel for each unit over the text, with its property as an area behind it; `first` tokens come before."""
    with sheet(files, len(shown), size=(9.0, 0.7 + 1.55 * len(shown)), title=title, sharex=True) as axes:
        for panel, (ax,) in zip(shown, axes, strict=True):
            steps = first + np.arange(len(panel.values))
            other = ax.twinx()
            other.fill_between(steps, panel.target.astype(float), step="mid", color="#bbbbbb", alpha=0.6, linewidth=0)
            other.set_ylabel(panel.property, color="#666666", fontsize=8)
            other.tick_params("y", labelsize=7, colors="#666666")
            if panel.target.dtype == bool:
                other.set_yticks([0, 1], ["no", "yes"])
            other.set_ylim(bottom=0)
            other.grid(False)
            ax.set_zorder(other.get_zorder() + 1)
            ax.patch.set_visible(False)
            ax.plot(steps, panel.values, linewidth=1.0, color=COLOURS[0])
            ax.set_title(panel.title, fontsize=9, loc="left")
            ax.set_ylabel(panel.unit, color=COLOURS[0], fontsize=8)
            ax.tick_params("y", labelsize=7)
            ax.margins(x=0)
        axes[-1][0].set_xlabel("tokens read")
