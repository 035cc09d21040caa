"""Which classes are taken for which."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ostinato.plots.style import COLOURS, label, picture

#: Classes that a picture can still tell apart.
MOST_CLASSES = 300

#: Classes whose cells still have room for numbers.
_NUMBERED = 20


def confusion_matrix(
    counts: npt.NDArray[np.int64], classes: Sequence[str], out: str | Path, *, title: str = "Confusion"
) -> None:
    """Draw counts `[C, C]`, of examples by class (rows) and by the class they were taken for: each row's shares as
    colour, the counts as numbers. The picture is .png or .svg.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    shares = counts / counts.sum(1, keepdims=True).clip(min=1)
    names = [label(name if len(name) <= 24 else f"{name[:23]}…") for name in classes]
    side = min(12.0, 2.4 + 0.42 * len(classes))
    with picture(out, size=(side + 1.2, side)) as axes:
        from matplotlib.colors import LinearSegmentedColormap

        axes.imshow(shares, cmap=LinearSegmentedColormap.from_list("shares", ["#ffffff", COLOURS[0]]), vmin=0, vmax=1)
        axes.grid(False)
        axes.set(title=label(title), xlabel="predicted", ylabel="true")
        axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 3 else 0)
        axes.set_yticks(range(len(names)), names)
        if len(classes) <= _NUMBERED:
            for row, column in np.ndindex(*counts.shape):
                dark = shares[row, column] > 0.6
                axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center",
                          color="white" if dark else "black", fontsize=8)  # fmt: skip
