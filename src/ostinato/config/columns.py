"""Several columns in one option: names with commas between, as a line of CSV."""

import csv
import io
from collections.abc import Iterable


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
