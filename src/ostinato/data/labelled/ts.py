"""Files of the .ts format (sktime, aeon; UCR, UEA and TSER archives): time series, each with a label or a number.

A header of `@name value` lines, `#` lines as comments, then `@data` and one case a line: its channels between colons,
the values of a channel between commas, the label last. Channels of a case are equally long, cases need not be. `?` and
`NaN` are missing values.
"""

from collections.abc import Iterator

import numpy as np

from ostinato.core.errors import DataError
from ostinato.data.labelled.examples import Raw
from ostinato.data.labelled.sequences import Values
from ostinato.data.sources.files import PathLike
from ostinato.data.tables.numbers import is_number
from ostinato.data.tables.reading import open_content


def read_ts(source: PathLike) -> Raw:
    """Read a .ts file, plain or gzipped.

    Raises:
        DataError: missing, unreadable, malformed (names the line), or with time stamps, which are not supported.
    """
    content = open_content(source)
    lines = enumerate((line.strip() for line in content.lines()), 1)
    labelled = _header(content.name, lines)
    values: list[Values] = []
    labels: list[str | None] = []
    places: list[str] = []
    for number, line in lines:
        if not line or line.startswith("#"):
            continue
        place = f"{content.name}: line {number}"
        *channels, last = line.split(":")
        label = last.strip() if labelled else None
        case = [_numbers(place, channel) for channel in (channels if labelled else [*channels, last])]
        _check(place, case, values)
        values.append(np.stack(case, axis=1))
        labels.append(label or None)
        places.append(place)
    if not values:
        raise DataError(f"{content.name}: holds no cases behind @data; expected at least one")
    return Raw(content.name, values, labels, places.__getitem__, None, content.digest)


def _header(name: str, lines: Iterator[tuple[int, str]]) -> bool:
    """Whether the cases have labels."""
    said: list[bool] = []
    for number, line in lines:
        if not line or line.startswith("#"):
            continue
        key, _, value = line.partition(" ")
        if key.lower() == "@data":
            return any(said) or not said
        if not key.startswith("@"):
            raise DataError(f"{name}: line {number}: expected @univariate true, @data or the like, got {line[:60]!r}")
        if key.lower() == "@timestamps" and value.strip().lower() == "true":
            raise DataError(f"{name}: line {number}: .ts files with time stamps are not supported; give a long table")
        if key.lower() in ("@classlabel", "@targetlabel"):
            said.append(value.split()[:1] != ["false"])
    raise DataError(f"{name}: not a .ts file: it has no line @data")


def _numbers(place: str, channel: str) -> Values:
    cells = channel.replace("?", "nan").split(",")
    try:
        found = np.array(cells, np.float64)
    except ValueError:
        bad = next(cell for cell in cells if not is_number(cell))
        raise DataError(f"{place}: expected numbers between commas, got {bad[:40]!r}") from None
    beyond = np.abs(found) > np.finfo(np.float32).max
    if beyond.any():
        bad = cells[int(beyond.argmax())]
        raise DataError(f"{place}: expected finite numbers between commas, got {bad[:40]!r}")
    return found


def _check(place: str, case: list[Values], before: list[Values]) -> None:
    if not case:
        raise DataError(f"{place}: expected channels and a label between colons, got a label alone")
    if before and len(case) != before[0].shape[1]:
        raise DataError(f"{place}: expected {before[0].shape[1]} channels, as in the first case, got {len(case)}")
    if len({len(channel) for channel in case}) > 1:
        raise DataError(
            f"{place}: expected channels of equal length, got {', '.join(str(len(channel)) for channel in case)}"
        )
