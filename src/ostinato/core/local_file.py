"""Files that are named where something is pickled, rather than held."""

from typing import NamedTuple


class LocalFile(NamedTuple):
    """A file of this machine. Where what names it is sent to another one, the launcher sends the file as well."""

    path: str
