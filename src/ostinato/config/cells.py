"""What is known of cells without torch: the names, read off the folder, and the form that kernels compute."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ostinato.core.errors import ConfigError

_NOT_CELLS = {"__init__", "activations", "contract", "form", "noise", "resets", "unroll"}

#: A cell's file bears its name: adding the file is all it takes to be listed here.
CELL_NAMES = tuple(
    sorted(
        name.removesuffix(".py")
        for name in os.listdir(os.path.join(os.path.dirname(os.path.dirname(__file__)), "cells"))  # pathlib takes 4 ms
        if name.endswith(".py") and name.removesuffix(".py") not in _NOT_CELLS
    )
)

#: The cell of a model where nobody chooses one, and of one that reads numbers and says one thing of all of them.
DEFAULT_CELL, DEFAULT_CELL_OF_NUMBERS = "lstm", "gru"

#: Cells whose gradients `inspect` follows beside those of a run's own.
COMPARED_CELLS = ("rnn", "gru", "lstm")

#: The options by which some cells differ from the papers, from torch and from every kernel, and the values by which
#: they do not.
USUAL: Mapping[str, Any] = {"activation": "tanh", "recurrent_activation": "sigmoid", "clip": None}

#: Options whose values are names.
_NAMED = ("activation", "recurrent_activation")


def option_values(words: Iterable[str]) -> dict[str, float | str]:
    """Options of a cell by name, of words such as `forget_bias=1`. Whole numbers stay whole; activations are named.

    Raises:
        ConfigError: one that is not NAME=VALUE with a number, or a name where it is an activation's.
    """
    found: dict[str, float | str] = {}
    for option in words:
        name, _, value = option.partition("=")
        if name in _NAMED and value:
            found[name] = value
            continue
        try:
            found[name] = int(value) if value.lstrip("-").isdecimal() else float(value)
        except ValueError:
            raise ConfigError(f"--cell-options: expected NAME=VALUE with a number, got {option!r}") from None
    return found
