"""What attention looked at."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from ostinato.plots.style import label, picture, visible


def alignment_matrix(
    weights: Tensor, source: Sequence[str], target: Sequence[str], out: str | Path, *, title: str = "Alignment"
) -> None:
    """Draw the weights of attention: a row for each token written, a column for each token read.

    Args:
        weights: `[T, S]`, from 0 to 1.
        source: S labels.
        target: T labels.
        out: picture to write, .png or .svg.
        title: over the picture.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    with picture(out) as axes:
        wide, high = max(3.0, 0.28 * len(source) + 1.5), max(2.4, 0.28 * len(target) + 1.2)
        axes.figure.set_size_inches(min(wide, 18), min(high, 18))  # type: ignore[union-attr]
        axes.imshow(weights.numpy(force=True), cmap="Greys", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(source)), [visible(token) for token in source], rotation=90)
        axes.set_yticks(range(len(target)), [visible(token) for token in target])
        axes.grid(False)
        axes.set(title=label(title), xlabel="read", ylabel="written")
