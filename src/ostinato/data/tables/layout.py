"""How tables are laid out where no file says it of itself: separators, decimal commas, comments, dates."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any

from ostinato.config.columns import separator_of
from ostinato.data.sources.encodings import holding


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


_current: ContextVar[Layout] = ContextVar("layout", default=Layout())  # noqa: B039  never changed


def laid_out(layout: Layout) -> AbstractContextManager[None]:
    """Tables that are read within are laid out like this."""
    return holding(_current, layout)


def chosen_layout() -> Layout:
    """How tables are laid out."""
    return _current.get()


def layout_of(options: Mapping[str, Any]) -> Layout:
    """The layout that options by plain name ask for; those that are not among them, or None, have their defaults."""
    found = {item.name: options[item.name] for item in fields(Layout) if options.get(item.name) is not None}
    if "separator" in found:
        found["separator"] = separator_of(found["separator"])
    return Layout(**found)
