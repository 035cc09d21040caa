"""Draw the rooms and the way of the data, for docs/architecture.md: `python scripts/architecture_drawing.py`.

The rooms are those of pyproject.toml, in the order that import-linter holds; a room without words below is a KeyError.
"""

import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"

#: What each room is for, in a few words.
ROOMS = {
    "cli": "parse, call, print",
    "studio": "the page in the browser, and its routes",
    "serving": "HTTP, sessions",
    "search": "trials, each a run",
    "testing": "checks of a cell",
    "bench": "beside peers",
    "sklearn": "estimators",
    "api": "train, load, Run",
    "tasks": "a folder each: options, data, model, task",
    "advice": "words for what goes wrong",
    "evaluation": "figures of answers",
    "inspection": "what a cell does",
    "training": "the one loop",
    "decoding": "sampling, beams",
    "plots": "pictures",
    "checkpoint": "the run folder",
    "interop": "weights of others",
    "models": "what tasks share",
    "data": "files to batches",
    "losses": "output to scalar",
    "optim": "steps, schedules",
    "layers": "Recurrent, drop-ins, stream",
    "kernels": "who runs a cell",
    "runtime": "the same from NumPy",
    "compiler": "equations to C++",
    "native": "C++ and its binding",
    "cells": "equations, contract, loop over time",
    "config": "every option, without torch",
    "byhand": "NumPy alone, to read",
    "core": "legend, Batch, errors, registry",
}

#: The way of the data, and where each step lives.
TRAINING = [
    ("files", "text, tables, pictures", ""),
    ("reader", "arrays, vocabulary", "data"),
    ("Batch", "[T, N] or [T, N, D]", "data"),
    ("model", "its output", "tasks, layers"),
    ("loss", "one scalar", "losses"),
    ("loop", "backward, step", "training, optim"),
    ("run folder", "weights, JSON", "checkpoint"),
]
USING = [
    ("run folder", "weights, JSON", "checkpoint"),
    ("Run", "model, codec", "api"),
    ("new data", "files, or in memory", "data"),
    ("decoding", "tags, texts, paths", "decoding"),
    ("answers", "or text", "tasks"),
    ("figures", "of these answers", "tasks"),
]

BLUE, GREEN, ORANGE, INK = "#dbe9f4", "#dff0e6", "#fbe8d3", "#222222"


def rows() -> list[list[str]]:
    """The rooms from top to bottom, those on one line together."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[room.strip() for room in line.split("|")] for line in layers]


def text(x: float, y: float, words: str, size: int = 13, *, bold: bool = False, colour: str = INK) -> str:
    """Words around x, on the line y."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" text-anchor="middle"{weight}>'
        f"{escape(words)}</text>"
    )


def box(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A rounded rectangle, its upper left corner at x and y."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" stroke="#8899a6"/>'


def arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    """A line with its head at the end, along one of the axes."""
    dx, dy = (to_x > x) - (to_x < x), (to_y > y) - (to_y < y)
    head = f"{to_x:g},{to_y:g} {to_x - 8 * dx - 4 * dy:g},{to_y - 8 * dy - 4 * dx:g} "
    head += f"{to_x - 8 * dx + 4 * dy:g},{to_y - 8 * dy + 4 * dx:g}"
    line = f'<line x1="{x:g}" y1="{y:g}" x2="{to_x - 6 * dx:g}" y2="{to_y - 6 * dy:g}" stroke="{INK}"/>'
    return f'{line}<polygon points="{head}" fill="{INK}"/>'


def picture(width: int, height: int, parts: list[str], title: str) -> str:
    """The file."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="DejaVu Sans, Verdana, sans-serif" role="img"><title>{escape(title)}</title>'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, ground, *parts, "</svg>", ""])


def drawn_rooms() -> str:
    """A line for each layer of imports."""
    width, left, high, gap = 820, 60, 44, 8
    parts, y = [], 12
    lines = rows()
    for line in lines:
        own = (width - left - 12 - gap * (len(line) - 1)) / len(line)
        for place, room in enumerate(line):
            x = left + place * (own + gap)
            fill = GREEN if room in ("cells", "compiler", "kernels", "layers", "runtime") else BLUE
            fill = ORANGE if room in ("cli", "api", "sklearn") else fill
            parts.append(box(x, y, own, high, fill))
            parts += [text(x + own / 2, y + 18, room, 14, bold=True), text(x + own / 2, y + 35, ROOMS[room], 11)]
        y += high + gap
    parts.append(arrow(30, 16, 30, y - gap - 2))
    parts.append(f'<g transform="rotate(-90 18 {y / 2:g})">{text(18, y / 2, "imports go down only", 12)}</g>')
    return picture(width, y + 4, parts, "The rooms of the package; each imports from lower lines only")


def chain(steps: list[tuple[str, str, str]], y: float, title: str, fill: str) -> list[str]:
    """Boxes from left to right with arrows between them, where each lives below."""
    wide, high, gap, left = 112, 50, 22, 14
    parts = [
        f'<text x="{left}" y="{y - 12:g}" font-size="14" font-weight="bold" fill="{INK}">{escape(title)}</text>',
    ]
    for place, (name, what, room) in enumerate(steps):
        x = left + place * (wide + gap)
        parts += [box(x, y, wide, high, fill), text(x + wide / 2, y + 20, name, 13, bold=True)]
        parts += [text(x + wide / 2, y + 38, what, 9), text(x + wide / 2, y + high + 16, room, 10, colour="#56636e")]
        if place:
            parts.append(arrow(x - gap + 1, y + high / 2, x - 1, y + high / 2))
    return parts


def drawn_data() -> str:
    """Training above, use of the run below."""
    parts = chain(TRAINING, 34, "Training", BLUE) + chain(USING, 154, "Using a run", GREEN)
    return picture(950, 236, parts, "From files to a run folder, and from a run folder to answers and figures")


def drawings() -> dict[str, str]:
    """Content by file name."""
    return {"architecture.svg": drawn_rooms(), "data-flow.svg": drawn_data()}


if __name__ == "__main__":
    for name, content in drawings().items():
        (IMAGES / name).write_text(content, encoding="utf-8")
