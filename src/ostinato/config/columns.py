"""What options say of tables' columns: several names with commas between, as a line of CSV; what separates fields."""

import csv
import io
from collections.abc import Iterable

from ostinato.core.errors import ConfigError


def names_in(text: str | None) -> tuple[str, ...]:
    """The names, one by one; one that holds a comma stands in quotation marks.

    >>> names_in('day, "sales, total"')
    ('day', 'sales, total')
    """
    if text is None:
        return ()
    if '"' not in text:
        return tuple(name.strip() for name in text.split(","))
    return tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True)))


def as_option(names: Iterable[str]) -> str:
    """What `names_in` gives these names for."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def separator_of(separator: str | None) -> str | None:
    """The character that an option means: itself, or TAB by name; None where it was not given.

    Raises:
        ConfigError: several, or none.
    """
    if separator is None:
        return None
    found = {"TAB": "\t", "tab": "\t", "\\t": "\t"}.get(separator, separator)
    if len(found) != 1 or found in '\r\n"':
        raise ConfigError(f"--separator: expected one character, such as ; or TAB, got {separator!r}")
    return found
