"""How tables are laid out where no file says it of itself: separators, decimal commas, comments, dates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """Of the tables that a command reads.

    Attributes:
        separator: between the fields of CSV; None where the file's name or its first line says.
        decimal: mark of a decimal fraction, "." or ",".
        header: whether the first line holds the columns' names; without, they are called 1, 2, 3.
        comment: what a line that is none of the table begins with; empty where there are none.
        date_format: of times, as `datetime.strptime` takes it; empty where they are ISO 8601.
    """

    separator: str | None = None
    decimal: str = "."
    header: bool = True
    comment: str = ""
    date_format: str = ""


_PLAIN = Layout()
_chosen: ContextVar[Layout] = ContextVar("layout", default=_PLAIN)


@contextmanager
def laid_out(layout: Layout) -> Iterator[None]:
    """Tables that are read within are laid out like this."""
    token = _chosen.set(layout)
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen_layout() -> Layout:
    """How tables are laid out."""
    return _chosen.get()
