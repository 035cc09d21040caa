"""Run the notebooks: `python scripts/notebooks.py [NAME...]`, of all where none is named.

Each runs from its top in a folder of its own, in a kernel of its own, as Jupyter would run it. What it prints and draws
goes to notebooks/outputs, from where the documentation shows it; so does the time it took. `--check` keeps nothing.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jupytext
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
OUTPUTS = NOTEBOOKS / "outputs"
#: Letters of a cell's text that are kept.
LONGEST = 4000


def sources() -> list[Path]:
    """The notebooks, but no translation of one."""
    return sorted(file for file in NOTEBOOKS.glob("[0-9]*.md") if file.name.count(".") == 1)


def code(notebook: NotebookNode) -> list[str]:
    """What its cells run."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def fingerprint(notebook: NotebookNode) -> str:
    """Of the code; outputs belong to one."""
    return hashlib.sha256("\0".join(code(notebook)).encode()).hexdigest()[:16]


class Seconds(NamedTuple):
    """How long a run took: by the clock, and what its processes computed."""

    wall: float
    processor: float


def run(source: Path, folder: Path, change: Callable[[str], str] = str) -> tuple[NotebookNode, Seconds]:
    """The notebook with its outputs, and how long it took.

    Args:
        source: its text.
        folder: where it runs.
        change: what is made of each cell's code before it runs; by default nothing.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell that fails, with its traceback.
    """
    notebook = jupytext.read(source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = change(cell.source)
    data = os.environ.get("OSTINATO_DATA", str(ROOT.parent / "shared" / "data"))
    changes = {
        "OSTINATO_DATA": str(Path(data).resolve()),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "IPYTHONDIR": str(folder / ".ipython"),
        "COLUMNS": "100",
    }
    begun, computed = time.perf_counter(), children()
    client = NotebookClient(
        notebook,
        timeout=900,
        startup_timeout=300,  # on a machine that is busy with other things
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=os.environ | changes)
    return notebook, Seconds(time.perf_counter() - begun, children() - computed)


def children() -> float:
    """Processor time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def keep(source: Path, notebook: NotebookNode, seconds: Seconds) -> None:
    """Outputs into a JSON file and PNGs beside it."""
    for old in OUTPUTS.glob(f"{source.stem}-*.png"):
        old.unlink()
    cells, pictures = [], 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                pictures += 1
                name = f"{source.stem}-{pictures}.png"
                (OUTPUTS / name).write_bytes(base64.b64decode(data["image/png"]))
                kept.append({"picture": name})
            elif text := readable("".join(output.get("text", data.get("text/plain", "")))):
                if kept and "text" in kept[-1]:  # one stream, which came in pieces
                    kept[-1]["text"] += f"\n{text}"
                else:
                    kept.append({"text": text})
        cells.append(kept)
    content = {"name": source.stem, "code": fingerprint(notebook)}
    content |= {"seconds": round(seconds.wall, 1), "processor": round(seconds.processor, 1), "cells": cells}
    (OUTPUTS / f"{source.stem}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def readable(text: str) -> str:
    """Without colours, and not longer than a page shows."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).rstrip()
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit("\n", 1)[0] + "\n..."


def main() -> None:
    """Run, keep, print a table of times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="such as 01-hello; all without one")
    parser.add_argument("--check", action="store_true", help="run, and keep nothing")
    options = parser.parse_args()
    OUTPUTS.mkdir(exist_ok=True)
    for source in sources():
        if options.names and source.stem not in options.names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            notebook, seconds = run(source, Path(folder))
        print(f"{source.stem:<28}{seconds.wall:>7.1f} s, {seconds.processor:>7.1f} s of them computing", flush=True)
        if not options.check:
            keep(source, notebook, seconds)


if __name__ == "__main__":
    main()
