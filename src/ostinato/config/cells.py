"""What is known of cells without torch: the names, read off the folder, and the form that kernels compute."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NOT_CELLS = {"__init__", "activations", "contract", "form", "noise", "unroll"}

#: A cell's file bears its name: adding the file is all it takes to be listed here.
CELL_NAMES = tuple(
    sorted(file.stem for file in (Path(__file__).parents[1] / "cells").glob("*.py") if file.stem not in _NOT_CELLS)
)

#: The cell of a model where nobody chooses one.
DEFAULT_CELL = "lstm"

#: The options by which some cells differ from the papers, from torch and from every kernel, and the values by which
#: they do not.
USUAL: Mapping[str, Any] = {"activation": "tanh", "recurrent_activation": "sigmoid", "clip": None}
