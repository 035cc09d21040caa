"""How a table is laid out, where no file says it of itself."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from ostinato.config.columns import separator_of

Separator = Annotated[str | None, tyro.conf.arg(metavar="S")]
Decimal = Literal[".", ","]


@dataclass(frozen=True)
class TableOptions:
    """CSV of other countries and other programs."""

    separator: Separator = None
    """What stands between the columns of CSV, where it is not a comma: ";" or TAB."""

    decimal: Decimal = "."
    """What stands before the fraction of a number in CSV: "," reads 1.234,5."""

    header: bool = True
    """Whether the first line of CSV holds the columns' names; without, they are called 1, 2, 3."""

    comment: str = ""
    """What lines of CSV begin with that are none of the table, such as "#"."""

    date_format: str = ""
    """How times are written that are not ISO 8601, as Python's strptime has it: "%d/%m/%Y". By default 31.12.2024 and
    31/12/2024 are read as well, where no other order is possible."""

    def __post_init__(self) -> None:
        separator_of(self.separator)
