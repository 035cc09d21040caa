"""The names of the cells in the package, read off the folder so that no help text has to import torch."""

from pathlib import Path

_NOT_CELLS = {"__init__", "contract", "noise", "unroll"}

#: A cell's file bears its name: adding the file is all it takes to be listed here.
CELL_NAMES = tuple(
    sorted(file.stem for file in (Path(__file__).parents[1] / "cells").glob("*.py") if file.stem not in _NOT_CELLS)
)
