"""Colours, sizes and files of every picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy.typing as npt

from ostinato.core.errors import ConfigError
from ostinato.core.files import replacing
from ostinato.plots.fonts import glyphs_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array: TypeAlias = npt.NDArray[Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito's colours, told apart by the colour-blind. Some are as light as each other: what must be told apart in
print has another stroke or marker too, and heat maps use cividis, which grows lighter all the way."""

#: Strokes, of which a line takes the next with the next colour.
STROKES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (9, 3)))

#: Letters of a token that are shown beside others.
LETTERS = 10

_RC: Any = {
    "figure.figsize": (7.0, 3.6),
    "figure.dpi": 120,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "ostinato",  # the same picture is the same file
}


def available() -> bool:
    """Whether matplotlib is there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def require_matplotlib() -> None:
    """Ask for matplotlib before hours of work whose end is a picture.

    Raises:
        ConfigError: it is not installed.
    """
    if not available():
        raise ConfigError("pictures need matplotlib: pip install 'ostinato[plots]'")


@contextmanager
def pictures_may_fail() -> Iterator[None]:
    """What goes wrong while pictures are drawn is a warning: all else is done by then, and must not be lost."""
    try:
        yield
    except Exception as error:
        warnings.warn(f"a picture could not be drawn: {type(error).__name__}: {error}", stacklevel=3)


@contextmanager
def picture(path: str | Path, *, size: tuple[float, float] | None = None) -> Iterator[Axes]:
    """Axes to draw on; the file, PNG or SVG by its ending, is written when the block ends.

    Args:
        path: the file.
        size: width and height in inches, where not the common ones.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    with sheet([path], size=size) as axes:
        yield axes[0][0]


@contextmanager
def sheet(
    files: Iterable[str | Path],
    rows: int = 1,
    columns: int = 1,
    *,
    size: tuple[float, float] | None = None,
    title: str | None = None,
    **grid: Any,
) -> Iterator[list[list[Axes]]]:
    """Several axes on one sheet, `[rows][columns]`; the files are written when the block ends.

    Args:
        files: PNG or SVG, by their endings.
        rows: of axes.
        columns: of axes.
        size: width and height in inches, where not the common ones.
        title: over the whole sheet.
        **grid: as for matplotlib's `Figure.subplots`: sharex, sharey, height_ratios, ...

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib.figure import Figure

    with mpl.rc_context(_RC | {"axes.prop_cycle": cycler(color=COLOURS, linestyle=STROKES)}):
        figure = Figure(layout="constrained", figsize=size)
        yield figure.subplots(rows, columns, squeeze=False, **grid).tolist()
        if title:
            figure.suptitle(label(title))
        with glyphs_for(figure):
            for path in map(Path, files):
                path.parent.mkdir(parents=True, exist_ok=True)
                metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
                with replacing(path) as file:
                    figure.savefig(file, format=path.suffix.removeprefix(".") or None, metadata=metadata)
                figure.set_layout_engine("none")  # the layout is found once, not again for each file


def picture_files(stem: str | Path) -> list[Path]:
    """A picture's two files: STEM.png to look at, STEM.svg to print."""
    return [Path(f"{stem}.png"), Path(f"{stem}.svg")]


def label(name: str) -> str:
    """A name from outside, which matplotlib takes neither for a formula nor for one that a legend leaves out."""
    return (" " if name.startswith("_") else "") + name.replace("$", r"\$")


def short(token: str) -> str:
    """As much of a token as there is room for beside others, so that it can be seen."""
    return visible(token if len(token) <= LETTERS else f"{token[: LETTERS - 1]}…")


def marker_of(points: int) -> str | None:
    """A line's marker: of one point or two there is hardly a line to be seen."""
    return "o" if points < 3 else None


def visible(token: str) -> str:
    """A token that can be seen, and that matplotlib takes for no formula."""
    shown = token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
    return "".join(c if c.isprintable() else "·" for c in shown).replace("$", r"\$") or "·"
