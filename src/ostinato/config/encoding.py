"""How the files that a command is given are read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EncodingOptions:
    """What no file says of itself."""

    encoding: str | None = None
    """Of text files, where it is not UTF-8: cp949, shift_jis, gb18030, cp1252, any that Python knows."""
