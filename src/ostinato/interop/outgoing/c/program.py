"""What the room gives: two files, and how to try them."""

from __future__ import annotations

from typing import NamedTuple


class Program(NamedTuple):
    """A model in C.

    Attributes:
        name: begins all names of the files.
        header: of NAME.h.
        source: of NAME.c.
        driver: a main function that answers examples from standard input, as `trial` writes them.
        weight_bytes: of all constants.
    """

    name: str
    header: str
    source: str
    driver: str
    weight_bytes: int
