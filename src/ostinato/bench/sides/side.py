"""What a side is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from ostinato.bench.problem import Results


class LeftOutError(Exception):
    """A side cannot take part in a row: why, in a few words."""


class Side(Protocol):
    """One side of a comparison, ready to run a problem. What was compiled first has the `seconds` that took."""

    def within(self) -> AbstractContextManager[None]:
        """What has to hold around `run`, such as a precision; not timed."""

    def run(self) -> object:
        """The work, once."""

    def results(self) -> Results:
        """What one run makes; the names that this side has."""
