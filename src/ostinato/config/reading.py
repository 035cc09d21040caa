"""How the files that a command is given are read: encoding, the layout of tables, how much of a corpus at a time."""

from typing import Annotated, Literal

import tyro

from ostinato.config.checks import at_least
from ostinato.config.columns import separator_of
from ostinato.config.options import options


@options
class EncodingOptions:
    """What no file says of itself."""

    encoding: str | None = None
    """Of text files, where it is not UTF-8: cp949, shift_jis, gb18030, cp1252, any that Python knows."""


Separator = Annotated[str | None, tyro.conf.arg(metavar="S")]
Decimal = Literal[".", ","]


@options
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


#: Least --shard-size: a thousand characters.
SMALLEST_SHARD = 0.001


@options
class ShardOptions:
    """What is too large to be held in memory."""

    shard_size: float | None = None
    """Train in shards of so many million characters, which are encoded while those before them are trained on: much
    data is begun with at once, and memory stays what it is. By default 16 for files of more than 256 MB (train lm: for
    texts of more than 256 million characters); what is smaller is read as a whole."""

    def __post_init__(self) -> None:
        at_least(shard_size=(self.shard_size, SMALLEST_SHARD))
